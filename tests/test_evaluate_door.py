"""The evaluate door on stages made by hand: what makes one evaluation another."""

from dataclasses import replace

import pytest

from infra.place import open_stage, records_of
from tasks.config_evaluation import EvaluationSection
from tasks.evaluate import evaluate
from tasks.measuring import Measured
from tasks.model_matrix import evaluated_name
from tasks.records import PreferencePair, Prompt, ReferenceScore, Response
from tasks.tables import to_table
from tests.judged import committed
from tests.opinion_makers import pair, prompt, response
from tests.small_config import checkpoint, small_place

LOGPS = {"reference": {"a": -2.0, "b": -2.0}, "policy": {"a": -1.0, "b": -3.0}}
"""The policy has come to like a more and b less."""


def score(name, logp):
    return ReferenceScore(
        response_id=name, reference="ref", logp=logp, num_tokens=1, token_logps=[logp]
    )


def paired(place, held_out):
    """A pair stage with one pair to train on, and others that measure."""
    tables = {"rows": [pair("c", "d")], "held_out": held_out}
    stage = open_stage(place, "test", settings=str(held_out), inputs={}, semantics=1)
    return stage.commit(
        tables={
            name: (PreferencePair, to_table(PreferencePair, rows)) for name, rows in tables.items()
        }
    )


@pytest.fixture
def accuracy(tmp_path):
    """Reward accuracy by held-out pairs, everything else being equal."""
    place = small_place(root=f"file://{tmp_path}/store")
    weights = [place.reference.sha256, place.sft.sha256, "new"]
    answers = [
        replace(response(name, "a fig", prompt_id="q"), cell=evaluated_name(name))
        for name in weights
    ]
    prompts = committed(place, Prompt, [prompt(prompt_id="q")])
    scores = [
        committed(place, ReferenceScore, [score(*one) for one in LOGPS[who].items()])
        for who in ("reference", "policy")
    ]

    def of(*held_out):
        done = evaluate.fn(
            prompts, [committed(place, Response, answers)], [], paired(place, list(held_out)),
            scores, None, checkpoint("new"), EvaluationSection(metrics={}), place,
        )  # fmt: skip
        values = records_of(place, Measured, done.artifact, "values")
        return [one.value for one in values if one.metric == "reward_accuracy"]

    return of


def test_held_out_pairs_that_are_turned_round_are_measured_anew(accuracy):
    assert accuracy(pair("a", "b")) == [1.0]
    assert accuracy(pair("b", "a")) == [0.0]
