import uuid

import pytest

from infra.storage import open_store


@pytest.fixture
def work_dir(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    monkeypatch.setenv("TSO_WORK", str(folder))
    return folder


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
