"""`python -m docs.report_screenshots [STORE RUN]`: the pictures of docs/reports.md.

The page of a run that never happened, which has something in every place; and, of a run in a store,
the best and worst movements of its newest round. Needs the dependency group `docs` and a Chromium
(CHROMIUM names another than /usr/bin/chromium).
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from docs.pictures import picture, save_picture
from docs.weekly import ROOT
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.refresh import report_page
from tasks.report import run_html
from tasks.rounds import committed_round
from tests.report.example_run import example_run

IMAGES = ROOT / "docs" / "images"
WIDE, HIGH = 1200, 1000
"""Of a window."""
Scheme = Literal["dark", "light"]
SHOTS: tuple[tuple[str, int, int, Scheme], ...] = (
    ("run-report", WIDE, 2240, "light"),
    ("run-report-phone", 420, 900, "light"),
    ("run-report-dark", WIDE, 900, "dark"),
)
"""Name, size of the window, and colours."""


def main(arguments: Sequence[str]) -> None:
    """Take the pictures; they replace those in docs/images."""
    with (
        tempfile.TemporaryDirectory(prefix="tso-reports-") as name,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        take_run(browser, Path(name) / "run.html")
        if arguments:
            take_movements(browser, *arguments, Path(name) / "round.html")
        browser.close()


def take_run(browser: Browser, file: Path) -> None:
    """The page of the run, wide, on a phone and in the dark."""
    file.write_text(run_html(example_run()), encoding="utf-8")
    for name, width, height, scheme in SHOTS:
        page = opened(browser, file, width, height, scheme)
        save(page.screenshot(), IMAGES / f"{name}.png")
        page.close()


def take_movements(browser: Browser, root: str, run: str, file: Path) -> None:
    """The movements of the newest round of a run."""
    store = open_store(root)
    newest = len(RunTree(store, run).manifests()) - 1
    file.write_text(report_page(*committed_round(store, run, newest)), encoding="utf-8")
    page = opened(browser, file, WIDE, HIGH, "light")
    section = page.locator("#movements").screenshot()
    save(section, IMAGES / "round-movements.png", HIGH)
    page.close()


def opened(browser: Browser, file: Path, width: int, height: int, scheme: Scheme) -> Page:
    """The page in a window of this size."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(file.as_uri())
    return page


def save(png: bytes, path: Path, height: int | None = None) -> None:
    """A picture with a palette, cut below `height`."""
    image = picture(png)
    save_picture(image.crop((0, 0, image.width, min(height or image.height, image.height))), path)


if __name__ == "__main__":
    main(sys.argv[1:])
