"""Local copies of what a distant store holds."""

import os
import subprocess
import sys
import textwrap

import pytest

from infra import cache
from infra.cache import Cache, limit_bytes, read_file
from infra.storage import StoredFile, open_store
from infra.work import work_root
from tasks.errors import ConfigError, DamagedError
from tasks.storage_settings import StorageSettings

GIB = 2**30


@pytest.fixture
def store(tmp_path):
    return open_store(StorageSettings(root=f"file://{tmp_path}/store"))


@pytest.fixture(autouse=True)
def nothing_held():
    cache.let_go()
    yield
    cache.let_go()


def put(store, tmp_path, name, data=b"weights") -> list[StoredFile]:
    """The files of a model `name` in the store."""
    folder = tmp_path / "made" / name
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(data)
    (folder / "config.json").write_bytes(name.encode())
    return store.put_folder(folder, f"models/{name}")


def copy(store, files, name):
    return Cache(store).folder(files, f"models/{name}", name)


def fetched(monkeypatch, store):
    """Notes the paths that are read from the store from now on."""
    paths = []
    get_file = store.get_file
    monkeypatch.setattr(
        store, "get_file", lambda file, local: paths.append(file.path) or get_file(file, local)
    )
    return paths


def test_a_copy_is_fetched_once_and_has_the_name_asked_for(store, tmp_path, monkeypatch):
    files = put(store, tmp_path, "a")
    folder = copy(store, files, "a")
    assert folder.name == "a" and (folder / "model.safetensors").read_bytes() == b"weights"
    paths = fetched(monkeypatch, store)
    cache.let_go()
    assert copy(store, files, "a") == folder and paths == []


def test_a_damaged_file_is_fetched_again_and_the_others_are_not(store, tmp_path, monkeypatch):
    files = put(store, tmp_path, "a")
    folder = copy(store, files, "a")
    (folder / "model.safetensors").write_bytes(b"Weights")
    paths = fetched(monkeypatch, store)
    copy(store, files, "a")
    assert paths == ["models/a/model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == b"weights"


def test_what_is_damaged_in_the_store_never_becomes_a_copy(store, tmp_path):
    files = put(store, tmp_path, "a")
    store.write("models/a/model.safetensors", b"Weights")
    with pytest.raises(DamagedError, match="the bytes changed"):
        copy(store, files, "a")
    assert list(work_root().glob("cache/*/*/a/model*")) == []


def test_an_unchanged_file_is_hashed_once_by_a_process(store, tmp_path, monkeypatch):
    files = put(store, tmp_path, "a")
    copy(store, files, "a")
    hashed = []
    monkeypatch.setattr(cache, "sha256_of", lambda local: hashed.append(local))
    copy(store, files, "a")
    assert hashed == []


def test_the_least_used_copies_go_when_room_is_needed(store, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(25_000 / GIB))
    made = {name: put(store, tmp_path, name, name.encode() * 10_000) for name in "abc"}
    folders = {}
    for age, name in enumerate("ab"):
        folders[name] = copy(store, made[name], name)
        cache.let_go()
        os.utime(folders[name].parent / "lock", (age, age))
    copy(store, made["a"], "a")  # used again: now b is the least used
    cache.let_go()
    folders["c"] = copy(store, made["c"], "c")
    assert {name for name, folder in folders.items() if folder.exists()} == {"a", "c"}


def test_a_copy_in_use_stays_also_where_another_process_uses_it(store, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, "0")
    one, two = (put(store, tmp_path, name, b"x" * 1000) for name in "ab")
    program = f"""
        import sys
        from infra.cache import Cache
        from infra.storage import StoredFile, open_store
        files = {[(file.path, file.sha256, file.size) for file in one]!r}
        files = [StoredFile(path=p, sha256=s, size=n) for p, s, n in files]
        print(Cache(open_store({store.root!r})).folder(files, "models/a", "a"), flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as other:
        there = other.stdout.readline().strip()
        second = copy(store, two, "b")
        assert os.path.exists(f"{there}/model.safetensors") and second.exists()
        other.kill()
    cache.let_go()
    copy(store, put(store, tmp_path, "c"), "c")
    assert not os.path.exists(there) and not second.exists()


def test_many_threads_that_want_one_copy_fetch_it_once(store, tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    files = put(store, tmp_path, "a", b"x" * 100_000)
    paths = fetched(monkeypatch, store)
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: copy(store, files, "a"), range(16)))
    assert len(folders) == 1 and sorted(paths) == sorted(file.path for file in files)


def test_big_tables_of_a_distant_store_are_read_by_way_of_a_copy(s3, tmp_path, monkeypatch):
    store = open_store(s3)
    (tmp_path / "big").write_bytes(b"x" * cache.BIG_BYTES)
    (tmp_path / "small").write_bytes(b"x")
    big, small = (store.put_file(tmp_path / name, f"stages/{name}") for name in ("big", "small"))
    for file in (big, big, small, small):
        assert len(read_file(store, file)) == file.size
    copies = [path.name for path in work_root().glob("cache/*/*/file/*")]
    assert copies == ["big"]
    store.delete("stages/big")
    assert len(read_file(store, big)) == big.size


@pytest.mark.parametrize("told", ["lots", "-1", "nan", "inf"])
def test_a_limit_that_is_no_size_is_refused(told, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, told)
    with pytest.raises(ConfigError, match=f"TSO_CACHE_GIB is '{told}'"):
        limit_bytes(50.0)
    monkeypatch.delenv(cache.VARIABLE)
    assert limit_bytes(0.5) == GIB // 2
