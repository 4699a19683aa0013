"""The parts of a stack: what each is started with, in which order, and when it is ready."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.stack import answers, database
from infra.stack.settings import FOLDER_STORE, OBJECT_STORE, StackSettings

POOLS = ("cpu", "gpu-sampling", "gpu-training")
"""Work pools; a worker each. Orchestrators run on the first."""
MARK = "TSO_STACK_MARK"
"""Variable that every process of a stack inherits: the stack's folder."""
PART_MARK = "TSO_STACK_PART"
"""Variable that it inherits beside that: the part it is, or was started by."""
HEARTBEAT_SECONDS = 30
"""Of flow runs, the shortest that Prefect allows: how soon a lost one is noticed."""
SILENCE_SECONDS = 10 * HEARTBEAT_SECONDS
"""After so long without a heartbeat it is taken for dead. A starved machine skips some,
and whoever is taken for dead while alive costs its run one of the retries."""
BUCKET = "tso"
PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HF_HOME", "HF_HUB_OFFLINE", "PYTHONPATH"),
    *("TSO_PRESETS", "TSO_SAMPLING_PYTHON", "TSO_STORAGE_PYTHON", "TSO_TEST_CACHE"),
)
"""Variables that parts get from whoever brings the stack up; what is secret is not among them."""
PASSED_ON_PREFIXES = (
    *("LC_", "CUDA_", "NVIDIA_", "OMP_", "PREFECT_SERVER_", "PREFECT_WORKER_"),
    *("PREFECT_LOGGING_", "PREFECT_EVENTS_"),
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One supervised process and what it may start itself."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    """All of its variables but those of its files."""
    environment_files: tuple[str, ...] = ()
    """Private files of more variables, read when it starts."""
    log: str
    folder: str
    user: str | None = None
    """Whom it runs as, where that is not the caller."""
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    """Time it gets between the signal and SIGKILL."""
    is_ready: Callable[[float], bool]
    """Asked again and again with the time of its start (Unix time, s); may raise OSError."""
    ready_seconds: float = 120.0
    """Longest wait for that."""
    port: int | None = None
    """That it listens on."""
    is_needed: bool = False
    """Whether what comes after it can only begin when it is ready."""

    def described(self) -> dict[str, Any]:
        """All that launch.py needs, as JSON."""
        known = {name: getattr(self, name) for name in ("command", "environment", "log")}
        more = {name: getattr(self, name) for name in ("environment_files", "folder", "user")}
        return {**known, **more, "environment": dict(self.environment)}

    def digest(self) -> str:
        """Changes with whatever the process would see: then it has to be started anew."""
        files = [Path(file).read_bytes().hex() for file in self.environment_files]
        text = json.dumps([self.described(), files, self.stop_signal, self.stop_seconds])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def worker_files(settings: StackSettings) -> tuple[str, str]:
    """The variables of workers: those that the stack makes, and the user's own, which win."""
    return str(settings.folder / "stack.env"), str(settings.folder / "worker.env")


def store_root(settings: StackSettings) -> str:
    """The URI of the store that runs and reports use."""
    known = {
        OBJECT_STORE: f"s3://{BUCKET}/store",
        FOLDER_STORE: f"file://{settings.folder}/store",
    }
    return known.get(settings.store, settings.store)


def inherited() -> dict[str, str]:
    """The variables of the caller that parts get."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }


def parts_of(settings: StackSettings) -> list[Part]:
    """All parts in the order in which they start; they stop in the opposite one."""
    own_store = [_object_store(settings)] if settings.store == OBJECT_STORE else []
    workers = [_worker(settings, pool) for pool in POOLS]
    pages = [_reports(settings), _annotation(settings)]
    return [_database(settings), *own_store, _prefect(settings), *pages, *workers]


def _part(settings: StackSettings, name: str, **more: Any) -> Part:
    """A part with its log, in the project's folder; `environment` is added to the common one."""
    own = {PART_MARK: name, **more.pop("environment", {})}
    environment = {**common_environment(settings), **own}
    log = str(settings.logs / f"{name}.log")
    return Part(
        name=name, environment=environment, log=log, **{"folder": str(settings.project), **more}
    )


def common_environment(settings: StackSettings) -> dict[str, str]:
    """What every part gets: what was inherited when the stack was brought up, and where it is."""
    path = [str(Path(sys.executable).parent), settings.inherited.get("PATH", os.defpath)]
    return {
        **settings.inherited,
        "PATH": os.pathsep.join(path),
        MARK: str(settings.folder),
        "PYTHONUNBUFFERED": "1",
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(settings.folder / "prefect"),
        "PREFECT_API_URL": settings.api,
        "PREFECT_UI_URL": settings.url_of("prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    }


def _database(settings: StackSettings) -> Part:
    return _part(
        settings,
        "database",
        command=tuple(database.server_command(settings)),
        folder="/",
        user=database.server_user(),
        stop_signal="INT",  # fast: it ends connections, not what is committed
        stop_seconds=60,
        is_ready=lambda _: database.answers(settings),
        port=settings.port_of("database"),
        is_needed=True,
    )


def _object_store(settings: StackSettings) -> Part:
    port = settings.port_of("s3")
    folder = str(settings.folder / "s3")
    return _part(
        settings,
        "s3",
        command=(sys.executable, "-m", "infra.stack.object_store", folder, str(port)),
        port=port,
        is_needed=True,
        stop_seconds=30,
        is_ready=lambda _: answers.text(f"{settings.url_of('s3')}/healthcheck") == "OK",
    )


def _prefect(settings: StackSettings) -> Part:
    options = ["--host", "127.0.0.1", "--port", str(settings.port_of("prefect"))]
    return _part(
        settings,
        "prefect",
        command=(sys.executable, "-m", "prefect", "server", "start", *options),
        environment={
            "PREFECT_API_DATABASE_CONNECTION_URL": database.url(settings),
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            "PGPASSFILE": str(database.pass_file(settings)),
        },
        stop_seconds=30,
        is_ready=lambda _: answers.text(f"{settings.api}/health") == "true",
        ready_seconds=300,
        port=settings.port_of("prefect"),
        is_needed=True,
    )


def _reports(settings: StackSettings) -> Part:
    port = settings.port_of("reports")
    return _part(
        settings,
        "reports",
        command=(sys.executable, "-m", "infra.stack.reports", str(port)),
        port=port,
        environment_files=worker_files(settings),
        is_ready=lambda _: answers.text(f"{settings.url_of('reports')}/health") == "ok",
    )


def _annotation(settings: StackSettings) -> Part:
    port = settings.port_of("annotation")
    return _part(
        settings,
        "annotation",
        command=(sys.executable, "-m", "infra.annotation.page", str(port)),
        port=port,
        environment={"TSO_WORK": str(settings.folder / "work")},
        environment_files=worker_files(settings),
        is_ready=lambda _: answers.text(f"{settings.url_of('annotation')}/-/health") == "ok",
    )


def _worker(settings: StackSettings, pool: str) -> Part:
    options = ["--pool", pool, "--type", "process", "--name", f"stack-{pool}"]
    return _part(
        settings,
        f"worker-{pool}",
        command=(sys.executable, "-m", "prefect", "worker", "start", *options),
        environment={
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
            "TSO_WORK": str(settings.folder / "work"),
            "TSO_REPORTS_URL": settings.url_of("reports"),
        },
        environment_files=worker_files(settings),
        stop_seconds=60,
        is_ready=lambda start: answers.has_worker(settings.api, pool, f"stack-{pool}", start),
        ready_seconds=180,
    )
