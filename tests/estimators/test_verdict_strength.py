"""Strengths of a prompt's responses by their own verdicts."""

import math

import pytest

from tasks.estimates import wins_in_passes
from tasks.estimating import correct_share, is_held_out, measured
from tasks.pairs import PromptPreferences
from tasks.uncertainty import bald
from tasks.variants import load_variant
from tests.opinion_makers import candidate, preference


def strengths(*preferences, ids=("r1", "r2", "r3"), passes=0, seed=1, twins=(), **more):
    members = {name: candidate(name) for name in ids}
    members |= {name: candidate(name, represented_by=of) for name, of in twins}
    prompt = PromptPreferences(preferences=preferences, candidates=members)
    one = load_variant("tasks.estimators", "verdict_strength", passes=passes, **more)
    return one(prompt, "p", seed)


def test_the_fit_of_one_certain_preference_solves_its_equation():
    """Ridge 0.1: with s for the winner and -s for the loser, 1 - sigmoid(2 s) = 0.1 s."""
    scores = strengths(preference("r1", "r2", "a"), ids=("r1", "r2")).scores
    assert scores["r1"] == pytest.approx(-scores["r2"])
    s = scores["r1"]
    assert 1 - 1 / (1 + math.exp(-2 * s)) == pytest.approx(0.1 * s, abs=1e-6)


def test_what_won_against_the_winner_is_stronger_than_both():
    scores = strengths(preference("r1", "r2", "a"), preference("r1", "r3", "b")).scores
    assert scores["r3"] > scores["r1"] > scores["r2"]


def test_dropped_preferences_say_nothing_and_uncompared_responses_have_the_priors_strength():
    assert strengths(preference("r1", "r2", "dropped")).scores == {"r1": 0, "r2": 0, "r3": 0}


def test_a_near_duplicate_has_the_strength_of_the_response_that_stands_in_for_it():
    found = strengths(preference("r1", "r2", "a"), passes=3, twins=[("r9", "r1")])
    assert found.scores["r9"] == found.scores["r1"]
    assert found.passes["r9"] == found.passes["r1"]


def test_passes_are_draws_around_the_fit_and_the_same_again():
    some = preference("r1", "r2", "a")
    found = strengths(some, passes=1000)
    assert found == strengths(some, passes=1000)
    assert found.passes != strengths(some, passes=1000, seed=2).passes
    for name, draws in found.passes.items():
        assert math.fsum(draws) / 1000 == pytest.approx(found.scores[name], abs=0.3)


def test_more_evidence_makes_a_pair_surer():
    """The uncertainty of r1 against r2 falls as both meet four others with the same outcome."""
    ids = tuple(f"r{number}" for number in range(1, 7))
    more = [preference("r1", name, "a") for name in ids[2:]]
    more += [preference("r2", name, "b") for name in ids[2:]]
    one = strengths(preference("r1", "r2", "a"), ids=ids, passes=1000)
    many = strengths(preference("r1", "r2", "a"), *more, ids=ids, passes=1000)
    assert _bald(many) < _bald(one)


def _bald(found):
    return bald(wins_in_passes("r1", "r2", found.passes))


def test_a_held_out_preference_is_measured_by_a_fit_to_the_others():
    """r1 > r2 and r2 > r3 are known, r1 > r3 is held out: the fit has it right."""
    said = [preference("r1", "r2"), preference("r2", "r3"), preference("r1", "r3")]
    prompt = PromptPreferences(
        preferences=said, candidates={name: candidate(name) for name in ("r1", "r2", "r3")}
    )
    estimator = load_variant("tasks.estimators", "verdict_strength", held_out_share=0.3)
    seed = next(
        seed for seed in range(99) if [is_held_out(one, 0.3, seed) for one in said] == [0, 0, 1]
    )
    [gap] = measured(estimator, {"p": prompt}, seed)
    whole = estimator(prompt, "p", seed).scores
    assert 0 < gap < whole["r1"] - whole["r3"]
    assert correct_share([gap, -1.0, 0.0]) == 0.5
    assert correct_share([]) is None
