import json
from dataclasses import replace

import pyarrow as pa
import pytest
from stage_rows import commit, pairs, stage, verdicts

from infra.stages import open_artifact
from infra.storage import open_store
from tasks.errors import ConflictError, DataError, StorageError
from tasks.records import PreferencePair, Prompt, Verdict
from tasks.tables import check, content, schema


def test_a_stage_is_unfinished_until_its_commit_then_found_by_its_key(store):
    assert stage(store, rule="a").finished() is None
    artifact = commit(stage(store, rule="a"), pairs(1, 2))
    found = stage(store, rule="a").finished()
    assert found.artifact == artifact == open_artifact(store, artifact).artifact
    assert (artifact.rows, artifact.content) == (2, content(PreferencePair, pairs(1, 2)))
    assert (
        artifact.uri == stage(store, rule="a").uri == f"{store.root}/{found.folder}/manifest.json"
    )
    assert stage(store, rule="b").finished() is None


def test_tables_facts_and_counts_come_back(store):
    side = pa.table({"pair_id": ["pair1"], "extra": [0.5]})
    stage(store).commit(
        tables={"rows": (PreferencePair, pairs(1)), "side": (None, side)},
        facts={"ended": "clipped"},
        counts={"dropped": 3},
        volatile={"seconds": 1.5},
    )
    found = stage(store).finished()
    check(PreferencePair, found.table())
    assert found.table().equals(pairs(1)) and found.table("side").equals(side)
    assert (found.facts, found.counts) == ({"ended": "clipped"}, {"dropped": 3})
    assert found.side() == {"seconds": 1.5}
    with pytest.raises(DataError, match="has no tables 'none'; it has: rows, side"):
        found.table("none")


def test_nested_columns_and_empty_tables_keep_their_schema(store):
    table = schema(Prompt).empty_table()
    stage(store).commit(tables={"rows": (Prompt, table)})
    check(Prompt, stage(store).finished().table())


def test_a_side_table_does_not_enter_the_content(store):
    first = commit(stage(store, n=1), pairs(1))
    second = stage(store, n=2).commit(
        tables={"rows": (PreferencePair, pairs(1)), "side": (None, pa.table({"x": [1]}))}
    )
    assert first.content == second.content


def test_equal_work_gives_equal_manifests_whatever_the_chunks_and_the_cost(tmp_path, work_dir):
    manifests = set()
    for number, table in enumerate([pairs(1, 2), pa.concat_tables([pairs(1), pairs(2)])]):
        store = open_store(str(tmp_path / f"store{number}"))
        commit(stage(store), table, volatile={"cost_usd": number})
        manifests.add(store.read(f"{stage(store).folder}/manifest.json"))
    assert len(manifests) == 1 and b"cost" not in manifests.pop()


def test_cost_of_a_verdict_does_not_enter_its_content(store):
    artifacts = [
        stage(store, n=n).commit(tables={"rows": (Verdict, verdicts(cost_usd))})
        for n, cost_usd in enumerate([0.1, 0.2])
    ]
    assert artifacts[0].content == artifacts[1].content


def test_a_table_that_breaks_its_record_is_refused_before_anything_is_finished(store):
    with pytest.raises(DataError, match="columns"):
        commit(stage(store), pairs(1).drop_columns(["rule"]))
    assert stage(store).finished() is None


def test_facts_that_are_not_plain_are_refused(store):
    with pytest.raises(DataError, match=r"facts of .* no plain data"):
        commit(stage(store), pairs(1), facts={"loss": float("nan")})


def test_the_first_commit_stays_and_the_second_adopts_it(store):
    first = commit(stage(store), pairs(1), volatile={"by": "first"})
    assert commit(stage(store), pairs(2), volatile={"by": "second"}) == first
    found = stage(store).finished()
    assert found.table().equals(pairs(1)) and found.side() == {"by": "first"}


def test_a_deterministic_verb_takes_a_difference_as_a_conflict(store):
    commit(stage(store), pairs(1, 2), deterministic=True)
    commit(stage(store), pairs(2, 1), deterministic=True)
    with pytest.raises(ConflictError, match="committed other tables for the same key"):
        commit(stage(store), pairs(1), deterministic=True)
    with pytest.raises(ConflictError, match="committed other facts, counts"):
        commit(stage(store), pairs(1, 2), deterministic=True, facts={"a": 1}, counts={"b": 2})


def test_a_stage_without_rows_has_the_content_of_all_it_found_out(store):
    first = stage(store, n=1).commit(tables={}, facts={"steps": 3})
    same = stage(store, n=2).commit(tables={}, facts={"steps": 3})
    other = stage(store, n=3).commit(tables={}, facts={"steps": 4})
    assert first.rows == 0 and first.content == same.content != other.content


