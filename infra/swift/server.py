"""A real S3 server on this machine: OpenStack Swift with its S3 interface, on loopback alone.

For tests, and for the stack of one machine. Four processes from an environment of their own
(`python3 -m infra.environment storage`); what they keep is on disk and is there after a restart.
"""

import os
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from infra.environment import STORAGE_VARIABLE, storage_python
from infra.processes import Supervised
from infra.swift.configuration import (
    BACKENDS,
    REGION,
    Credentials,
    credentials_of,
    write_configuration,
)
from infra.vllm.http import read
from infra.vllm.machine import free_port
from tasks import child
from tasks.errors import ChildError, ConfigError

START_SECONDS = 120.0
"""Longest wait until all four processes answer; a second is usual."""
GRACE_SECONDS = 2.0
POLL_SECONDS = 0.05
ATTEMPTS = 3
"""Another program may take a free port before the server does."""
TAKEN = "address already in use"
PROCESSES = (*BACKENDS, "proxy")
RINGS = Path(__file__).with_name("rings.py")
"""A program for Swift's interpreter: ours has no Swift to import."""


class SwiftServer:
    """An S3 server whose data, credentials and logs lie in `folder`; a context manager.

    The same folder is the same server again: same port, credentials and objects. The folder needs
    a file system with extended attributes (ext4, xfs, tmpfs). Port 0 takes a free one.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder.absolute()
        self._port = port
        self._running: dict[str, Supervised] = {}
        self._stack = ExitStack()

    def __repr__(self) -> str:
        return f"SwiftServer({str(self.folder)!r}, {self._port})"

    def __enter__(self) -> "SwiftServer":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """The URL that S3 clients are given; buckets are part of the path."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def credentials(self) -> Credentials:
        """May do everything."""
        return credentials_of(self.folder)[0]

    @property
    def reader(self) -> Credentials:
        """May read every bucket and change none."""
        return credentials_of(self.folder)[1]

    def environment(self, credentials: Credentials | None = None) -> dict[str, str]:
        """The AWS_* variables with which clients find the server; a secret is among them."""
        who = credentials or self.credentials
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": who.key,
            "AWS_SECRET_ACCESS_KEY": who.secret,
            "AWS_DEFAULT_REGION": REGION,
        }

    def start(self) -> "SwiftServer":
        """Start it and wait until it answers; ChildError with the last lines of a log if not."""
        given = self._port
        for attempt in range(ATTEMPTS):
            try:
                self._start()
                break
            except ChildError as error:
                if attempt + 1 == ATTEMPTS or TAKEN not in str(error).lower():
                    raise
                self._port = given
        return self

    def stop(self) -> None:
        """End all processes; twice is once."""
        self._stack.close()
        self._running.clear()

    def kill(self) -> None:
        """SIGKILL to all processes at once, as a machine that fails; `start` brings it back."""
        for one in self._running.values():
            with suppress(OSError, ValueError):
                group = int((one.workdir / child.PID).read_text(encoding="utf-8"))
                os.killpg(group, signal.SIGKILL)
        self.stop()

    def healthy(self, seconds: float = 5.0) -> bool:
        """Whether all processes answer."""
        return bool(self._running) and all(
            process.exit_code() is None
            and read(f"http://127.0.0.1:{self._ports[name]}/healthcheck", seconds) == "OK"
            for name, process in self._running.items()
        )

    def renew_credentials(self) -> None:
        """From the next start on other secrets are valid and the present ones are refused."""
        (self.folder / "credentials.json").unlink(missing_ok=True)

    def make_bucket(self, name: str) -> None:
        """Create a bucket; it is no error if it is there."""
        import botocore.session
        from botocore.config import Config

        client = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.credentials.key,
            aws_secret_access_key=self.credentials.secret,
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=name)
        client.close()

    def _start(self) -> None:
        python = _interpreter()
        (self.folder / "srv" / "d1").mkdir(parents=True, exist_ok=True)
        if not has_attributes(self.folder):
            raise ConfigError(
                f"{self.folder} lies on a file system without extended attributes, which Swift "
                "needs; choose a folder on ext4, xfs or tmpfs"
            )
        self._port = self._port or free_port()
        self._ports = {"proxy": self._port} | {kind: free_port() for kind in BACKENDS}
        write_configuration(self.folder, self._ports)
        ports = [str(self._ports[kind]) for kind in BACKENDS]
        self._run(python, RINGS, str(self.folder / "etc"), *ports)
        try:
            for name in PROCESSES:
                self._launch(python, name)
            self._wait()
            self._tell_containers(python)
        except BaseException:
            self.stop()
            raise

    def _launch(self, python: Path, name: str) -> None:
        command = [str(python), str(python.with_name(f"swift-{name}-server"))]
        process = Supervised(
            [*command, str(self.folder / "etc" / f"{name}.conf"), "-v"],
            self.folder / "processes" / name,
            environment=_environment(),
            inherit=False,
            grace_seconds=GRACE_SECONDS,
        )
        self._running[name] = self._stack.enter_context(process)

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self.healthy():
            for name, process in self._running.items():
                if (code := process.exit_code()) is not None:
                    raise self._failed(f"its {name} server ended with {code}", process)
            if time.monotonic() > end:
                proxy = self._running["proxy"]
                raise self._failed(f"it did not answer in {START_SECONDS:g} s", proxy)
            time.sleep(POLL_SECONDS)

    def _tell_containers(self, python: Path) -> None:
        """Put into listings what a killed server had stored but not listed yet."""
        if next((self.folder / "srv").glob("d1/async_pending*/*/*"), None):
            updater = str(python.with_name("swift-object-updater"))
            self._run(python, updater, str(self.folder / "etc" / "object.conf"), "once", "-v")

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(
            [*map(str, command)], env=_environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ChildError(
                f"the S3 server in {self.folder} cannot be prepared: {Path(command[1]).name} ended "
                f"with {done.returncode}: {done.stderr.strip()[-2000:]}",
                done.returncode,
            )

    def _failed(self, how: str, process: Supervised) -> ChildError:
        return ChildError(
            f"the S3 server in {self.folder} does not start: {how}; look into "
            f"{process.workdir / child.LOG}, last lines:\n{process.log_tail()}",
            process.exit_code() or child.BUG,
        )


def _interpreter() -> Path:
    """The Python of Swift's environment; ConfigError names the command that makes it."""
    python = storage_python()
    if os.access(python, os.X_OK) and python.with_name("swift-proxy-server").exists():
        return python
    raise ConfigError(
        f"the S3 server has no Swift at {python}; make its environment with "
        f"`python3 -m infra.environment storage`, or name its interpreter: {STORAGE_VARIABLE}"
    )


def _environment() -> dict[str, str]:
    """The whole environment of Swift's processes: no credentials, no Python path of ours."""
    return {"PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1"}


def has_attributes(folder: Path) -> bool:
    """Whether a server can keep its data in `folder`."""
    try:
        os.setxattr(folder, "user.tso", b"1")
    except OSError:
        return False
    return True
