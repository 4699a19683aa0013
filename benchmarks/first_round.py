"""`python -m benchmarks.first_round FOLDER`: from a fresh clone to a finished round, by the docs.

Clones this repository's HEAD into FOLDER, runs the commands of docs/production.md there as they
stand, submits the form in a browser with what it offers, waits for the round, opens its report by
its link, and stops the stack. Every step is timed and every command counted. Needs what the page
asks for (PostgreSQL), a Chromium, the dependency group `docs`, and the ports from 4200 on.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measurement import write_result
from docs.production import Lab
from docs.screenshots import browser_of, from_the_form, is_over, see
from docs.weekly import BLOCK, ROOT, wait_for

PAGE = ROOT / "docs" / "production.md"
BLOCKS = ("install", "up")
"""`packages` needs a Debian without PostgreSQL; it is counted, not timed."""
CLONING = 2
"""git clone, and cd."""
ROUND_SECONDS = 3600.0
INSTALLER = re.compile("^(PIP|http|https|no|HTTP|HTTPS|NO)_")
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "USER")


def main(arguments: Sequence[str]) -> None:
    """Do it, and write benchmarks/results/first_round.json."""
    clone = Path(arguments[0]).absolute()
    steps: dict[str, float] = {}
    timed(steps, "clone", clone.parent, f"git clone -q {ROOT} {clone}")
    lab = Lab(clone / "work" / "stack", clone / "flows" / "presets")
    try:
        for name in BLOCKS:
            timed(steps, name, clone, blocks()[name])
        steps |= round_by_form(lab, clone)
    finally:
        timed(steps, "down", clone, ". .venv/bin/activate\ntso stack down")
    commands = sum(len(blocks()[name].splitlines()) for name in ("packages", *BLOCKS))
    whole = sum(seconds for name, seconds in steps.items() if name != "down")
    metrics = {"commands": CLONING + commands, "seconds": {**steps, "whole": round(whole, 1)}}
    sys.stdout.write(f"{write_result('first_round', metrics)}\n{metrics}\n")


def blocks() -> dict[str, str]:
    """The page's blocks of commands by their names."""
    return dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))


def timed(steps: dict[str, float], name: str, folder: Path, commands: str) -> None:
    """Run commands of the page as a new shell would, and note how long they took."""
    began = time.monotonic()
    environment = {
        key: value for key, value in os.environ.items() if key in KEPT or INSTALLER.match(key)
    }
    subprocess.run(["sh", "-ec", commands], cwd=folder, env=environment, check=True)
    steps[name] = round(time.monotonic() - began, 1)


def round_by_form(lab: Lab, clone: Path) -> dict[str, float]:
    """Press Submit and wait; seconds until the form was sent, the round done, its report open."""
    began = time.monotonic()
    images = clone / "work" / "pictures"
    images.mkdir()
    with browser_of(lab, images, "dark") as camera:
        flow_run_id = from_the_form(camera)
        sent = time.monotonic()
        wait_for("the round", lambda: is_over(lab, flow_run_id), ROUND_SECONDS)
        done = time.monotonic()
        link = f"{lab.settings.url_of('reports')}/runs/weekly/rounds/00000/report.html"
        with camera.page(link, height=800) as page:
            see(page, "weekly")
    seconds = {"form": sent - began, "round": done - sent, "report": time.monotonic() - done}
    return {name: round(value, 1) for name, value in seconds.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
