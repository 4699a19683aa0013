"""Calls of doors that need no child process, in a world of their own below a folder."""

from typing import NamedTuple

import pytest

from tasks.estimate import estimated
from tasks.records import Feedback, Prompt, Response
from tasks.teach import instruct
from tasks.transform import transformed
from tasks.variants import load_variant
from tests.estimators.estimate_world import PROMPTS, given_to
from tests.killed import watch_commits
from tests.opinion_makers import pair, prompt, response
from tests.replays.second_round import OLD, joined, made_round, pool, second_round
from tests.small_config import small_place
from tests.transforms.transform_program import committed, pairs_of

NAMES = [f"p{number:02}" for number in range(10)]
SHARD = 4
"""Prompts in a shard of what a writer is asked."""


def estimate(place):
    given = given_to(place, "verdict_strength", passes=2, compares="all")
    return lambda: estimated.fn(**given)


def transform(place):
    prompts = [prompt(prompt_id=name, text=f"Ask {name}.") for name in NAMES]
    answers = [
        response(f"{side}-{name}", f"{side} fig of {name}", prompt_id=name)
        for name in NAMES
        for side in ("ripe", "old")
    ]
    rows = [pair(f"ripe-{name}", f"old-{name}", prompt_id=name) for name in NAMES]
    writer = {"engine": "scripted", "default": "a young fig"}
    editor = load_variant("tasks.transforms", "edit_rejected", writer=writer, max_growth=9)
    feedback = Feedback(responses=[committed(place, "answers", Response, answers)], verdicts=[])
    given = (committed(place, "prompts", Prompt, prompts), feedback, pairs_of(place, rows, []))
    return lambda: transformed.fn("0-edit_rejected", *given, editor, place)


def replay(place):
    second = second_round(place)
    pool(second, [*OLD, "new"])
    own = made_round(second, ["new"])
    return lambda: joined(own, second)


def teach(place):
    asked = committed(place, "prompts", Prompt, PROMPTS)
    return lambda: instruct.fn("guided", asked, "Answer well.", "system", place)


DOORS = {one.__name__: one for one in (estimate, transform, replay, teach)}


class Done(NamedTuple):
    """A call that came to its end."""

    result: object
    commits: list[str]
    """Paths in the store, in order."""


def done(verb, folder, dies_before=None):
    """Call the door of `verb`; the process dies just before the commit of this number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSO_WORK", f"{folder}/work")
        patch.setattr("tasks.transform.SHARD_PROMPTS", SHARD)
        call = DOORS[verb](small_place(root=f"file://{folder}/store", round_index=0, policies={}))
        commits = watch_commits(patch, dies_before)
        return Done(call(), commits)
