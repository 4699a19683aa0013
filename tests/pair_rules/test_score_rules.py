"""Pair rules that read scores: the ends, the halves, and who meets whom."""

import math
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.pair_rules.random_matches import matches
from tasks.pairs import PromptPreferences
from tasks.variants import load_variant
from tests.opinion_makers import candidate, preference

WEST = {"r0": 0.1, "r1": 0.9, "r2": 0.4, "r3": -0.3}


def scored(scores, *, dropped=(), reversed_=()):
    """One prompt whose responses were all compared, as their scores say but for some."""
    preferences = []
    for a, b in combinations(sorted(scores), 2):
        outcome = "b" if scores[b] > scores[a] else "a"
        if (a, b) in reversed_:
            outcome = {"a": "b", "b": "a"}[outcome]
        tie = scores[a] == scores[b] or (a, b) in dropped
        margin = math.tanh(abs(scores[a] - scores[b]) / 2)
        preferences.append(preference(a, b, "dropped" if tie else outcome, margin=margin))
    return PromptPreferences(
        preferences=preferences,
        candidates={name: candidate(name) for name in scores},
        scores={"estimator": scores},
    )


def rule(kind, **more):
    return load_variant("tasks.pair_rules", kind, **more)


def sides(pairs):
    return [(pair.chosen_id, pair.rejected_id) for pair in pairs]


def test_west_of_n_takes_the_best_and_the_worst_with_their_bradley_terry_certainty():
    (pair,) = rule("best_vs_worst_score")({"p": scored(WEST)}, 0)
    assert (pair.chosen_id, pair.rejected_id) == ("r1", "r3")
    assert pair.p_chosen == pytest.approx(0.768524783, abs=1e-9)


def test_of_two_responses_west_of_n_is_plain_labelling():
    some = {"p": scored({"r0": 0.1, "r1": 0.9})}
    plain = rule("all_above_margin")(some, 0)
    assert sides(rule("best_vs_worst_score")(some, 0)) == sides(plain) == [("r1", "r0")]


def test_tied_scores_make_no_pair():
    assert rule("best_vs_worst_score")({"p": scored({"r0": 0.5, "r1": 0.5})}, 0) == []
    assert rule("best_vs_worst_score")({"p": scored({})}, 0) == []
    assert rule("best_vs_worst_score").ends({"r0": 0.5, "r1": 0.5}) is None


def test_a_dropped_preference_between_the_ends_makes_no_pair():
    some = scored(WEST, dropped=[("r1", "r3")])
    assert rule("best_vs_worst_score")({"p": some}, 0) == []


def test_who_is_chosen_is_for_the_correction_to_say():
    some = scored(WEST, reversed_=[("r1", "r3")])
    assert sides(rule("best_vs_worst_score")({"p": some}, 0)) == [("r3", "r1")]


def test_the_rejected_one_may_lie_near_two_standard_deviations_below_the_mean():
    """96 ones, 0.6, 0.8, -1 and 1.1: mean 0.975 less twice 0.204 is 0.568, next to 0.6.

    Less 0.204 once it would be 0.771, next to 0.8.
    """
    scores = {f"r{number:02}": 1.0 for number in range(96)}
    scores |= {"s": 0.6, "v": 0.8, "t": -1.0, "u": 1.1}
    mean = sum(scores.values()) / 100
    sd = math.sqrt(sum((one - mean) ** 2 for one in scores.values()) / 100)
    assert mean - 2 * sd == pytest.approx(0.568, abs=1e-3)
    assert rule("best_vs_worst_score").ends(scores) == ("u", "t")
    near = rule("best_vs_worst_score", rejected_pick="mean_minus_2sd")
    assert near.ends(scores) == ("u", "s")
    assert near.ends({"a": 1.0, "b": 0.0}) == ("a", "b"), "of two there is no choice"


@given(st.permutations(list(WEST.items())))
@settings(max_examples=24, deadline=None)
def test_the_order_of_n_responses_is_irrelevant(items):
    (pair,) = rule("best_vs_worst_score")({"p": scored(dict(items))}, 0)
    assert (pair.chosen_id, pair.rejected_id) == ("r1", "r3")


def test_top_against_bottom_pairs_the_halves_and_leaves_the_middle_out():
    scores = {"r0": 0.0, "r1": 1.0, "r2": 2.0, "r3": 3.0, "r4": 4.0}
    found = sides(rule("top_against_bottom")({"p": scored(scores)}, 0))
    assert sorted(found) == [("r3", "r0"), ("r3", "r1"), ("r4", "r0"), ("r4", "r1")]


def test_everybody_meets_one_other():
    scores = {f"r{number}": float(number) for number in range(8)}
    pairs = rule("random_matches")({"p": scored(scores)}, 1)
    met = [name for pair in sides(pairs) for name in pair]
    assert len(pairs) == 4 and sorted(met) == sorted(scores)
    assert all(scores[chosen] > scores[rejected] for chosen, rejected in sides(pairs))


def test_who_meets_whom_is_drawn_without_near_duplicates_and_clear_pairs_alone_stay():
    scores = {f"r{number}": float(number) for number in range(4)}
    prompt = scored(scores)
    twins = {f"t{number}": candidate(f"t{number}", represented_by="r0") for number in range(4)}
    doubled = replace(prompt, candidates={**prompt.candidates, **twins})
    for seed in range(5):
        assert len(rule("random_matches")({"p": doubled}, seed)) == 2
        found = rule("random_matches", min_margin=0.6)({"p": prompt}, seed)
        assert all(pair.margin >= 0.6 for pair in found)
    margins = {one.margin for one in prompt.preferences}
    assert min(margins) < 0.6 < max(margins)


@given(st.sets(st.text("abcd", min_size=1, max_size=4), max_size=9), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_half_as_many_matches_as_responses_in_any_order(ids, seed):
    drawn = matches(ids, "p", seed)
    assert len(drawn) == len(ids) // 2
    assert len({name for two in drawn for name in two}) == 2 * len(drawn)
    assert drawn == matches(sorted(ids, reverse=True), "p", seed)
