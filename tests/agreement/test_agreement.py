"""Biases of judges and agreement between annotators, on rounds that can be counted by hand."""

import math
from dataclasses import replace

import pytest
from agreement_rows import both, figures, person, said, world

from tasks.agreement.settings import AgreementSettings


def judge(verdicts, responses, figure):
    return figures(verdicts, responses)["judge", "", figure]


def test_position_bias_is_what_the_first_shown_wins_beyond_a_half():
    # prompts 0 to 2: the first shown wins in both orders; prompt 3: big wins in both
    rows = [one for i in range(3) for one in both(i, "b", "s")] + both(3, "b")
    found = judge(rows, world(4), "position_bias")
    assert (found.estimate, found.n, found.prompts) == (7 / 8 - 1 / 2, 8, 4)
    assert 0 < found.low < found.estimate <= found.high <= 0.5


def test_order_consistency_counts_questions_answered_alike_in_both_orders():
    rows = [*both(0, "b"), *both(1, "b", "s"), *both(2, "tie"), *both(3, "unparsed", "b")]
    found = judge([*rows, said(4, "b")], world(5), "order_consistency")
    assert (found.estimate, found.n) == (0.5, 4)


def test_ties_are_shares_of_readable_verdicts_and_unparsed_of_all():
    rows = [said(0, "tie"), said(1, "b"), said(2, "s"), said(3, "unparsed")]
    found = figures(rows, world(4))
    assert found["judge", "", "ties"].estimate == pytest.approx(1 / 3)
    assert found["judge", "", "unparsed"].estimate == 1 / 4


def test_where_all_verdicts_are_alike_the_interval_is_wilsons():
    found = judge([one for i in range(4) for one in both(i, "b")], world(4), "order_consistency")
    z2 = 1.959964**2
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(4 / (4 + z2), abs=1e-4)


def test_the_longer_response_wins_where_length_is_all_a_judge_sees():
    found = judge([said(0, "b"), said(1, "b"), said(2, "b"), said(3, "s")], world(4), "longer_wins")
    assert found.estimate == 0.75


def test_responses_of_equal_length_say_nothing_of_length():
    rows = [said(i, "b") for i in range(4)]
    found = figures(rows, world(4, big="same!", small="other"))
    assert found["judge", "", "longer_wins"].estimate is None
    assert found["judge", "", "longer_wins"].reason.endswith("responses of different length")
    assert found["judge", "", "length_effect"].estimate is None


def mixed_lengths(number):
    """Lengths vary within each cell: the big cell's response is the longer one on even prompts."""
    rows = world(number)
    for index in range(number):
        longer, shorter = ("b", "s") if index % 2 else ("s", "b")
        rows[f"{longer}{index}"] = replace(rows[f"{longer}{index}"], text="w" * 16)
        rows[f"{shorter}{index}"] = replace(rows[f"{shorter}{index}"], text="w" * 4)
    return rows


