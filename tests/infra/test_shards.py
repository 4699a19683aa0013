import pytest
from stage_rows import pairs, stage

from tasks.errors import StorageError


def test_a_shard_comes_back_with_its_counts(store):
    work = stage(store)
    assert work.shard(3) is None and work.shard_counts(3) is None and work.shards() == []
    work.commit_shard(3, pairs(1, 2), {"cut": 1})
    work.commit_shard(0, pairs(), {})
    assert work.shard(3).equals(pairs(1, 2)) and work.shard_counts(3) == {"cut": 1}
    assert work.shard(0).num_rows == 0 and work.shard(0).schema.equals(pairs(1).schema)
    assert work.shards() == [0, 3]


def test_the_first_shard_stays(store):
    stage(store).commit_shard(0, pairs(1), {})
    stage(store).commit_shard(0, pairs(2), {})
    assert stage(store).shard(0).equals(pairs(1))


def test_a_shard_that_lost_the_race_does_not_replace_the_winners_table(store, monkeypatch):
    late = stage(store)
    with monkeypatch.context() as patch:
        patch.setattr(late, "_shard_manifest", lambda index: None)
        stage(store).commit_shard(0, pairs(1), {})
        late.commit_shard(0, pairs(2), {})
    assert late.shard(0).equals(pairs(1))


def test_a_shard_whose_manifest_was_never_written_is_not_there(store, monkeypatch):
    work = stage(store)
    with monkeypatch.context() as patch:
        patch.setattr(store, "create", lambda path, data: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            work.commit_shard(0, pairs(1), {})
    assert len(store.list(f"{work.folder}/shards")) == 1
    assert work.shard(0) is None and work.shards() == []


def test_a_damaged_shard_is_an_error(store):
    work = stage(store)
    work.commit_shard(0, pairs(1), {})
    path = f"{work.folder}/shards/00000.json"
    manifest = store.read(path)
    store.write(path, manifest[:-20])
    with pytest.raises(StorageError, match=r"00000\.json is truncated"):
        work.shard(0)
    store.write(path, manifest)
    (table,) = (path for path in store.list() if path.endswith(".parquet"))
    store.write(table, store.read(table)[:-1])
    with pytest.raises(StorageError, match="the bytes changed"):
        work.shard(0)


def test_shards_belong_to_their_key(store):
    stage(store, n=1).commit_shard(0, pairs(1), {})
    assert stage(store, n=2).shard(0) is None
