"""What a stack is: its folder, its ports, its store; and the private files in that folder."""

import json
import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError

DEFAULT_FOLDER = "work/stack"
FOLDER_VARIABLE = "TSO_STACK"
"""Names the folder where no command does."""
FIRST_PORT = 4200
"""Prefect's own; the other parts have those after it."""
LONGEST_PATH = 90
"""Of the folder, in bytes: a socket's path holds 107."""
PORT_OFFSETS = {
    "prefect": 0,
    "database": 1,
    "reports": 2,
    "s3": 3,
    "annotation": 4,
}
OBJECT_STORE = "s3"
"""The store is an S3 server of the stack's own."""
FOLDER_STORE = "folder"
"""The store is a folder of the stack's own."""


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """What is decided when a stack is first brought up, and kept in its folder."""

    folder: Path
    """Everything of the stack lies in it."""
    project: Path
    """Where prefect.yaml is; relative paths of presets begin there."""
    port: int = FIRST_PORT
    """Of the UI; the four after it are the other parts'."""
    store: str = OBJECT_STORE
    """`s3`: a server of its own; `folder`: a folder of its own; or the URI of another store."""
    gpus: int = 1
    """Flow runs at a time on each GPU pool, and of the limit `gpu`."""
    inherited: Mapping[str, str] = field(default_factory=dict)
    """Variables of whoever brought the stack up when it was down; parts get them."""

    def port_of(self, name: str) -> int:
        """The port that a part listens on."""
        return self.port + PORT_OFFSETS[name]

    def url_of(self, name: str) -> str:
        """Where a part answers to HTTP."""
        return f"http://127.0.0.1:{self.port_of(name)}"

    @property
    def api(self) -> str:
        """URL of Prefect's API."""
        return f"{self.url_of('prefect')}/api"

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.folder / "logs"


def stack_folder(given: str | None) -> Path:
    """The folder that was named: by option, by variable, or `work/stack`."""
    folder = Path(given or os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER).absolute()
    if len(os.fsencode(folder)) > LONGEST_PATH:
        raise ConfigError(
            f"the stack's folder {folder} is longer than {LONGEST_PATH} bytes, which its sockets "
            "cannot have; name a shorter one with --folder"
        )
    return folder


def load_settings(folder: Path) -> StackSettings:
    """The settings of the stack in `folder`; ConfigError if there is none."""
    try:
        kept: dict[str, Any] = json.loads((folder / "stack.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"no stack in {folder}; `tso stack up` makes one, --folder names another folder"
        ) from None
    return StackSettings(**kept | {"folder": folder, "project": Path(kept["project"])})


def chosen_settings(folder: Path, project: Path, changes: Mapping[str, Any]) -> StackSettings:
    """The kept settings, or the defaults, with `changes` (None: as it was)."""
    if not (project / "prefect.yaml").is_file():
        raise ConfigError(f"no prefect.yaml in {project}; call it from the project's folder")
    try:
        settings = load_settings(folder)
    except ConfigError:
        settings = StackSettings(folder=folder, project=project)
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(settings, project=project, **given)


def save_settings(settings: StackSettings) -> None:
    """Write the settings down, in a folder that is made if need be."""
    folder, project = settings.folder, settings.project
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # the database's user passes through; what is private is closed itself
    settings.logs.mkdir(mode=0o700, exist_ok=True)
    kept = {**asdict(settings), "folder": str(folder), "project": str(project)}
    write_private(folder / "stack.json", json.dumps(kept, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody but its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def password(path: Path) -> str:
    """The random password in `path`, made once."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24) + "\n")
    return path.read_text(encoding="utf-8").strip()


def environment_text(variables: Mapping[str, str]) -> str:
    """`variables` as lines that a shell can read as well."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
