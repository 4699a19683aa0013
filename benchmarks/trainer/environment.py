"""`python -m benchmarks.trainer.environment`: TRL's own environment, in the work folder."""

import json
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

from infra.work import work_root

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("trl==1.16.*", "torch>=2.11,<2.14", "transformers>=5.16,<5.20", "datasets>=4,<6")
SAME = ("torch", "transformers", "tokenizers")
"""Must have the same versions on both sides: the benchmark compares trainers, not libraries."""
SHOWN = ("trl", *SAME, "accelerate", "datasets")


def trl_python() -> Path:
    """The Python of the environment with TRL, made if there is none.

    Raises RuntimeError if its libraries are of other versions than ours.
    """
    folder = work_root() / "trl-env"
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        print(f"environment of TRL: making {folder} (once; some minutes)", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), *PACKAGES], check=True)
        (folder / "installed").touch()
    theirs = versions(python)
    ours = {name: version(name) for name in SAME}
    if {name: theirs[name] for name in SAME} != ours:
        raise RuntimeError(f"{folder} has {theirs}, here are {ours}; remove it to make it again")
    return python


def versions(python: Path) -> dict[str, str]:
    """What `python` has installed of SHOWN."""
    program = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    done = subprocess.run(
        [str(python), "-c", program, *SHOWN], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    found = trl_python()
    sys.stdout.write(f"{found}: {versions(found)}\n")
