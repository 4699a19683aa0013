"""Whether a figure has changed since earlier rounds, from their intervals alone."""

import math
from dataclasses import replace

import pytest

from tasks.agreement.drift import drift
from tasks.agreement.figures import QualityFigure


def figure(estimate, half=0.1, *, name="order_consistency", version="v1"):
    known = estimate is not None
    return QualityFigure(
        annotator="main",
        other="",
        criterion="overall",
        figure=name,
        estimate=estimate,
        low=estimate - half if known else None,
        high=estimate + half if known else None,
        n=100,
        prompts=50,
        reason="" if known else "no verdicts",
        version=version,
    )


def test_half_widths_of_independent_figures_add_up_in_squares():
    # half-widths 0.03 and 0.04 make 0.05
    [found] = drift([figure(0.7, 0.03)], {0: [figure(0.8, 0.04)]}, 0.95)
    assert found.difference == pytest.approx(-0.1)
    assert (found.low, found.high) == (pytest.approx(-0.15), pytest.approx(-0.05))
    assert found.beyond_chance and found.since == 0 and found.before == 0.8


def test_a_lopsided_interval_makes_a_lopsided_difference():
    now = replace(figure(1.0), low=0.9, high=1.0)
    [found] = drift([now], {0: [figure(0.5, 0.0)]}, 0.95)
    assert (found.low, found.high) == (pytest.approx(0.4), pytest.approx(0.5))


def test_a_difference_whose_interval_holds_zero_is_no_change():
    [found] = drift([figure(0.7)], {0: [figure(0.8)]}, 0.95)
    assert found.low < 0 < found.high and not found.beyond_chance


def test_of_many_figures_one_needs_more_to_be_beyond_chance():
    """A difference of 2.1 standard errors counts alone, and not as one of ten."""
    names = [f"figure {number}" for number in range(10)]
    size = 2.1 / 1.959964 * math.hypot(0.1, 0.1)
    now = [figure(0.5 + (size if name == names[0] else 0), name=name) for name in names]
    before = [figure(0.5, name=name) for name in names]
    [alone] = drift(now[:1], {0: before[:1]}, 0.95)
    assert alone.beyond_chance and alone.low > 0
    assert not any(one.beyond_chance for one in drift(now, {0: before}, 0.95))


def test_a_round_is_compared_with_the_first_and_the_last_one():
    earlier = {index: [figure(0.5)] for index in (0, 1, 2)}
    assert [one.since for one in drift([figure(0.5)], earlier, 0.95)] == [0, 2]
    assert drift([figure(0.5)], {}, 0.95) == []


def test_what_was_not_measurable_has_no_drift():
    assert drift([figure(None)], {0: [figure(0.5)]}, 0.95) == []
    assert drift([figure(0.5)], {0: [figure(None)]}, 0.95) == []
    assert drift([figure(0.5)], {0: [figure(0.5, name="ties")]}, 0.95) == []


def test_another_version_of_the_judge_is_another_judge():
    [same] = drift([figure(0.5)], {0: [figure(0.5)]}, 0.95)
    [other] = drift([figure(0.5, version="v2")], {0: [figure(0.5)]}, 0.95)
    assert same.same_judge and not other.same_judge
