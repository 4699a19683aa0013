"""Responses that a judge has put in order, for the estimate door."""

from dataclasses import replace
from itertools import combinations

from infra.place import records_of, store_of
from infra.run_tree import RunTree
from tasks.correction import CorrectionSettings
from tasks.estimate import estimated
from tasks.records import Artifact, Feedback, Prompt, Response, Verdict
from tasks.variants import load_variant
from tests.judged import committed
from tests.opinion_makers import both, prompt, response

PROMPTS = [prompt(prompt_id=f"p{n:02}", text=f"Say {n}.") for n in range(12)]
TEXTS = {"good": "The red fox.", "fair": "A boat", "poor": "cold wind cold wind cold"}


def feedback_of(place):
    """Good beats fair beats poor for every prompt, says one judge."""
    answers, said = [], []
    for one in PROMPTS:
        ids = {word: f"{word}-{one.prompt_id}" for word in TEXTS}
        answers += [
            response(ids[word], text, prompt_id=one.prompt_id, cell=word)
            for word, text in TEXTS.items()
        ]
        for better, worse in combinations(TEXTS, 2):
            a_id, b_id = sorted((ids[better], ids[worse]))
            outcome = "a" if a_id == ids[better] else "b"
            said += [replace(v, prompt_id=one.prompt_id) for v in both(a_id, b_id, outcome)]
    return Feedback(
        responses=[committed(place, Response, answers)], verdicts=[committed(place, Verdict, said)]
    )


def given_to(place, kind, **settings):
    """The arguments of the door for an estimator."""
    return {
        "prompts": committed(place, Prompt, PROMPTS),
        "feedback": feedback_of(place),
        "estimator": load_variant("tasks.estimators", kind, **settings),
        "correction": CorrectionSettings(),
        "place": place,
    }


def done(place, kind, **settings):
    """The estimator's artifact and verdicts."""
    artifact = estimated.fn(**given_to(place, kind, **settings))
    return artifact, records_of(place, Verdict, artifact)


def by_word(verdicts):
    """The scores by what the response is, one for each prompt."""
    found = {}
    for one in verdicts:
        if one.outcome == "scored" and one.criterion == "overall":
            found.setdefault(one.a_id.partition("-")[0], []).append(one.score)
    return found


def model_of(place):
    """The stage that holds the fitted model."""
    pointer = RunTree(store_of(place), place.run).read_round(0, "stages/estimate-model.json")
    return Artifact(**pointer)
