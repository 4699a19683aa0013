import hashlib
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.s3_session import files_of
from infra.s3_transfer import MOST_PARTS, PART_BYTES, part_bytes
from infra.storage import StoredFile, open_store
from tasks.errors import ConfigError, DataError, StorageError


def test_what_was_written_is_read_and_replaced_whole(store):
    store.write("a/b", b"one")
    assert store.read("a/b") == b"one" and store.size("a/b") == 3
    store.write("a/b", b"second")
    assert store.read("a/b") == b"second"


def test_absent_objects_are_file_not_found_and_name_their_uri(store):
    with pytest.raises(FileNotFoundError, match="runs/none: there is no such object"):
        store.read("runs/none")
    with pytest.raises(FileNotFoundError):
        store.size("runs/none")


def test_a_folder_or_a_path_below_a_file_is_no_object(store):
    store.write("a/b", b"1")
    assert store.exists("a/b")
    assert not store.exists("a")
    assert not store.exists("a/b/c")
    with pytest.raises(FileNotFoundError):
        store.read("a")


def test_listing_is_recursive_sorted_and_relative_to_the_root(store):
    for path in ("a/c/1", "a/b", "ab", "z"):
        store.write(path, b"1")
    assert store.list("a") == store.list("a/") == ["a/b", "a/c/1"]
    assert store.list() == ["a/b", "a/c/1", "ab", "z"]
    assert store.list("a/b") == store.list("none") == []


def test_listing_sees_what_another_store_object_added(store):
    assert store.list("a") == []
    open_store(store.root).write("a/1", b"1")
    assert store.list("a") == ["a/1"] and store.read("a/1") == b"1"


def test_deleting_twice_is_no_error(store):
    store.write("a", b"1")
    store.delete("a")
    store.delete("a")
    assert not store.exists("a")


def test_create_keeps_the_first(store):
    assert store.create("runs/a/claim", b"first") is True
    assert store.create("runs/a/claim", b"second") is False
    assert store.read("runs/a/claim") == b"first"


def test_of_eight_threads_creating_one_key_one_wins_and_its_bytes_stay(own_store):
    store = own_store

    for turn in range(20):
        barrier = threading.Barrier(8)

        def attempt(number, turn=turn, barrier=barrier):
            barrier.wait()
            return number if store.create(f"key-{turn}", bytes([number]) * 1000) else None

        with ThreadPoolExecutor(8) as pool:
            winners = [number for number in pool.map(attempt, range(8)) if number is not None]
        assert len(winners) == 1
        assert store.read(f"key-{turn}") == bytes(winners) * 1000


def test_a_reader_sees_the_old_or_the_new_never_a_part(store):
    contents = {letter * 200_000 for letter in (b"a", b"b")}
    store.write("key", b"a" * 200_000)
    stop = threading.Event()

    def rewrite():
        while not stop.is_set():
            for data in contents:
                store.write("key", data)

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(rewrite)
        seen = {store.read("key") for _ in range(30)}
        stop.set()
        writer.result()
    assert seen <= contents


def test_a_put_file_comes_back_with_its_sha256(store, tmp_path):
    (tmp_path / "in").write_bytes(b"weights")
    file = store.put_file(tmp_path / "in", "stages/w")
    assert file == StoredFile(
        path="stages/w", sha256=hashlib.sha256(b"weights").hexdigest(), size=7
    )
    store.get_file(file, tmp_path / "new" / "out")
    assert (tmp_path / "new" / "out").read_bytes() == b"weights"


def test_changed_bytes_never_appear_locally(store, tmp_path):
    (tmp_path / "in").write_bytes(b"weights")
    file = store.put_file(tmp_path / "in", "w")
    store.write("w", b"Weights")
    with pytest.raises(StorageError, match=r"w: the bytes changed .* redo the verb"):
        store.get_file(file, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.glob("*out*")) == []


def test_a_short_put_is_noticed(store, tmp_path, monkeypatch):
    (tmp_path / "in").write_bytes(b"weights")
    monkeypatch.setattr(store._backend, "put", lambda local, path: store.write(path, b"wei") or "")
    with pytest.raises(StorageError, match="3 bytes arrived of 7"):
        store.put_file(tmp_path / "in", "w")


