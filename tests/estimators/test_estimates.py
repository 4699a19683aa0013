"""Scores and passes as they are read from verdicts."""

from dataclasses import replace

import pytest

from tasks.estimates import PASS, passes_of, scores_of, wins_in_passes
from tasks.estimating import annotator_of, compared_by, estimate_verdicts
from tasks.estimators._contract import Estimated
from tasks.pairs import PromptPreferences
from tasks.uncertainty import bald, uncertainties
from tasks.variants import load_variant
from tests.opinion_makers import both, candidate, verdict


def scored(name, score, *, by="estimator", criterion="overall", replicate=0):
    blank = verdict(name, name, "scored", by=by)
    return replace(blank, b_id="", score=score, criterion=criterion, replicate=replicate)


def passes(name, *scores):
    return [scored(name, one, criterion=PASS, replicate=t) for t, one in enumerate(scores)]


def test_scores_are_those_of_the_annotator_that_is_asked_for():
    said = [scored("r1", 1.0), scored("r1", 3.0, by="rm"), scored("r1", 5.0, by="rm", replicate=1)]
    assert scores_of(said, {"rm"}) == {"rm": {"r1": 4.0}}
    assert scores_of(said, {"nobody"}) == {"nobody": {}}


def test_aspects_and_passes_are_no_scores():
    said = [*passes("r1", 7.0, 8.0), scored("r1", 9.0, criterion="clarity")]
    assert scores_of(said, {"estimator"}) == {"estimator": {}}
    assert passes_of(said) == {"r1": [7.0, 8.0]}


def test_passes_are_the_estimators_in_the_order_of_their_numbers():
    said = [*passes("r1", 7.0, 8.0, 9.0)[::-1], scored("r1", 1.0, by="rubric", criterion=PASS)]
    assert passes_of(said) == {"r1": [7.0, 8.0, 9.0]}


def test_a_single_pass_says_nothing_of_how_sure_it_is():
    assert uncertainties([*passes("r1", 1.0), *passes("r2", 0.0)]) == {}


def test_it_compares_what_was_compared_or_all_and_nothing_that_it_did_not_score():
    members = {name: candidate(name) for name in ("r1", "r2", "r3")}
    prompt = PromptPreferences(preferences=[], candidates=members)
    both_kinds = [
        compared_by(load_variant("tasks.estimators", "verdict_strength", compares=which), prompt,
                    [("r1", "r2"), ("r1", "gone")])
        for which in ("compared", "all")
    ]  # fmt: skip
    assert both_kinds == [{("r1", "r2")}, {("r1", "r2"), ("r1", "r3"), ("r2", "r3")}]
    known = Estimated({"r1": 1.0, "r2": 0.0}, {})
    said = estimate_verdicts(known, [*members.values()], both_kinds[1], annotator_of("v"))
    assert {(one.a_id, one.b_id) for one in said if one.b_id} == {("r1", "r2")}
    assert [one.outcome for one in said if not one.b_id] == ["scored", "scored", "unparsed"]


def test_the_uncertainty_of_the_papers_two_passes():
    assert bald([0.9, 0.1]) == pytest.approx(0.368064239, abs=1e-6)
    assert bald([0.5, 0.5]) == bald([0.9, 0.9]) == 0
    assert bald([0.9, 0.5]) == pytest.approx(0.101749225, abs=1e-9)


def test_with_an_estimator_uncertainty_is_that_of_its_passes_alone():
    """Logits ln 9 and 0 are probabilities 0.9 and 0.5; the judge's opinions play no part."""
    said = [*passes("r1", 2.197224577, 0.0), *passes("r2", 0.0, 0.0)]
    said += both("r1", "r2", "a", other="b")
    found = uncertainties(said)
    assert found == {("r1", "r2"): pytest.approx(0.101749225, abs=1e-9)}


def test_a_judge_that_was_not_asked_makes_no_uncertainty_of_what_the_estimator_scored():
    said = [*passes("r1", 1.0, 0.0), *passes("r2", 0.0, 1.0), *passes("r3", 0.0, 0.0)]
    assert sorted(uncertainties(said)) == [("r1", "r2"), ("r1", "r3"), ("r2", "r3")]
    assert uncertainties(both("r1", "r2", "a")) == {("r1", "r2"): 0.0}


def test_a_pass_is_compared_with_the_same_pass():
    found = wins_in_passes("r1", "r2", {"r1": [0.0, 2.0], "r2": [0.0, 0.0]})
    assert found == pytest.approx([0.5, 0.880797078])
    assert wins_in_passes("r1", "r3", {"r1": [1.0]}) == []
