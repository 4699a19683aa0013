"""Calls of doors that need no child process, with inputs that they find in the store."""

from typing import Any, NamedTuple

from infra.storage import open_store
from infra.worked import FOLDER
from tasks.estimate import estimated
from tasks.records import Feedback, Prompt, Response
from tasks.replay import join_earlier
from tasks.teach import instruct
from tasks.transform import transformed
from tasks.variants import load_variant
from tests.estimators.estimate_world import PROMPTS, given_to
from tests.opinion_makers import pair, prompt, response
from tests.replays.second_round import ALL, OLD, made_round, pool, second_round
from tests.transforms.transform_program import committed, pairs_of

VOLATILE = ("/side.json", f"/{FOLDER}/", "/orders/")
NAMES = [f"p{number:02}" for number in range(10)]


class Call(NamedTuple):
    """A door and what it is given."""

    door: Any
    given: dict[str, Any]


def estimate(place):
    """An estimator without a model scores the responses to twelve prompts."""
    return Call(estimated, given_to(place, "verdict_strength", passes=2, compares="all"))


def transform(place):
    """A script edits the rejected response of a pair for each of ten prompts."""
    prompts = [prompt(prompt_id=name, text=f"Ask {name}.") for name in NAMES]
    answers = [
        response(f"{side}-{name}", f"{side} fig of {name}", prompt_id=name)
        for name in NAMES
        for side in ("ripe", "old")
    ]
    rows = [pair(f"ripe-{name}", f"old-{name}", prompt_id=name) for name in NAMES]
    writer = {"engine": "scripted", "default": "a young fig"}
    given = {
        "name": "0-edit_rejected",
        "prompts": committed(place, "prompts", Prompt, prompts),
        "feedback": Feedback(
            responses=[committed(place, "answers", Response, answers)], verdicts=[]
        ),
        "pairs": pairs_of(place, rows, []),
        "settings": load_variant("tasks.transforms", "edit_rejected", writer=writer, max_growth=9),
        "place": place,
    }
    return Call(transformed, given)


def replay(place):
    """The second round draws pairs of the first."""
    second = second_round(place)
    pool(second, [*OLD, "new"])
    own = made_round(second, ["new"])
    feedback = Feedback(responses=[own["sample-train-policy"]], verdicts=[own["judge-main-train"]])
    given = {"prompts": own["collect-train"], "feedback": feedback, "pairs": own["pair"]}
    return Call(join_earlier, given | {"replay": ALL, "place": second})


def teach(place):
    """Twelve prompts under an instruction."""
    given = {"prompts": committed(place, "prompts", Prompt, PROMPTS), "name": "guided"}
    return Call(instruct, given | {"instruction": "Be good.", "turn": "system", "place": place})


def left_in(root):
    """The manifests and notes of a store by path, without its root and what the clock says."""
    store = open_store(root)
    return {
        path: store.read(path).replace(root.encode(), b"")
        for path in store.list()
        if path.endswith(".json") and not any(one in path for one in VOLATILE)
    }


CALLS = {one.__name__: one for one in (estimate, transform, replay, teach)}
