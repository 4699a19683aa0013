"""`python -m docs.screenshots [FOLDER]`: take the pictures of docs/weekly.md.

Starts what the page starts, with the small preset of the tests, fills in the run form in a browser
and waits for its round. Needs the dependency group `docs` and a Chromium (CHROMIUM names another
than /usr/bin/chromium).
"""

import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from docs.weekly import ROOT, Deployed, deployed, wait_for
from infra.run_tree import RunTree
from infra.storage import open_store
from tests.small_run import small_preset

IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1280, 900
COLOURS = 128
"""Of a picture's palette: enough for a page without photographs, at a third of the size."""
LOAD_SECONDS = 60
ROUND_SECONDS = 1200
RUN = "weekly"


def main(arguments: Sequence[str]) -> None:
    """Take all pictures; they replace those in docs/images, or lie in `arguments[0]`."""
    images = Path(arguments[0]) if arguments else IMAGES
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tso-screenshots-") as name:
        folder = Path(name)
        tree = RunTree(open_store(f"file://{folder}/store"), RUN)
        with (
            deployed(folder / "lab", small_preset(folder)) as lab,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                args=["--no-sandbox"],
            )
            flow_run_id = from_the_form(browser, lab, images)
            wait_for("the round", lambda: is_over(lab, flow_run_id), ROUND_SECONDS)
            if len(tree.manifests()) != 1:
                raise RuntimeError(f"the form's flow run added no round: {tree.manifests()}")
            take_the_rest(browser, lab, images, flow_run_id)
            browser.close()


def from_the_form(browser: Browser, lab: Deployed, images: Path) -> str:
    """Fill in the form as a person does, picture it, submit it; the flow run's id."""
    deployment = lab.deployment("tso/rounds")["id"]
    page = opened(browser, f"{lab.ui}/deployments/deployment/{deployment}/run", height=1210)
    page.get_by_text("Rounds to add").wait_for(timeout=LOAD_SECONDS * 1000)
    page.locator("textarea").first.fill(RUN)
    page.get_by_text("Adding rounds is usual").hover()
    save(page, images / "form.png")
    with page.expect_response(lambda answer: "create_flow_run" in answer.url) as answer:
        page.get_by_role("button", name="Submit").click()
    if not answer.value.ok:
        raise RuntimeError(f"the form was refused: {answer.value.text()}")
    flow_run_id = str(answer.value.json()["id"])
    page.close()
    return flow_run_id


def is_over(lab: Deployed, flow_run_id: str) -> bool:
    """Whether the flow run is completed; RuntimeError if it ended otherwise."""
    found = lab.flow_run(flow_run_id)
    if found["state_type"] in ("FAILED", "CRASHED", "CANCELLED"):
        raise RuntimeError(f"{found['name']}: {found['state']['message']}")
    return bool(found["state_type"] == "COMPLETED")


def take_the_rest(browser: Browser, lab: Deployed, images: Path, flow_run_id: str) -> None:
    """The flow run with its verbs, its report, and the deployment with its schedule."""
    page = opened(browser, f"{lab.ui}/runs/flow-run/{flow_run_id}", height=700)
    expect(page.get_by_text("Completed").first).to_be_visible(timeout=LOAD_SECONDS * 1000)
    page.get_by_text("Task Runs", exact=True).click()
    expect(page.get_by_text("refresh · round 0").first).to_be_visible(timeout=LOAD_SECONDS * 1000)
    save(page, images / "run.png")
    key = {"artifacts": {"key": {"any_": [f"report-{RUN}"]}}}
    [report] = lab.api("/artifacts/filter", key)
    page = opened(browser, f"{lab.ui}/artifacts/artifact/{report['id']}", height=1000)
    expect(page.get_by_text("From prompts to pairs")).to_be_visible(timeout=LOAD_SECONDS * 1000)
    save(page, images / "report.png")
    deployment = lab.deployment("tso/rounds")["id"]
    page = opened(browser, f"{lab.ui}/deployments/deployment/{deployment}", height=700)
    expect(page.get_by_text("auto-scheduled").first).to_be_visible(timeout=LOAD_SECONDS * 1000)
    save(page, images / "deployment.png")


def opened(browser: Browser, url: str, height: int = HEIGHT) -> Page:
    """A page at `url` in a window of `height`."""
    page = browser.new_page(viewport={"width": WIDTH, "height": height})
    page.goto(url, timeout=LOAD_SECONDS * 1000)
    return page


def save(page: Page, path: Path) -> None:
    """What the window shows, once everything is drawn, as a PNG with a palette."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(3000)  # graphs and tables fade in
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS).save(path, optimize=True)
    sys.stdout.write(f"{path}: {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
