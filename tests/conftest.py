"""What the whole suite shares: local folders of its own, one Prefect server, one S3 server."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from infra.swift import SwiftServer
    from tests.whole_runs import Story

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one server stay together where several workers share the suite."""
    from tests.sharing_out import ByFileOrServer

    return ByFileOrServer(config, log)


@pytest.fixture(autouse=True)
def own_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a work folder of its own; no store or preset comes from outside."""
    monkeypatch.setenv("TSO_WORK", str(tmp_path / "work"))
    monkeypatch.delenv("TSO_STORE", raising=False)
    for name in os.environ:
        if name.startswith("AWS_") or name in ("TSO_PRESETS", "TSO_CACHE_GIB"):
            monkeypatch.delenv(name)
    return tmp_path / "work"


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SwiftServer"]:
    """A real S3 server for the whole suite, with a bucket `tso`; tests fail where it cannot be."""
    from infra.swift import SwiftServer
    from infra.swift.server import has_attributes
    from tasks.errors import ConfigError

    folder = tmp_path_factory.mktemp("swift")
    if not has_attributes(folder):
        folder = Path(tempfile.mkdtemp(prefix="tso-swift-", dir="/dev/shm"))
    try:
        with SwiftServer(folder) as server:
            server.make_bucket("tso")
            yield server
    except ConfigError as error:
        pytest.fail(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def s3(swift: "SwiftServer", monkeypatch: pytest.MonkeyPatch) -> str:
    """Root of an empty store on the S3 server, which the AWS_* variables name."""
    for name, value in swift.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://tso/{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def warm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One process for the suite that forks children of whole rounds (tests/warm/)."""
    from tests.warm import serving

    with serving(tmp_path_factory.mktemp("warm")):
        yield


@pytest.fixture(scope="module")
def warm_children(warm_server: None) -> Iterator[None]:
    """Children that a module's tests start in their own process are forked, as those of rounds."""
    from tests.warm import warm_start

    with warm_start():
        yield


@pytest.fixture(scope="session")
def prefect_server(warm_server: None) -> Iterator[None]:
    """One Prefect server for the suite; flows without the heartbeat, which costs a second each."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture(scope="session")
def story(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> "Story":
    """A finished run of two rounds, made once; tests look at what it left or add runs beside it."""
    from tests.whole_runs import told_story

    return told_story(tmp_path_factory.mktemp("small"))
