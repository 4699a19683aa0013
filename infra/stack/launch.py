"""Becomes one part of the stack: `python launch.py PARTS NAME DIGEST`.

PARTS is a file with what each part is (infra/stack/parts.py). The supervisor's configuration names
nothing but this command, so no variable and no secret stands in it; DIGEST tells it that a part has
changed. Output goes straight into the part's log: a pipe would break when the supervisor is killed,
and with it the part. It is started for every part, so it imports only the standard library.
"""

import json
import os
import pwd
import shlex
import sys
from pathlib import Path
from typing import Any

LARGEST_LOG = 20_000_000
"""Bytes; a longer log is put aside when its part starts."""


def main(arguments: list[str]) -> None:
    """Take on what the part needs and become its command."""
    parts, name = arguments[:2]
    part: dict[str, Any] = json.loads(Path(parts).read_text(encoding="utf-8"))[name]
    write_to(Path(part["log"]))
    environment = dict(part["environment"])
    for file in part["environment_files"]:
        environment |= variables(Path(file).read_text(encoding="utf-8"))
    if part["user"]:
        become(part["user"])
    os.chdir(part["folder"])
    os.execvpe(part["command"][0], part["command"], environment)


def write_to(log: Path) -> None:
    """Append standard output and errors to `log`; a long one is moved aside first."""
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(f"{log}.1")
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)


def variables(text: str) -> dict[str, str]:
    """NAME=VALUE lines as a shell reads them; `export`, comments and empty lines are allowed."""
    words = [word for word in shlex.split(text, comments=True) if word != "export"]
    return dict(word.split("=", 1) for word in words if "=" in word)


def become(user: str) -> None:
    """Give up the rights of root for those of `user`."""
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main(sys.argv[1:])
