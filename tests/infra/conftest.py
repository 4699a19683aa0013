import uuid
from pathlib import Path

import pytest

from infra.storage import open_store
from infra.swift import SwiftServer
from infra.swift.server import has_attributes
from tasks.errors import ConfigError

SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def work_dir(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    monkeypatch.setenv("TSO_WORK", str(folder))
    return folder


@pytest.fixture(scope="session")
def swift(tmp_path_factory):
    """A real S3 server for the whole suite, with one bucket; without its environment tests fail."""
    folder = tmp_path_factory.mktemp("swift")
    if not has_attributes(folder):
        folder = SHARED_MEMORY / f"tso-swift-{uuid.uuid4().hex}"
        folder.mkdir()
    try:
        server = SwiftServer(folder).start()
    except ConfigError as error:
        pytest.fail(str(error))
    try:
        server.make_bucket("tso")
        yield server
    finally:
        server.stop()


@pytest.fixture
def s3(swift, monkeypatch, work_dir):
    """Root of an empty store on the S3 server, found by the AWS_* variables."""
    for name, value in swift.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://tso/{uuid.uuid4().hex}"


@pytest.fixture(params=["file", "memory", "s3"])
def store(request, tmp_path, work_dir):
    """One empty store of each kind."""
    roots = {
        "file": lambda: f"file://{tmp_path}/store",
        "memory": lambda: f"memory://{uuid.uuid4().hex}",
        "s3": lambda: request.getfixturevalue("s3"),
    }
    return open_store(roots[request.param]())


@pytest.fixture(params=["file", "memory"])
def own_store(request, tmp_path, work_dir):
    """One empty store of each kind that needs no server."""
    roots = {"file": f"file://{tmp_path}/store", "memory": f"memory://{uuid.uuid4().hex}"}
    return open_store(roots[request.param])


@pytest.fixture
def disk(tmp_path, work_dir):
    """A store in a local folder, for what only processes or the disk itself can show."""
    return open_store(str(tmp_path / "disk"))
