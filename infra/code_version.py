"""Which code this process runs: the installed version, and the commit of a checkout."""

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "tso-rounds"
ROOT = Path(__file__).resolve().parents[1]
SECONDS = 5
"""Longest wait for git."""


@cache
def code_version() -> str:
    """`0.1.0 (92fde1c)`; `-dirty` where files differ from the commit; no commit outside of git."""
    try:
        installed = version(DISTRIBUTION)
    except PackageNotFoundError:
        installed = "not installed"
    commit = _commit()
    return f"{installed} ({commit})" if commit else installed


def _commit() -> str:
    """As `git describe` says it; empty where there is no git or no checkout."""
    if not (ROOT / ".git").exists():
        return ""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        said = subprocess.run(
            command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.strip()
