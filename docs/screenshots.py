"""`python -m docs.screenshots [FOLDER [light]]`: take the pictures of the pages about servers.

Brings up a stack as docs/production.md does, with the small preset of the tests, fills in the run
form in a browser, waits for its round, and goes through the UI. Needs the dependency group `docs`,
the environment of the S3 server, PostgreSQL and a Chromium (CHROMIUM names another than
/usr/bin/chromium).
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, FloatRect, Page, expect, sync_playwright

from docs.pictures import picture, save_picture
from docs.production import Lab, stack_lab
from docs.weekly import ROOT, wait_for
from tests.small_run import small_preset

IMAGES = ROOT / "docs" / "images"
WIDTH = 1280
"""Of the window: narrower ones hide what stands beside the tabs."""
LOAD_SECONDS = 120
ROUND_SECONDS = 1800
FADE_MILLISECONDS = 3000
"""Graphs and tables fade in."""
BARS: FloatRect = {"x": 280, "y": 120, "width": 780, "height": 360}
"""Where the page of a flow run shows its bars, which are drawn some time after the rest."""
COLOURED = 8
"""More colours than an empty graph has."""
Scheme = Literal["dark", "light"]
"""Of the UI; dark is what it begins with."""
RUN = "weekly"
PEOPLE = {"annotate.budget": 0.5, "annotate.queue.repeats": 0}
"""Settings with which a round asks people."""
NOTIFY = "https://chat.example.org/hooks/alignment"
"""Shown in no picture: the block's address is a secret."""


class Camera:
    """A browser that takes pictures of one stack's pages."""

    def __init__(self, browser: Browser, lab: Lab, images: Path, scheme: Scheme) -> None:
        self._browser = browser
        self._images = images
        self._scheme = scheme
        self.lab = lab
        self.ui = lab.settings.url_of("prefect")

    @contextmanager
    def page(self, url: str, height: int) -> Iterator[Page]:
        """A page at `url` in a window of `height`."""
        page = self._browser.new_page(
            viewport={"width": WIDTH, "height": height}, color_scheme=self._scheme
        )
        page.add_init_script(f"localStorage.setItem('color-scheme', '\"{self._scheme}\"')")
        page.goto(url, timeout=LOAD_SECONDS * 1000)
        yield page
        page.close()

    def take(self, name: str, path: str, shown: str, height: int) -> None:
        """A picture of the UI's page at `path` once the text `shown` is there."""
        with self.page(f"{self.ui}{path}", height) as page:
            see(page, shown)
            self.save(page, name)

    def save(self, page: Page, name: str) -> None:
        """What the window shows, once everything is drawn, as a PNG with a palette."""
        page.wait_for_load_state("load")
        page.wait_for_timeout(FADE_MILLISECONDS)
        save_picture(picture(page.screenshot()), self._images / f"{name}.png")


def main(arguments: Sequence[str]) -> None:
    """Take all pictures; they replace those in docs/images, or lie in `arguments[0]`."""
    images = Path(arguments[0]) if arguments else IMAGES
    images.mkdir(parents=True, exist_ok=True)
    scheme: Scheme = "light" if "light" in arguments[1:] else "dark"
    with tempfile.TemporaryDirectory(prefix="tso-screenshots-") as name:
        preset = small_preset(Path(name))
        with stack_lab(preset, TSO_NOTIFY=NOTIFY) as lab, browser_of(lab, images, scheme) as camera:
            flow_run_id = from_the_form(camera)
            wait_for("the round", lambda: is_over(lab, flow_run_id), ROUND_SECONDS)
            take_the_rest(camera, flow_run_id)
            take_waiting(camera)


@contextmanager
def browser_of(lab: Lab, images: Path, scheme: Scheme) -> Iterator[Camera]:
    """A camera in a Chromium of the system."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        yield Camera(browser, lab, images, scheme)
        browser.close()


def from_the_form(camera: Camera) -> str:
    """Fill in the form as a person does, picture it, submit it; the flow run's id."""
    form = f"/deployments/deployment/{camera.lab.deployment('tso/rounds')}/run"
    with camera.page(f"{camera.ui}{form}", height=1210) as page:
        see(page, "Rounds to add")
        page.locator("textarea").first.fill(RUN)
        page.get_by_text("Adding rounds is usual").hover()
        camera.save(page, "form")
        with page.expect_response(lambda answer: "create_flow_run" in answer.url) as answer:
            page.get_by_role("button", name="Submit").click()
        if not answer.value.ok:
            raise RuntimeError(f"the form was refused: {answer.value.text()}")
        return str(answer.value.json()["id"])


