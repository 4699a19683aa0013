"""`python -m docs.report_screenshots STORE RUN [FOLDER]`: the pictures of docs/reports.md.

Makes the pages of a run and of its newest round from its store and pictures them. Needs the
dependency group `docs` and a Chromium (CHROMIUM names another than /usr/bin/chromium).
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
from tasks.refresh import report_page, run_page
from tasks.rounds import committed_round

IMAGES = ROOT / "docs" / "images"
WIDE, PHONE = 1200, 420
"""Widths of the windows."""
Scheme = Literal["dark", "light"]


def main(arguments: Sequence[str]) -> None:
    """Take all pictures; they replace those in docs/images, or lie in the third argument."""
    root, run, *rest = arguments
    images = Path(rest[0]) if rest else IMAGES
    images.mkdir(parents=True, exist_ok=True)
    store = open_store(root)
    tree = RunTree(store, run)
    newest = len(tree.manifests()) - 1
    with tempfile.TemporaryDirectory(prefix="tso-reports-") as name:
        whole, last = Path(name) / "run.html", Path(name) / "round.html"
        whole.write_text(run_page(tree, linked=True), encoding="utf-8")
        page = report_page(*committed_round(store, run, newest))
        last.write_text(page, encoding="utf-8")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                args=["--no-sandbox"],
            )
            take(browser, whole, last, images)
            browser.close()


def take(browser: Browser, whole: Path, last: Path, images: Path) -> None:
    """The run, wide, on a phone and in the dark; the movements of its newest round."""
    save(opened(browser, whole, WIDE, 1500), images / "run-report.png")
    save(opened(browser, whole, PHONE, 900), images / "run-report-phone.png")
    save(opened(browser, whole, WIDE, 900, "dark"), images / "run-report-dark.png")
    page = opened(browser, last, WIDE, 1000)
    page.evaluate("document.querySelector('#movements').scrollIntoView()")
    save(page, images / "round-movements.png")


def opened(browser: Browser, file: Path, width: int, height: int, scheme: Scheme = "light") -> Page:
    """The page in a window of this size."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(file.as_uri())
    return page


def save(page: Page, path: Path) -> None:
    """What the window shows, as a PNG with a palette."""
    save_picture(picture(page.screenshot()), path)
    page.close()


if __name__ == "__main__":
    main(sys.argv[1:])
