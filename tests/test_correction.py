from dataclasses import replace

import pytest

from tasks.correction import CorrectionSettings, correct, prior_verdicts
from tasks.errors import DataError
from tests.opinion_makers import both, candidate, person, verdict

WEAK, STRONG = candidate("r1", 1.0), candidate("r2", 2.0)
HUMAN = candidate("r9", 0.0, origin="human")


def corrected(verdicts, candidates=(WEAK, STRONG), **chosen):
    """The single preference on `candidates`, the prior included among the verdicts."""
    everything = [*prior_verdicts(candidates), *verdicts]
    (preference,) = correct(everything, candidates, CorrectionSettings(**chosen))
    return preference


def summary(preference):
    return preference.outcome, preference.decided_by, preference.reason


def test_the_prior_puts_people_above_strong_above_weak():
    wins = {(v.a_id, v.b_id): v.outcome for v in prior_verdicts([WEAK, STRONG, HUMAN])}
    assert wins == {("r1", "r2"): "b", ("r1", "r9"): "b", ("r2", "r9"): "b"}


def test_samples_of_one_cell_and_equal_texts_have_no_prior():
    assert prior_verdicts([candidate("r1", 1.0), candidate("r2", 1.0)]) == []
    assert prior_verdicts([candidate("r1", 1.0, text="x"), candidate("r2", 2.0, text="x")]) == []


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (both("r1", "r2", "b"), ("b", "judge", "kept")),
        (both("r1", "r2", "a"), ("a", "judge", "swapped")),
        (both("r1", "r2", "a", other="b"), ("dropped", "none", "inconsistent")),
        (both("r1", "r2", "tie"), ("dropped", "none", "tie")),
        (both("r1", "r2", "tie", other="b"), ("dropped", "none", "inconsistent")),
        (both("r1", "r2", "unparsed"), ("dropped", "none", "unparsed")),
        (both("r1", "r2", "b", other="unparsed"), ("dropped", "none", "unparsed")),
        ([], ("dropped", "none", "uncompared")),
    ],
)
def test_one_judge_against_the_prior(verdicts, expected):
    assert summary(corrected(verdicts)) == expected


def test_a_swap_keeps_that_the_prior_was_overruled():
    assert corrected(both("r1", "r2", "a")).overruled == ["prior"]
    assert corrected(both("r1", "r2", "b")).overruled == []


def test_without_a_prior_the_judge_decides():
    equals = (candidate("r1", 1.0), candidate("r2", 1.0))
    assert summary(corrected(both("r1", "r2", "a"), equals)) == ("a", "judge", "no_prior")


def test_a_judge_alone_never_swaps_a_human_written_response():
    reversed_by_judge = both("r1", "r9", "a")
    preference = corrected(reversed_by_judge, (WEAK, HUMAN))
    assert summary(preference) == ("dropped", "none", "protected_human")
    preference = corrected([*reversed_by_judge, person("r1", "r9", "a")], (WEAK, HUMAN))
    assert summary(preference) == ("a", "human", "human")


def test_a_person_overrules_judges_and_prior():
    verdicts = [*both("r1", "r2", "b", by="main"), person("r1", "r2", "a")]
    preference = corrected(verdicts)
    assert summary(preference) == ("a", "human", "human")
    assert preference.overruled == ["main", "prior"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("aab", ("a", "human", "human")),
        ("ab", ("dropped", "none", "people_disagree")),
        ("at", ("dropped", "none", "people_disagree")),
        ("att", ("dropped", "none", "human_tie")),
        ("t", ("dropped", "none", "human_tie")),
    ],
)
def test_the_majority_of_people_decides(said, expected):
    outcomes = {"a": "a", "b": "b", "t": "tie"}
    verdicts = [person("r1", "r2", outcomes[s], by=f"p{i}") for i, s in enumerate(said)]
    assert summary(corrected(verdicts)) == expected


def test_a_person_who_answers_twice_is_one_person():
    verdicts = [person("r1", "r2", "a", by="ann")] * 2
    verdicts += [person("r1", "r2", "b", by=name) for name in ("bob", "cy")]
    preference = corrected(verdicts)
    assert (preference.outcome, preference.overruled) == ("b", ["ann"])
    assert preference.p_b_wins == pytest.approx(2 / 3)


@pytest.mark.parametrize("nothing", ["both_bad", "skip", "unparsed"])
def test_people_without_an_opinion_leave_it_to_the_judges(nothing):
    verdicts = [*both("r1", "r2", "a"), person("r1", "r2", nothing)]
    assert summary(corrected(verdicts)) == ("a", "judge", "swapped")


def test_the_majority_of_judges_decides():
    verdicts = [*both("r1", "r2", "a", by="j1"), *both("r1", "r2", "a", by="j2")]
    verdicts += both("r1", "r2", "b", by="j3")
    preference = corrected(verdicts)
    assert summary(preference) == ("a", "judge", "swapped")
    assert preference.overruled == ["j3", "prior"]


def test_judges_that_cannot_tell_do_not_outvote_one_that_can():
    verdicts = [*both("r1", "r2", "a", by="j1"), *both("r1", "r2", "tie", by="j2")]
    assert summary(corrected(verdicts)) == ("a", "judge", "swapped")


def test_an_equal_number_of_judges_on_both_sides_drops():
    verdicts = [*both("r1", "r2", "a", by="j1"), *both("r1", "r2", "b", by="j2")]
    assert summary(corrected(verdicts)) == ("dropped", "none", "judges_disagree")


