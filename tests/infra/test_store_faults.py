import errno
import os
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from infra.s3_session import TRIES
from infra.storage import open_store
from infra.storage_failures import failure
from tasks.errors import StorageError


def test_a_file_in_place_of_a_folder_is_named(own_store):
    store = own_store
    store.write("runs", b"a file")
    with pytest.raises(StorageError, match=r"runs/a: could not write: .* A file lies where"):
        store.write("runs/a", b"1")
    with pytest.raises(StorageError, match="could not create"):
        store.create("runs/a", b"1")


def test_a_read_only_place_is_named_with_what_to_do():
    store = open_store("/sys/tso")
    with pytest.raises(StorageError, match=r"file:///sys/tso/.*could not write.*TSO_STORE"):
        store.probe()


@pytest.fixture
def small_disk(tmp_path, work_dir):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_and_leaves_the_old_object(small_disk, tmp_path):
    store = open_store(str(small_disk))
    store.write("a", b"old")
    (tmp_path / "large").write_bytes(b"x" * 2**21)
    for attempt in (
        lambda: store.write("a", b"x" * 2**21),
        lambda: store.create("b", b"x" * 2**21),
        lambda: store.put_file(tmp_path / "large", "a"),
    ):
        with pytest.raises(StorageError, match=r"No space left.*The disk is full: free space"):
            attempt()
    assert store.read("a") == b"old" and store.list() == ["a"]
    assert list((small_disk / ".tmp").iterdir()) == []


def test_a_limit_on_file_size_is_named_like_a_full_disk(tmp_path):
    program = f"""
        import resource
        from infra.storage import open_store
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        open_store({str(tmp_path)!r}).write("a", b"x" * 2000)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True
    )
    assert "StorageError" in result.stderr and "The disk is full" in result.stderr


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (OSError(errno.ENOSPC, "full"), "free space"),
        (OSError(errno.EROFS, "read-only"), "read-only"),
        (PermissionError("Access Denied"), "right to read and write"),
        (FileNotFoundError("The specified bucket does not exist"), "create it"),
        (TimeoutError("slow"), "check network"),
        (RuntimeError("odd"), "Check the store"),
    ],
)
def test_each_refusal_comes_with_its_next_step(error, step):
    assert step in str(failure("write", "s3://bucket/a", error))


def test_secrets_in_addresses_are_masked():
    told = str(failure("read", "s3://b/a", OSError("http://me:hunter2@host:9000/b refused")))
    assert "hunter2" not in told and "host:9000" in told


def s3_at(port, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return open_store("s3://bucket/tso")


def test_an_unreachable_store_is_a_storage_error_never_an_absent_object(monkeypatch):
    with pytest.raises(StorageError, match="It cannot be reached") as caught:
        s3_at(9, monkeypatch).exists("a")
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def stuttering_server():
    """Answers each GET with the next status of `statuses`, the last one for ever."""

    class Answer(BaseHTTPRequestHandler):
        statuses: ClassVar[list[int]] = []
        asked: ClassVar[list[int]] = []

        def do_GET(self):
            status = self.statuses[min(len(self.asked), len(self.statuses) - 1)]
            self.asked.append(status)
            self.send_response(status)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *given):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, Answer
        server.shutdown()


@pytest.mark.parametrize(("statuses", "asked"), [([503, 500, 200], 3), ([503], TRIES), ([403], 1)])
def test_a_server_fault_is_retried_by_one_layer_a_refusal_is_not(
    stuttering_server, monkeypatch, statuses, asked
):
    server, answer = stuttering_server
    answer.statuses[:] = statuses
    store = s3_at(server.server_port, monkeypatch)
    if statuses[-1] == 200:
        assert store.read("a") == b"hello"
    else:
        with pytest.raises(StorageError, match="could not read"):
            store.read("a")
    assert len(answer.asked) == asked


def test_a_killed_writer_leaves_no_object(disk):
    program = f"""
        import os, signal
        from infra import storage_local
        from infra.storage import open_store
        storage_local._sync = lambda path: os.kill(os.getpid(), signal.SIGKILL)
        open_store({disk.root!r}).write("a", b"x" * 1000)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)])
    assert killed.returncode == -9
    assert disk.list() == [] and not disk.exists("a")
    assert len(os.listdir(disk.root.removeprefix("file://") + "/.tmp")) == 1
