"""Which comparisons a budget pays for: reasons first, a random share with its chance, repeats."""

import numpy as np
import pytest

from tasks.queue.choice import Scored, choose
from tasks.queue.settings import QueueSettings


def scored(scores, strata=None):
    """Comparisons with these scores, in strata 0, 1, ...; lots fall by their places."""
    numbers = np.array(strata if strata is not None else [0] * len(scores), np.int64)
    lots = np.random.default_rng(5).random(len(scores))
    order = np.arange(numbers.max(initial=0) + 1)
    return Scored(np.array(scores, float), numbers, lots, order)


def settings(**given):
    return QueueSettings.model_validate(
        {"random": 0.2, "repeats": 0.1, "concentration": 100, **given}
    )


def test_the_budget_pays_for_reasons_a_random_share_and_repeats():
    scores = np.r_[np.linspace(0.1, 1, 50), np.zeros(150)]
    made = choose(scored(scores), 0.2, settings(), 0.5)
    assert len(made.asked) == 28 and len(made.drawn) == 8 and made.repeats == 4
    assert made.asked.tolist() == list(range(49, 21, -1)), "the strongest reasons first"
    assert not set(made.asked.tolist()) & set(made.drawn.tolist())
    assert made.chance == pytest.approx(8 / (200 - 28))


def test_what_the_reasons_leave_of_the_budget_is_drawn():
    made = choose(scored([0.9, 0.8] + [0.0] * 98), 0.2, settings(), 0.1)
    assert made.asked.tolist() == [0, 1] and len(made.drawn) == 16


def test_a_budget_for_everything_shows_everything_once():
    made = choose(scored([0.5] * 10 + [0.0] * 10), 1.0, settings(), 0.3)
    assert sorted([*made.asked, *made.drawn]) == list(range(20)) and made.repeats == 0
    assert made.chance == 1.0


def test_no_budget_no_items():
    made = choose(scored([0.5] * 10), 0.0, settings(), 0.3)
    assert (len(made.asked), len(made.drawn), made.repeats) == (0, 0, 0)
    assert len(choose(scored([]), 0.5, settings(), 0.3).drawn) == 0


def test_no_stratum_gets_more_than_its_part_of_the_chosen():
    strata = [0] * 100 + [1] * 100
    scores = [0.9] * 100 + [0.1] * 100
    everything = choose(scored(scores, strata), 0.2, settings(), 0.5)
    assert set(everything.asked.tolist()) <= set(range(100))
    spread = choose(scored(scores, strata), 0.2, settings(concentration=1.0), 0.5)
    assert sum(place < 100 for place in spread.asked) == 14 == len(spread.asked) - 14


def test_the_random_share_has_equal_chances_and_every_stratum_its_part():
    strata = [0] * 60 + [1] * 30 + [2] * 10
    field = scored([0.0] * 100, strata)
    times = np.zeros(100)
    starts = (np.arange(400) + 0.5) / 400
    for start in starts:
        drawn = choose(field, 0.2, settings(repeats=0.0), start).drawn
        times[drawn] += 1
        parts = np.bincount(np.array(strata)[drawn], minlength=3)
        assert np.abs(parts - [12, 6, 2]).max() <= 1
    assert times / len(starts) == pytest.approx(np.full(100, 0.2), abs=0.005)


def test_the_choice_depends_on_scores_and_lots_alone():
    rng = np.random.default_rng(0)
    field = scored(rng.random(50), rng.integers(0, 3, 50))
    order = rng.permutation(50)
    mixed = Scored(field.scores[order], field.strata[order], field.lots[order], field.order)
    one, other = choose(field, 0.4, settings(), 0.7), choose(mixed, 0.4, settings(), 0.7)
    assert set(order[other.asked]) == set(one.asked) and set(order[other.drawn]) == set(one.drawn)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"random": 0.7, "repeats": 0.4}, "more than the whole"),
        ({"annotators_of": {"rndom": 2}}, "annotators_of names 'rndom'; reasons: judges_disagree"),
        ({"reasons": {"random": {"kind": "low_margin"}}}, "'random' is the queue's own"),
        ({"reasons": {"x": {"kind": "no_such"}}}, "no kind 'no_such'"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(given, message):
    with pytest.raises(ValueError, match=message):
        settings(**given)
