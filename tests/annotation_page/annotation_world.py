"""A batch of comparisons, and the page's server as a process that may be killed."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

from infra.annotation.batches import Terms, make_batch, open_batch
from infra.annotation.page.access import KEY_VARIABLE, link, load_keys
from infra.run_tree import RunTree
from infra.stages import Stage, StageKey
from infra.storage import open_store
from tasks.annotation_items import Item, item_id_of
from tasks.canonical import short_id
from tasks.records import Prompt, Response
from tasks.tables import to_table
from tests.annotation_page.talks import TALKS
from tests.opinion_makers import prompt, response

RUN = "weekly"
START_SECONDS = 120


def made_batch(store, number, annotators=1, round_index=0):
    """A batch of `number` comparisons, the talks taking turns."""
    items, prompts, responses = [], [], []
    for position in range(number):
        asked, made = _texts_of(position)
        prompts.append(asked)
        responses += made
        items.append(_item(position, asked.prompt_id, made, annotators))
    tables = {
        "rows": (Item, to_table(Item, items)),
        "prompts": (Prompt, to_table(Prompt, prompts)),
        "responses": (Response, to_table(Response, responses)),
    }
    key = StageKey(verb="annotate", settings={"items": number, "annotators": annotators})
    stage = Stage(store, key).commit(tables=tables)
    return make_batch(RunTree(store, RUN), round_index, stage, Terms(front_end="page"))


def _texts_of(position):
    talk, *texts = TALKS[position % len(TALKS)]
    turns = [{"role": role, "content": text} for role, text in talk]
    if position >= len(TALKS):
        turns[-1] = turns[-1] | {"content": f"{turns[-1]['content']} ({position})"}
    prompt_id = short_id("prompt", position)
    made = [
        response(short_id(prompt_id, text), text, prompt_id=prompt_id, cell=f"cell-{index}")
        for index, text in enumerate(texts)
    ]
    return replace(prompt(prompt_id=prompt_id), messages=turns), made


def _item(position, prompt_id, made, annotators):
    """The better of the two texts is left."""
    a_id, b_id = sorted(one.response_id for one in made)
    return Item(
        item_id=item_id_of(prompt_id, a_id, b_id),
        prompt_id=prompt_id,
        a_id=a_id,
        b_id=b_id,
        repeat=0,
        first_shown="a" if made[0].response_id == a_id else "b",
        reason="random",
        stratum="pool",
        chance=0.5,
        known=None,
        annotators=annotators,
        position=position,
    )


def answers_of(root, round_index=0):
    """All answers there are in the store at `root`."""
    return open_batch(open_store(root), RUN, round_index).answers()


class ServedPage:
    """The page's server as a process of its own, which may be killed and started again."""

    def __init__(self, root, work, port):
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.key = Path(work) / "annotation.key"
        self.environment = {
            **os.environ,
            "TSO_STORE": root,
            "TSO_WORK": str(work),
            KEY_VARIABLE: str(self.key),
        }
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "infra.annotation.page", str(self.port)]
        self.process = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self.is_up():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise TimeoutError("the annotation page did not start")
            time.sleep(0.05)

    def is_up(self):
        try:
            with urllib.request.urlopen(f"{self.address}/-/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def kill(self):
        """SIGKILL: nothing is written any more."""
        self.process.kill()
        self.process.wait()

    def link(self, annotator):
        return link(self.address, load_keys(self.key), RUN, annotator)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
