"""The estimate door: an estimator's opinions of a round's responses, as verdicts."""

import pytest

from infra.place import counts_of, facts_of
from tasks.correction import CorrectionSettings
from tasks.estimate import estimate
from tasks.records import Prompt
from tests.estimators.estimate_world import PROMPTS, TEXTS, by_word, done, feedback_of
from tests.judged import committed
from tests.small_config import small_place


@pytest.fixture
def place(tmp_path):
    root = f"file://{tmp_path}/store"
    return small_place(root=root, round_index=0, strengths={}, policies={})


def test_without_an_estimator_feedback_is_as_it_was(place):
    given = feedback_of(place)
    asked = committed(place, Prompt, PROMPTS)
    assert estimate(asked, given, None, CorrectionSettings(), place) is given


def test_strengths_of_verdicts_become_scores_passes_and_comparisons(place):
    artifact, made = done(place, "verdict_strength", passes=3, compares="all")
    scores = by_word(made)
    assert min(scores["good"]) > max(scores["fair"]) >= min(scores["fair"]) > max(scores["poor"])
    counts = counts_of(place, artifact)
    assert counts == {"scored": 36, "passes": 108, "compared": 72}
    for one in made:
        if one.b_id:
            words = {
                side: name.partition("-")[0] for side, name in (("a", one.a_id), ("b", one.b_id))
            }
            assert words[one.outcome] == min(words.values(), key=list(TEXTS).index)
            assert (one.p_b_wins > 0.5) == (one.outcome == "b")
    assert {one.annotator for one in made} == {"estimator"}
    assert facts_of(place, artifact)["held_out"] > 0


def test_it_compares_nothing_or_what_others_compared_where_it_is_told_so(place):
    _, silent = done(place, "verdict_strength", compares="none")
    assert not [one for one in silent if one.b_id]
    _, made = done(place, "verdict_strength", compares="compared")
    assert len([one for one in made if one.b_id]) == 72
