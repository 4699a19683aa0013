import math
from dataclasses import replace

import pytest

from tasks.errors import ConfigError, DataError
from tasks.leaderboard import leaderboard
from tests.opinion_makers import response, verdict


def world(*texts):
    """Responses big-1, small-1, big-2, small-2, … of prompts p1, p2, …"""
    made = {}
    for number, (big, small) in enumerate(texts, start=1):
        for cell, text in (("big", big), ("small", small)):
            name = f"{cell}-{number}"
            made[name] = response(name, text, prompt_id=f"p{number}", cell=cell)
    return made


def said(number, outcome, **more):
    """What is said about big (a) and small (b) on a prompt."""
    one = verdict(f"big-{number}", f"small-{number}", outcome, **more)
    return replace(one, prompt_id=f"p{number}")


FOUR = world(("xx", "y"), ("xx", "y"), ("xxxx", "y"), ("xxxx", "yyy"))


def by_cell(standings):
    return {one.cell: one for one in standings}


def test_a_win_counts_one_and_a_tie_half():
    found = by_cell(leaderboard([said(1, "a"), said(2, "tie"), said(3, "b")], FOUR))
    big, small = found["big"], found["small"]
    assert (big.win_rate, small.win_rate) == (50.0, 50.0)
    assert (big.wins, big.ties, big.losses, big.verdicts) == (1, 1, 1, 3)
    # values 1, 1/2, 0: standard deviation 1/2, over the root of 3
    assert big.standard_error == pytest.approx(50 / math.sqrt(3))
    assert (big.mean_length, small.mean_length) == (8 / 3, 1.0)
    assert big.strength == pytest.approx(0, abs=1e-6)


def test_a_probability_counts_as_it_is():
    found = leaderboard([said(1, "b", p=0.75), said(2, "b", p=1.0)], FOUR)
    assert [(one.cell, one.win_rate) for one in found] == [("small", 87.5), ("big", 12.5)]


def test_unparsed_verdicts_are_counted_and_in_no_other_figure():
    [big, small] = leaderboard([said(1, "a"), said(2, "unparsed"), said(3, "skip")], FOUR)
    assert (big.win_rate, big.verdicts, big.unparsed, big.standard_error) == (100.0, 1, 2, None)
    assert small.win_rate == 0.0


def test_both_orders_of_a_prompt_are_one_cluster():
    """Two agreeing orders on two prompts are two observations, not four."""
    both = [said(n, o, shown=shown) for n, o in ((1, "a"), (2, "b")) for shown in ("a", "b")]
    [one, _] = leaderboard(both, FOUR)
    single = leaderboard([said(1, "a"), said(2, "b")], FOUR)[0]
    assert one.verdicts == 4
    assert one.standard_error == pytest.approx(single.standard_error)


def test_a_response_compared_with_itself_stands_at_one_half():
    itself = verdict("big-1", "big-1", "a")
    [big] = leaderboard([itself], FOUR)
    assert (big.win_rate, big.verdicts, big.wins, big.losses) == (50.0, 2, 1, 1)


def test_annotators_have_tables_of_their_own_and_the_prior_has_none():
    rows = [said(1, "a"), said(1, "b", by="other"), said(1, "b", by="prior", kind="prior")]
    found = leaderboard(rows, FOUR)
    assert [(one.annotator, one.cell) for one in found] == [
        ("judge", "big"),
        ("judge", "small"),
        ("other", "small"),
        ("other", "big"),
    ]


def test_against_counts_only_comparisons_with_the_baseline():
    third = response("third-1", "z", prompt_id="p1", cell="third")
    rows = [said(1, "a"), verdict("big-1", "third-1", "b")]
    everyone = by_cell(leaderboard(rows, {**FOUR, "third-1": third}))
    assert everyone["big"].win_rate == 50.0
    found = by_cell(leaderboard(rows, {**FOUR, "third-1": third}, against="small"))
    assert (found["big"].win_rate, set(found)) == (100.0, {"big"})
    with pytest.raises(ConfigError, match="anything with 'none'; cells are: big, small, third"):
        leaderboard(rows, {**FOUR, "third-1": third}, against="none")


def test_a_stronger_cell_has_the_greater_bradley_terry_strength():
    rows = [said(n, "a") for n in (1, 2, 3)] + [said(4, "b")]
    big, small = leaderboard(rows, FOUR)
    # 3 of 4 won: a gap of log 3, held back by the ridge
    assert 0.8 < big.strength - small.strength < math.log(3)
    assert big.strength + small.strength == pytest.approx(0, abs=1e-9)


def test_a_cell_of_which_nothing_is_said_stands_last_without_a_rate():
    third = response("third-1", "z", prompt_id="p1", cell="a-third")
    rows = [said(1, "b"), replace(verdict("big-1", "third-1", "unparsed"), prompt_id="p1")]
    found = leaderboard(rows, {**FOUR, "third-1": third})
    assert [(one.cell, one.win_rate) for one in found] == [
        ("small", 100.0),
        ("big", 0.0),
        ("a-third", None),
    ]


def test_criteria_have_tables_of_their_own():
    rows = [replace(said(1, "a"), criterion="helpful"), replace(said(1, "b"), criterion="harmless")]
    found = [(one.criterion, one.cell, one.win_rate) for one in leaderboard(rows, FOUR)]
    assert found[0] == ("harmless", "small", 100.0) and found[2] == ("helpful", "big", 100.0)


def test_a_verdict_that_two_judges_bring_is_refused():
    with pytest.raises(DataError, match="two judges bring a verdict of 'judge' on big-1"):
        leaderboard([said(1, "a"), said(1, "a")], FOUR)