def test_a_folder_comes_back_and_present_files_are_not_copied_again(store, tmp_path, monkeypatch):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "a").write_bytes(b"1")
    (tmp_path / "in" / "sub" / "b").write_bytes(b"2")
    files = store.put_folder(tmp_path / "in", "stages/m")
    assert [file.path for file in files] == ["stages/m/a", "stages/m/sub/b"]
    store.get_folder(files, "stages/m", tmp_path / "out")
    assert (tmp_path / "out" / "sub" / "b").read_bytes() == b"2"

    (tmp_path / "out" / "a").write_bytes(b"x")
    copied = []
    monkeypatch.setattr(store, "get_file", lambda file, local: copied.append(file.path))
    store.get_folder(files, "stages/m", tmp_path / "out")
    assert copied == ["stages/m/a"]


def test_a_file_outside_the_asked_folder_is_refused(store, tmp_path):
    file = StoredFile(path="elsewhere/a", sha256="0", size=1)
    with pytest.raises(DataError, match="does not lie below stages/m"):
        store.get_folder([file], "stages/m", tmp_path)


@pytest.mark.parametrize("path", ["", "/a", "../a", "a/../b", "a//b", "./a", "a/", "."])
def test_paths_that_could_leave_the_root_are_refused(store, path):
    for use in (store.read, store.size, store.delete, lambda path: store.write(path, b"")):
        with pytest.raises(DataError, match="is no path in a store"):
            use(path)


def test_a_healthy_store_passes_its_probe_and_keeps_nothing_of_it(store):
    store.probe()
    assert store.list() == []


def test_a_store_whose_create_overwrites_fails_its_probe(store, monkeypatch):
    def overwrite(path, data):
        store.write(path, data)
        return True

    monkeypatch.setattr(store._backend, "create", overwrite)
    with pytest.raises(StorageError, match=r"create-only is not kept.*If-None-Match"):
        store.probe()


def test_a_store_travels_to_another_process_as_its_root_only(store):
    store.write("a", b"1")
    data = pickle.dumps(store)
    assert store.root.encode() in data
    assert pickle.loads(data).read("a") == b"1"


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("/data/tso/", "file:///data/tso"),
        ("file:///data/tso", "file:///data/tso"),
        ("memory://x/", "memory://x"),
        ("s3://bucket/tso/", "s3://bucket/tso"),
    ],
)
def test_a_root_has_one_written_form(given, root):
    assert open_store(given).root == root
    assert open_store(given).uri("a/b") == f"{root}/a/b"


def test_a_relative_root_is_made_absolute():
    assert open_store("some/store").root == f"file://{os.getcwd()}/some/store"


@pytest.mark.parametrize("root", ["", "s3://", "file://relative", "gs://bucket", "memory://"])
def test_other_roots_are_refused_with_the_forms_there_are(root):
    with pytest.raises(ConfigError, match="s3://bucket/prefix"):
        open_store(root)


def test_a_root_with_a_secret_is_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="AWS_") as caught:
        open_store("s3://key:hunter2@bucket/x")
    assert "hunter2" not in str(caught.value)


def test_s3_has_one_retry_layer_no_listing_cache_and_no_secret_in_what_is_shown(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    store = open_store("s3://bucket/tso")
    files = files_of(store.settings)
    assert files.dircache.use_listings_cache is False
    assert files.config_kwargs["retries"] == {"total_max_attempts": 1} and files.retries == 4
    shown = repr(store) + store.reached + repr(store.settings) + repr(files.storage_options)
    assert "hunter2" not in shown


def test_parts_have_16_mb_and_grow_where_10000_of_them_would_not_do():
    assert part_bytes(1) == part_bytes(MOST_PARTS * PART_BYTES) == PART_BYTES == 16 * 2**20
    assert part_bytes(200 * 2**30) * MOST_PARTS >= 200 * 2**30 > MOST_PARTS * PART_BYTES


def test_stores_that_are_reached_alike_share_a_connection_until_a_key_or_process_changes(
    monkeypatch,
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "one")
    first = files_of(open_store("s3://bucket/tso").settings)
    assert files_of(open_store("s3://other/tso").settings) is first
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    second = files_of(open_store("s3://bucket/tso").settings)
    assert second is not first
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert files_of(open_store("s3://bucket/tso").settings) is not second
