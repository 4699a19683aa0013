"""Below what no training starts: which figures are objected to, and in what words."""

from dataclasses import replace

import pytest
from test_drift import figure

from tasks.agreement.floors import breaches, why_stopped
from tasks.agreement.settings import AgreementSettings
from tasks.errors import ConfigError
from tests.small_config import small_config

LOW = [figure(0.55, 0.05)]


def objections(figures, **settings):
    return breaches(figures, AgreementSettings(**settings))


def test_a_figure_below_its_floor_is_named_with_judge_interval_and_floor():
    [found] = objections(LOW, floor={"order_consistency": 0.6})
    assert found.stops
    assert found.sentence == (
        "main: order_consistency is 0.550 [0.500, 0.600] over 50 prompts; "
        "agreement.floor.order_consistency is 0.6"
    )


def test_the_error_says_what_to_do_next():
    message = why_stopped(objections(LOW, floor={"order_consistency": 0.6}), 3)
    assert message.startswith("round 3 is not trained on its feedback: main: order_consistency")
    for part in ("All that is done is kept", "redo=[judge]", "agreement.action=warn"):
        assert part in message


@pytest.mark.parametrize(
    ("holds", "floor", "objects"),
    [
        ("estimate", 0.55, False),
        ("estimate", 0.56, True),
        ("surely", 0.51, True),
        ("surely", 0.5, False),
        ("perhaps", 0.6, False),
        ("perhaps", 0.61, True),
    ],
)
def test_the_estimate_the_whole_interval_or_any_of_it_must_hold(holds, floor, objects):
    low = [replace(LOW[0], low=0.5, high=0.6)]
    assert bool(objections(low, floor={"order_consistency": floor}, holds=holds)) is objects


@pytest.mark.parametrize(
    ("estimate", "holds", "objects"),
    [
        (-0.2, "estimate", True),
        (0.1, "estimate", False),
        (0.1, "surely", True),
        (0.2, "perhaps", False),
        (0.02, "perhaps", False),
    ],
)
def test_a_ceiling_bounds_the_size_of_a_figure(estimate, holds, objects):
    bias = [figure(estimate, 0.1, name="position_bias")]
    assert bool(objections(bias, ceiling={"position_bias": 0.15}, holds=holds)) is objects


def test_where_it_shall_only_be_said_nothing_stops():
    found = objections(LOW, floor={"order_consistency": 0.6}, action="warn")
    assert len(found) == 1 and why_stopped(found, 0) is None


@pytest.mark.parametrize(("wish", "stops"), [("stop", [True]), ("warn", [False]), ("ignore", [])])
def test_a_figure_that_is_not_measurable_stops_warns_or_passes(wish, stops):
    settings = {"floor": {"order_consistency": 0.6}, "unmeasurable": wish}
    found = objections([figure(None)], **settings)
    assert [one.stops for one in found] == stops
    assert all(one.sentence.endswith("is not measurable, no verdicts") for one in found)


def test_a_floor_for_two_judges_cannot_be_told_of_one():
    [found] = objections(LOW, floor={"judge_judge_kappa": 0.2}, unmeasurable="stop")
    assert found.stops and "there are not two judges" in found.sentence


def test_without_floors_nothing_is_objected_to():
    assert objections(LOW) == []


def test_a_floor_for_a_figure_of_which_less_is_better_is_refused():
    with pytest.raises(
        ConfigError, match=r"agreement\.floor names 'position_bias'; allowed: order"
    ):
        small_config(agreement={"floor": {"position_bias": 0.1}})
    with pytest.raises(ConfigError, match=r"agreement\.ceiling names 'kappa'; allowed: position"):
        small_config(agreement={"ceiling": {"kappa": 0.1}})