def test_folders_are_named_in_the_manifest_and_come_back(store, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    files = stage(store).put_folder("model", tmp_path / "model")
    stage(store).commit(tables={}, files={"model": files})
    found = stage(store).finished()
    assert found.files("model") == files
    store.get_folder(files, files[0].path.rpartition("/")[0], tmp_path / "out")
    assert (tmp_path / "out" / "config.json").read_text() == "{}"


def test_two_writers_of_one_folder_do_not_replace_each_others_files(store, tmp_path):
    for text in ("one", "two"):
        (tmp_path / "weights").write_text(text)
        files = stage(store).put_folder("model", tmp_path / ".." / tmp_path.name)
        stage(store).commit(tables={}, files={"model": files})
    kept = stage(store).finished().files("model")
    assert store.read(kept[0].path) == b"one"


def test_a_file_of_another_place_is_refused(store, tmp_path):
    (tmp_path / "a").write_text("1")
    file = store.put_file(tmp_path / "a", "elsewhere/a")
    with pytest.raises(DataError, match=r"does not lie in its stage.*Stage.put_folder"):
        stage(store).commit(tables={}, files={"model": [file]})


@pytest.mark.parametrize("kept", [0, 1, 100, -2])
def test_a_truncated_manifest_is_an_error_not_unfinished(store, kept):
    artifact = commit(stage(store), pairs(1))
    path = f"{stage(store).folder}/manifest.json"
    store.write(path, store.read(path)[:kept])
    for read in (stage(store).finished, lambda: open_artifact(store, artifact)):
        with pytest.raises(StorageError, match=r"manifest.json is truncated.*redo the verb"):
            read()


def test_a_changed_manifest_is_noticed(store):
    commit(stage(store), pairs(1), counts={"dropped": 3})
    path = f"{stage(store).folder}/manifest.json"
    store.write(path, store.read(path).replace(b'"dropped":3', b'"dropped":4'))
    with pytest.raises(StorageError, match="its seal does not fit"):
        stage(store).finished()


def test_the_manifest_of_another_stage_is_not_taken(store):
    commit(stage(store, n=1), pairs(1))
    data = store.read(f"{stage(store, n=1).folder}/manifest.json")
    store.write(f"{stage(store, n=2).folder}/manifest.json", data)
    with pytest.raises(StorageError, match="manifest of another stage"):
        stage(store, n=2).finished()


def test_a_manifest_of_a_later_format_is_refused(store):
    from infra.manifests import FORMAT, digest

    body = {"format": FORMAT + 1}
    data = json.dumps({**body, "seal": digest(body)}).encode()
    store.write(f"{stage(store).folder}/manifest.json", data)
    with pytest.raises(StorageError, match="has format 2, this version reads 1"):
        stage(store).finished()


def test_changed_and_missing_tables_are_named_with_the_next_step(store):
    commit(stage(store), pairs(1))
    (path,) = (path for path in store.list() if path.endswith(".parquet"))
    data = bytearray(store.read(path))
    data[len(data) // 2] ^= 1
    store.write(path, bytes(data))
    with pytest.raises(StorageError, match=r"rows-.*the bytes changed"):
        stage(store).finished().table()
    store.delete(path)
    with pytest.raises(StorageError, match=r"rows-.*is missing though its manifest names it"):
        stage(store).finished().table()


def test_an_artifact_is_found_after_its_store_moved(tmp_path, work_dir):
    store = open_store(str(tmp_path / "old"))
    artifact = commit(stage(store), pairs(1))
    (tmp_path / "old").rename(tmp_path / "new")
    moved = open_store(str(tmp_path / "new"))
    assert open_artifact(moved, artifact).table().equals(pairs(1))


def test_an_artifact_that_was_redone_otherwise_or_removed_is_named(store):
    artifact = commit(stage(store), pairs(1))
    with pytest.raises(StorageError, match="was redone with another outcome"):
        open_artifact(store, replace(artifact, content="0" * 64))
    stage(store).clear()
    with pytest.raises(StorageError, match="is not finished or was removed"):
        open_artifact(store, artifact)
    with pytest.raises(DataError, match="is no stage"):
        open_artifact(store, replace(artifact, uri="memory://x/runs/a.json"))


def test_a_cleared_stage_is_done_again(store):
    work = stage(store)
    work.commit_shard(0, pairs(1), {})
    commit(work, pairs(1), volatile={"seconds": 1})
    work.clear()
    assert work.finished() is None and work.shard(0) is None
    assert store.list() == []
    assert commit(work, pairs(2)).content == content(PreferencePair, pairs(2))


def test_a_store_that_refuses_the_manifest_leaves_the_stage_unfinished(store, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store._backend, "create", full)
        with pytest.raises(StorageError, match=r"manifest.json: could not create.*disk is full"):
            commit(stage(store), pairs(1))
    assert stage(store).finished() is None
    commit(stage(store), pairs(2))
    assert stage(store).finished().table().equals(pairs(2))