def test_the_length_effect_is_the_log_odds_of_twice_the_length():
    # whichever is longer, by a factor of 4 (two doublings), wins 3 times of 4: log 3 over 2
    rows = []
    for index in range(40):
        longer = "b" if index % 2 else "s"
        other = {"b": "s", "s": "b"}[longer]
        rows += both(index, longer if (index // 2) % 4 else other)
    found = judge(rows, mixed_lengths(40), "length_effect")
    assert found.estimate == pytest.approx(math.log(3) / 2, abs=0.02)
    assert found.low < found.estimate < found.high


def test_a_judge_that_goes_by_quality_alone_has_no_length_effect():
    rows = [one for index in range(40) for one in both(index, "s" if index % 4 < 2 else "b")]
    found = judge(rows, mixed_lengths(40), "length_effect")
    assert abs(found.estimate) < 0.05 and found.low < 0 < found.high


def test_length_that_differs_between_cells_alone_cannot_be_told_from_quality():
    found = judge([said(i, "b") for i in range(20)], world(20), "length_effect")
    assert found.estimate is None and "cannot be told from quality" in found.reason


def test_self_preference_is_what_a_judge_gives_its_own_cell_beyond_what_others_give():
    rows = []
    for index in range(4):
        rows += both(index, "b") + both(index, "b" if index < 1 else "s", by="other")
        rows.append(person(index, "b" if index < 2 else "s"))
    found = figures(rows, world(4), own={"judge": ["big"]})
    # others on prompts 0 to 3: (1, 1), (0, 1), (0, 0), (0, 0), mean 3/8; the judge always 1
    assert found["judge", "big", "self_preference"].estimate == pytest.approx(1 - 3 / 8)
    assert (
        found["other", "", "self_preference"].reason == "the judge's model is no cell of the matrix"
    )


def test_self_preference_needs_somebody_else():
    found = figures([said(i, "b") for i in range(4)], world(4), own={"judge": ["big"]})
    assert "nobody else judged" in found["judge", "big", "self_preference"].reason


def test_agreement_of_two_judges_by_hand():
    # judge: b b b s, other: b b s s.  raw 3/4; chance (3·2 + 1·2)/16 = 1/2; kappa (3/4-1/2)/(1/2)
    mine, theirs = "bbbs", "bbss"
    rows = [one for i in range(4) for one in both(i, mine[i]) + both(i, theirs[i], by="other")]
    found = figures(rows, world(4))
    at = {
        name: found["judge", "other", f"judge_judge_{name}"]
        for name in ("agreement", "kappa", "alpha")
    }
    assert at["agreement"].estimate == 0.75
    assert at["kappa"].estimate == pytest.approx(0.5)
    # 8 labels, 5 b and 3 s: disagreement 2/8 observed, 2·5·3/(8·7) = 30/56 by chance
    assert at["alpha"].estimate == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert all(one.low <= one.estimate <= one.high and one.n == 4 for one in at.values())


def test_a_judge_that_changes_its_mind_with_the_order_counts_as_a_tie():
    rows = [*both(0, "b", "s"), *both(1, "b"), person(0, "tie"), person(1, "b")]
    found = figures(rows, world(2))
    assert found["judge", "people", "judge_human_agreement"].estimate == 1.0


def test_most_people_decide_and_those_split_evenly_are_left_out():
    rows = [*both(0, "b"), *both(1, "b"), *both(2, "b")]
    rows += [person(0, "b", "ann"), person(0, "b", "bo"), person(0, "s", "cy")]
    rows += [person(1, "b", "ann"), person(1, "s", "bo"), person(2, "s", "ann")]
    found = figures(rows, world(3))
    with_people = found["judge", "people", "judge_human_agreement"]
    assert (with_people.estimate, with_people.n) == (0.5, 2)
    assert found["all people", "", "human_human_alpha"].n == 2


def test_one_judge_alone_agrees_with_nobody_and_it_says_so():
    found = figures([one for i in range(4) for one in both(i, "b")], world(4))
    assert not [key for key in found if key[2].startswith("judge_judge")]
    lonely = found["judge", "people", "judge_human_kappa"]
    assert lonely.estimate is None and lonely.reason == "no comparison was judged by both"


def test_where_everybody_always_says_the_same_there_is_no_kappa():
    rows = [one for i in range(4) for one in both(i, "b") + both(i, "b", by="other")]
    found = figures(rows, world(4))
    assert found["judge", "other", "judge_judge_agreement"].estimate == 1.0
    for name in ("kappa", "alpha"):
        one = found["judge", "other", f"judge_judge_{name}"]
        assert one.estimate is None and "chance alone would agree" in one.reason


def test_too_few_prompts_are_not_measurable():
    wanted = AgreementSettings(min_prompts=5)
    found = figures([one for i in range(4) for one in both(i, "b")], world(4), settings=wanted)
    one = found["judge", "", "order_consistency"]
    assert (one.estimate, one.n) == (None, 4)
    assert one.reason == "only 4 prompts; agreement.min_prompts is 5"


def test_scores_that_were_compared_already_are_not_compared_by_another_rule():
    # The judge's tolerance made a tie of grades 4 and 3; the person sees a tie, too.
    rows = [person(index, "tie") for index in range(3)]
    for index in range(3):
        rows += both(index, "tie")
        for letter, score in (("b", 4.0), ("s", 3.0)):
            base = said(index, "b")
            rows.append(
                replace(base, a_id=f"{letter}{index}", b_id="", outcome="scored", score=score)
            )
    found = figures(rows, world(3))
    assert found["judge", "people", "judge_human_agreement"].estimate == 1.0


def test_scores_of_two_responses_are_a_comparison():
    scored = []
    for index, (big, small) in enumerate(((5, 3), (2, 4), (3, 3))):
        for letter, score in (("b", big), ("s", small)):
            base = said(index, "b", by="likert")
            scored.append(
                replace(
                    base, a_id=f"{letter}{index}", b_id="", outcome="scored", score=float(score)
                )
            )
    rows = [*scored, person(0, "b"), person(1, "s"), person(2, "b")]
    found = figures(rows, world(3))
    agreed = found["likert", "people", "judge_human_agreement"]
    assert (agreed.estimate, agreed.n) == (pytest.approx(2 / 3), 3)
    assert found["likert", "", "position_bias"].estimate is None


def test_the_prior_has_no_figures():
    rows = [replace(said(i, "b"), annotator="prior", annotator_kind="prior") for i in range(4)]
    assert figures(rows, world(4)) == {}
