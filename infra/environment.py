"""`python3 -m infra.environment quickstart | test`: makes the environment it needs, then works.

Only the standard library is used here: this runs before anything is installed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "installed"
OLDEST = (3, 11)
COMMANDS = {
    "quickstart": [["-m", "flows.quickstart"]],
    "test": [
        ["-m", "ruff", "format", "--check", "."],
        ["-m", "ruff", "check", "."],
        ["-m", "mypy"],
        ["-m", "pytest"],
    ],
    "install": [],
}


def main(arguments: Sequence[str]) -> int:
    """Install if need be, run the commands of `arguments[0]`; the first failure's exit code."""
    name, *more = arguments or [""]
    if name not in COMMANDS:
        say(f"usage: python3 -m infra.environment {' | '.join(COMMANDS)}")
        return 2
    if sys.version_info < OLDEST:
        say(f"Python {sys.version.split()[0]} is too old; 3.11 or newer is needed")
        return 2
    install()
    steps = COMMANDS[name]
    for step in steps:
        last = more if step is steps[-1] else []
        say("$ " + " ".join(["python", *step, *last]))
        code = subprocess.run([str(PYTHON), *step, *last], cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


def install() -> None:
    """Make `.venv` with everything in it, unless pyproject and constraints are as installed."""
    wanted = _digest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        say(f"environment: {ENVIRONMENT} is up to date")
        return
    say(f"environment: making {ENVIRONMENT} (once; some minutes, about 3 GB with torch)")
    _make_venv()
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    subprocess.run([*pip, "--upgrade", "pip>=25.1"], cwd=ROOT, check=True)
    options = ["-c", "constraints.txt", "--group", "dev", "-e", "."]
    subprocess.run([*pip, *options], cwd=ROOT, check=True)
    STAMP.write_text(wanted)


def _make_venv() -> None:
    """Make the virtual environment; on Debian, fetch python3-venv where it is missing."""
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    try:
        venv.create(ENVIRONMENT, with_pip=True)
    except subprocess.CalledProcessError:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            say("python3 cannot make virtual environments: apt-get install python3-venv")
            raise SystemExit(2) from None
        say("environment: installing python3-venv with apt-get")
        subprocess.run(["apt-get", "update", "-q"], check=True)
        subprocess.run(["apt-get", "install", "-q", "-y", "python3-venv"], check=True)
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)


def _digest() -> str:
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    text = b"".join(file.read_bytes() for file in files) + str(ROOT).encode()
    return hashlib.sha256(text).hexdigest()


def say(text: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
