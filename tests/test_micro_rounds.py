"""Which rounds are measured, and what happens in the others."""

import pytest

from tasks.decisions import History
from tasks.early_stop import EarlyStopSettings, why_flat
from tasks.gate import not_measured
from tasks.plan import Sizes, plan_round
from tests.small_config import small_config


def test_every_so_many_rounds_one_is_measured():
    evaluation = small_config(evaluation__every=3).evaluation
    assert [index for index in range(9) if evaluation.due(index)] == [2, 5, 8]
    assert all(small_config().evaluation.due(index) for index in range(3))


@pytest.mark.parametrize(("index", "due"), [(0, 3), (2, 3), (4, 7)])
def test_a_round_that_is_not_measured_refreshes_and_says_which_one_is(index, due):
    outcome = not_measured(4, index)
    assert outcome.refreshes and f"round {due} is the next that is" in outcome.reasons[0]


def test_a_round_that_is_not_measured_costs_no_evaluation():
    sizes = {"prompts": 4, "evaluation_prompts": 3, "prompt_bytes": 9, "evaluation_bytes": 9}
    lines = [
        plan_round(small_config(), Sizes(**sizes, weight_bytes=0, measured=measured))
        for measured in (True, False)
    ]
    assert [any(line.verb == "evaluate" for line in some) for some in lines] == [True, False]


def manifest(estimate):
    """Of a round that gained so much; None: it was not measured."""
    gate = {"outcome": "promoted", "slices": {}}
    if estimate is None:
        return {"gate": gate, "measured": False}
    return {"gate": gate | {"slices": {"win": {"estimate": estimate}}}}


def test_rounds_that_are_not_measured_are_not_taken_for_rounds_without_gain():
    settings = EarlyStopSettings(metric="win", patience=2)
    gains = [0.1, None, None, None, 0.1, None, None]
    assert why_flat(History([manifest(one) for one in gains], {}), settings) == ""
    flat = [0.1, None, 0.0, None, 0.0]
    assert "changed by +0.0000" in why_flat(History([manifest(one) for one in flat], {}), settings)
