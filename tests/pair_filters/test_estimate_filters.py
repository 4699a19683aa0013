"""Filters that ask how sure an estimator is."""

import math
from dataclasses import replace

import pytest

from tasks.competition import Decided
from tasks.errors import DataError
from tasks.pair_filters.certainty_quantile import room_of
from tasks.pairs import PairView
from tasks.variants import load_variant
from tests.opinion_makers import pair, response

SURE, SPLIT = (0.9, 0.9), (0.9, 0.1)


def view(number, *, estimates=(), margin=0.5):
    return PairView(
        pair=pair(f"c{number:03}", f"r{number:03}", margin=margin),
        chosen=response("c", "yes"),
        rejected=response("r", "no"),
        estimates=estimates,
    )


def dropped(kind, views, **settings):
    """The reasons by number of the pair."""
    reasons = load_variant("tasks.pair_filters", kind, **settings)(views)
    places = {one.pair.pair_id: number for number, one in enumerate(views)}
    return {places[pair_id]: reason for pair_id, reason in reasons.items()}


def test_the_surest_share_of_the_pairs_stays():
    views = [view(number, margin=number / 10) for number in range(10)]
    found = dropped("certainty_quantile", views, keep=0.3)
    assert sorted(found) == [0, 1, 2, 3, 4, 5, 6]
    assert dropped("certainty_quantile", views, keep=1.0) == {}
    assert len(dropped("certainty_quantile", views, keep=0.01)) == 9, "rounded up"


def test_seven_percent_of_a_hundred_are_seven():
    """As floats 0.07 x 100 is 7.000000000000001."""
    assert (room_of(0.07, 100), room_of(0.071, 100)) == (7, 8)


def test_the_majority_of_the_passes_has_to_agree():
    views = [
        view(0, estimates=(0.9, 0.6, 0.1)),
        view(1, estimates=(0.99, 0.4, 0.4)),
        view(2, estimates=(0.9, 0.1)),
        view(3),
    ]
    kind = "agreeing_with_estimator"
    assert dropped(kind, views) == {1: kind, 2: kind, 3: "no_estimate"}


def test_a_weight_is_the_certainty_or_the_uncertainty():
    easy = load_variant("tasks.pair_filters", "reliable_sample")
    hard = load_variant("tasks.pair_filters", "reliable_sample", prefer="hard")
    assert easy.weight(0.101749225) == pytest.approx(0.898250775)
    assert hard.weight(0.101749225) == pytest.approx(0.101749225)
    share = load_variant("tasks.pair_filters", "reliable_sample", unit="share")
    assert share.weight(math.log(2)) == 0.0


def test_easy_pairs_are_drawn_more_often_and_hard_ones_where_they_are_preferred():
    views = [view(number, estimates=SURE if number < 500 else SPLIT) for number in range(1000)]
    for prefer, sure_is_more in (("easy", True), ("hard", False)):
        lost = dropped("reliable_sample", views, prefer=prefer, bald_rate=0.5)
        sure = sum(number < 500 for number in range(1000) if number not in lost)
        assert len(lost) == 500
        assert (sure > 250) is sure_is_more, (prefer, sure)


def test_half_of_two_weights_is_drawn_as_often_as_they_say():
    """One of two pairs, weights 1 - 0 and 1 - 0.3681: the first in 61.3 % of the draws."""
    uncertain = (0.9, 0.1)
    weight = 1 - 0.368064239  # ln 2 - H(0.9) nats
    one = load_variant("tasks.pair_filters", "reliable_sample", bald_rate=0.5)
    first = 0
    for seed in range(3000):
        views = [view(2 * seed, estimates=SURE), view(2 * seed + 1, estimates=uncertain)]
        rings = [each.rank[0] for each in one.competitors(views, seed)]
        first += rings[0] < rings[1]
    assert first / 3000 == pytest.approx(1 / (1 + weight), abs=0.03)


def test_pairs_without_an_estimate_are_not_drawn():
    views = [view(0, estimates=SURE), view(1), view(2, estimates=(0.8,))]
    assert sorted(dropped("reliable_sample", views, bald_rate=1.0)) == [1, 2]


def test_the_likeliest_pairs_stay_by_both_sides_together():
    logps = [(-10.0, -1.0), (-2.0, -2.0), (-5.0, -5.0), (-1.0, -20.0)]
    views = [
        replace(view(n), reference_chosen_logp=chosen, reference_rejected_logp=rejected)
        for n, (chosen, rejected) in enumerate(logps)
    ]
    assert sorted(dropped("likelihood_quantile", views, keep=0.5)) == [0, 3]
    assert dropped("likelihood_quantile", views, keep=1.0) == {}
    with pytest.raises(DataError, match="after the score verb"):
        dropped("likelihood_quantile", [view(0)])


def test_a_contest_that_is_over_drops_what_it_decided():
    views = [view(n) for n in range(3)]
    over = Decided(lost={views[1].pair.pair_id}, reason="why")
    assert over(views) == {views[1].pair.pair_id: "why"}
