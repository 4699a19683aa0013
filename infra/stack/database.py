"""PostgreSQL of the stack's own: its programs, its data folder, its user, its password."""

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.stack.settings import StackSettings, password, write_private
from tasks.errors import ChildError, ConfigError

ROLE = DATABASE = "prefect"
DROPPED_TO = ("postgres", "nobody")
"""Users that root starts the server as: PostgreSQL refuses root."""
ELSEWHERE = Path("/var/lib/tso-stack")
"""Data folders that root's stack cannot have below its own, as in /root."""
DEBIAN = Path("/usr/lib/postgresql")
SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=128MB",
)


def program(name: str) -> str:
    """The path of a program of PostgreSQL; ConfigError says how to install it."""
    versions = sorted(DEBIAN.glob("*/bin"), key=lambda one: int(one.parent.name), reverse=True)
    path = os.pathsep.join([*map(str, versions), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise ConfigError(
            f"no `{name}`: install PostgreSQL 14 or newer (Debian, Ubuntu: apt-get install "
            "postgresql), or put its programs on PATH"
        )
    return found


def server_user() -> str | None:
    """Who the server runs as; None for the user who calls."""
    if os.geteuid() != 0:
        return None
    for name in DROPPED_TO:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ConfigError(f"PostgreSQL does not run as root, and there is no user {DROPPED_TO}")


def data_folder(settings: StackSettings) -> Path:
    """Where the data lie: in the stack's folder if the server's user can get there."""
    folder, user = settings.folder / "database", server_user()
    if user is None or _reaches(user, settings.folder):
        return folder
    return ELSEWHERE / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def _reaches(user: str, folder: Path) -> bool:
    # From / and by a program of the system: this user may not see where we are.
    asked = subprocess.run(["test", "-x", str(folder)], cwd="/", check=False, **_as(user))
    return asked.returncode == 0


def _as(user: str | None) -> dict[str, Any]:
    """Arguments of a subprocess that runs as `user`."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def make_cluster(settings: StackSettings) -> None:
    """Make the data folder, with a role that has a random password, unless it is there."""
    data, user = data_folder(settings), server_user()
    secret = password(settings.folder / "database.password")
    passwords = f"127.0.0.1:{settings.port_of('database')}:*:{ROLE}:{secret}\n"
    write_private(pass_file(settings), passwords)
    if (data / "PG_VERSION").exists():
        return
    shutil.rmtree(data, ignore_errors=True)  # half-made
    data.mkdir(parents=True, mode=0o700)
    if user:
        data.parent.chmod(0o711)
        shutil.chown(data, user)
    shown = data.with_name(f"{data.name}.initdb")  # initdb takes it from a file alone
    write_private(shown, f"{secret}\n")
    if user:
        shutil.chown(shown, user)
    options = [f"--username={ROLE}", f"--pwfile={shown}", "--auth=scram-sha-256"]
    try:
        _run("initdb", ["-D", str(data), "-E", "UTF8", "--locale=C.UTF-8", *options], user)
    finally:
        shown.unlink()


def _run(name: str, options: Sequence[str], user: str | None) -> None:
    done = subprocess.run(
        [program(name), *options],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **_as(user),
    )
    if done.returncode:
        message = f"{name} failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
        raise ChildError(message, done.returncode)


def server_command(settings: StackSettings) -> list[str]:
    """The server, in the foreground."""
    port = str(settings.port_of("database"))
    options = [part for setting in SETTINGS for part in ("-c", setting)]
    return [program("postgres"), "-D", str(data_folder(settings)), "-p", port, *options]


def pass_file(settings: StackSettings) -> Path:
    """The file from which clients read the password, as PGPASSFILE names it."""
    return settings.folder / "pgpass"


def url(settings: StackSettings) -> str:
    """How Prefect's server reaches it; the password stands in the pass file alone."""
    return f"postgresql+asyncpg://{ROLE}@127.0.0.1:{settings.port_of('database')}/{DATABASE}"


def answers(settings: StackSettings) -> bool:
    """Whether the server takes connections."""
    asked = [program("pg_isready"), "-q", *_where(settings)]
    return subprocess.run(asked, check=False).returncode == 0


def make_database(settings: StackSettings) -> None:
    """Make Prefect's database unless it is there."""
    environment = {**os.environ, "PGPASSFILE": str(pass_file(settings))}
    found = _psql(settings, f"select 1 from pg_database where datname = '{DATABASE}'", environment)
    if not found:
        _psql(settings, f"create database {DATABASE}", environment)


def _psql(settings: StackSettings, statement: str, environment: dict[str, str]) -> str:
    options = [*_where(settings), "-U", ROLE, "-d", "postgres", "-w", "-X", "-A", "-t"]
    done = subprocess.run(
        [program("psql"), *options, "-c", statement],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChildError(f"psql: {done.stderr.strip()} (for: {statement})", done.returncode)
    return done.stdout.strip()


def _where(settings: StackSettings) -> list[str]:
    return ["-h", "127.0.0.1", "-p", str(settings.port_of("database"))]