def is_over(lab: Lab, flow_run_id: str) -> bool:
    """Whether the flow run is completed; RuntimeError if it ended otherwise."""
    found = lab.flow_run(flow_run_id)
    if found["state_type"] in ("FAILED", "CRASHED", "CANCELLED"):
        raise RuntimeError(f"{found['name']}: {found['state']['message']}")
    return bool(found["state_type"] == "COMPLETED")


def take_the_rest(camera: Camera, flow_run_id: str) -> None:
    """The flow run with its verbs, its report, and the pages about everything else."""
    lab = camera.lab
    take_run(camera, flow_run_id)
    key = {"artifacts": {"key": {"any_": [f"report-{RUN}"]}}}
    [report] = lab.api("/artifacts/filter", key)
    deployment = lab.deployment("tso/rounds")
    pages: list[tuple[str, str, str, int]] = [
        ("report", f"/artifacts/artifact/{report['id']}", "From prompts to pairs", 1000),
        ("deployment", f"/deployments/deployment/{deployment}", "auto-scheduled", 700),
        ("runs", "/runs", f"{RUN} · 1 round more", 820),
        ("automations", "/automations", "crashed flow runs are retried", 900),
        ("pools", "/work-pools", "gpu-training", 760),
    ]
    for page in pages:
        camera.take(*page)
    with camera.page(lab.settings.url_of("reports"), height=300) as page:
        see(page, "round 0")
        page.get_by_text("round 0").click()
        see(page, RUN)
        camera.save(page, "whole-report")


def take_run(camera: Camera, flow_run_id: str) -> None:
    """The page of a flow run, with the names of its tasks."""
    with camera.page(f"{camera.ui}/runs/flow-run/{flow_run_id}", height=700) as page:
        see(page, "Completed")
        page.get_by_text("Task Runs", exact=True).click()
        see(page, "refresh · round 0")
        wait_for("the bars", lambda: is_drawn(page), LOAD_SECONDS)
        camera.save(page, "run")


def take_waiting(camera: Camera) -> None:
    """A round that waits for people, and the form that ends its waiting; it is cancelled then."""
    lab = camera.lab
    asked = {"run": "reviewed", "preset": "quickstart", "overrides": PEOPLE}
    flow_run = lab.start("tso/rounds", asked)
    wait_for("people are asked", lambda: is_suspended(lab, flow_run), ROUND_SECONDS)
    with camera.page(f"{camera.ui}/runs/flow-run/{flow_run}", height=900) as page:
        see(page, "Suspended")
        page.get_by_role("button", name="Resume").click()
        see(page, "reviewer")
        camera.save(page, "waiting")
    lab.api(f"/flow_runs/{flow_run}/set_state", {"state": {"type": "CANCELLED"}, "force": True})


def is_suspended(lab: Lab, flow_run_id: str) -> bool:
    """Whether the flow run waits for people, and its form is written, which is a moment later."""
    found = lab.flow_run(flow_run_id)
    if found["state_name"] != "Suspended":
        return False
    key = found["state"]["state_details"]["pause_key"]
    written = {"prefix": f"suspended-{key}-description"}
    return bool(lab.api(f"/flow_runs/{flow_run_id}/input/filter", written))


def is_drawn(page: Page) -> bool:
    """Whether the graph of a flow run shows anything."""
    graph = picture(page.screenshot(clip=BARS))
    return len(graph.getcolors(graph.width * graph.height)) > COLOURED


def see(page: Page, text: str) -> None:
    """Wait until the page shows `text`."""
    expect(page.get_by_text(text).first).to_be_visible(timeout=LOAD_SECONDS * 1000)


if __name__ == "__main__":
    main(sys.argv[1:])