@pytest.mark.parametrize("shown", ["a", "b", "unknown"])
@pytest.mark.parametrize(
    ("single_order", "outcome", "expected", "margin"),
    [
        ("weak", "b", ("b", "judge", "kept"), 0.5),
        ("weak", "a", ("dropped", "none", "weak_against_prior"), 0.0),
        ("full", "a", ("a", "judge", "swapped"), 1.0),
        ("ignore", "a", ("dropped", "none", "uncompared"), 0.0),
    ],
)
def test_a_verdict_in_one_order(shown, single_order, outcome, expected, margin):
    only = [verdict("r1", "r2", outcome, shown=shown)]
    preference = corrected(only, single_order=single_order)
    assert (summary(preference), preference.margin) == (expected, margin)


def test_half_a_tie_may_count_as_the_decision():
    half = both("r1", "r2", "tie", other="a")
    preference = corrected(half, half_tie="decision")
    assert (summary(preference), preference.p_b_wins) == (("a", "judge", "swapped"), 0.25)


def test_the_prior_alone_is_kept_where_that_is_wanted():
    preference = corrected([], uncompared="prior")
    assert (summary(preference), preference.p_b_wins) == (("b", "prior", "prior"), 1.0)


def test_a_soft_label_is_the_mean_with_the_prior_as_half_a_vote():
    split = both("r1", "r2", "a", other="b")
    preference = corrected(split, inconsistent="soft")
    # One judge at 0.5 and the prior, weight 0.5, at 1: (0.5 + 0.5) / 1.5.
    assert preference.p_b_wins == pytest.approx(2 / 3)
    assert summary(preference) == ("b", "judge", "soft_inconsistent")


def test_a_soft_label_in_balance_is_dropped():
    equals = (candidate("r1", 1.0), candidate("r2", 1.0))
    split, tied = both("r1", "r2", "a", other="b"), both("r1", "r2", "tie")
    assert corrected(split, equals, inconsistent="soft").reason == "inconsistent"
    assert corrected(tied, equals, tie="soft").reason == "tie"


def test_a_soft_label_does_not_turn_against_a_human_written_response():
    against = both("r1", "r9", "a", p=0.0)
    against += both("r1", "r9", "tie", other="a", by="j2")
    against += both("r1", "r9", "b", p=0.6, by="j3")
    preference = corrected(against, (WEAK, HUMAN), inconsistent="soft")
    assert summary(preference) == ("dropped", "none", "protected_human")


def test_probabilities_of_judges_are_averaged_over_the_orders():
    verdicts = [
        verdict("r1", "r2", "b", shown="a", p=0.9),
        verdict("r1", "r2", "b", shown="b", p=0.7),
    ]
    preference = corrected(verdicts)
    assert preference.p_b_wins == pytest.approx(0.8)
    assert preference.margin == pytest.approx(0.6)


def test_equal_texts_are_never_preferred():
    twins = (candidate("r1", 1.0, text="x"), candidate("r2", 2.0, text="x"))
    assert summary(corrected(both("r1", "r2", "a"), twins)) == ("dropped", "none", "equal_texts")


def test_a_comparison_with_itself_and_a_score_make_no_preference():
    scored = replace(verdict("r1", "r2", "scored"), b_id="")
    rows = [verdict("r1", "r1", "tie"), scored]
    assert correct(rows, [WEAK], CorrectionSettings()) == []


def test_a_response_of_another_prompt_is_an_error():
    stranger = candidate("r2", 2.0, prompt_id="other")
    with pytest.raises(DataError, match="names response r2, which is no candidate"):
        correct(both("r1", "r2", "a"), [WEAK, stranger], CorrectionSettings())


EQUALS = [candidate(f"r{i}", 1.0) for i in range(1, 5)]
CIRCLE = [*both("r1", "r2", "a"), *both("r2", "r3", "a"), *both("r1", "r3", "b")]


def test_a_cycle_is_dropped_and_what_leads_into_it_is_kept():
    verdicts = [*CIRCLE, *both("r1", "r4", "b")]
    reasons = {(p.a_id, p.b_id): p.reason for p in correct(verdicts, EQUALS, CorrectionSettings())}
    assert reasons.pop(("r1", "r4")) == "no_prior"
    assert set(reasons.values()) == {"cycle"}


def test_a_balanced_cycle_has_no_fit():
    preferences = correct(CIRCLE, EQUALS, CorrectionSettings(cycles="bradley_terry"))
    assert [p.outcome for p in preferences] == ["dropped"] * 3


def faint_circle():
    faint = [*both("r1", "r2", "a"), *both("r2", "r3", "a"), *both("r1", "r3", "b", p=0.55)]
    return correct(faint, EQUALS, CorrectionSettings(cycles="bradley_terry"))


def test_a_fit_turns_the_faintest_preference_of_a_cycle():
    outcomes = {(p.a_id, p.b_id): (p.outcome, p.reason) for p in faint_circle()}
    assert outcomes[("r1", "r2")] == ("a", "no_prior")
    assert outcomes[("r2", "r3")] == ("a", "no_prior")
    assert outcomes[("r1", "r3")] == ("a", "bradley_terry")


def test_whoever_a_fit_turns_against_is_overruled():
    assert [p.overruled for p in faint_circle()] == [[], ["judge"], []]


def test_a_fit_never_turns_a_person_s_verdict():
    rows = [*both("r1", "r2", "a"), *both("r2", "r3", "a"), *both("r1", "r3", "b", p=0.55)]
    rows += [verdict("r1", "r3", "b", by="ann", kind="human", p=0.55)]
    by_ids = {
        (p.a_id, p.b_id): p.reason
        for p in correct(rows, EQUALS, CorrectionSettings(cycles="bradley_terry"))
    }
    assert by_ids[("r1", "r3")] == "cycle"
