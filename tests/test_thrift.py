"""In which order questions are asked where money may not suffice."""

from dataclasses import replace

from tasks.judging import Asked
from tasks.opinions import Annotator, Opinion, comparison_of, questions, verdict_of
from tasks.records import Verdict
from tasks.thrift import is_second, wave_of
from tests.opinion_makers import prompt, response

STRENGTHS = {"large": 2.0, "small": 1.0}
JUDGE = Annotator(name="main", kind="judge")
RESPONSES = {
    "r1": response("r1", "one", cell="large"),
    "r2": response("r2", "two", cell="small"),
}


def both_orders(prompt_id: str = "p1") -> list[Asked]:
    return [
        Asked(one, prompt(), RESPONSES[one.first_id], RESPONSES[one.second_id])
        for one in questions(prompt_id, ("r1", "r2"), both_orders=True, seed=0)
    ]


def looks(prompt_id: str = "p1") -> tuple[Asked, Asked]:
    """The first and the second look at the comparison."""
    first, second = sorted(both_orders(prompt_id), key=lambda one: is_second(one, True))
    return first, second


def said(winner: str | None) -> dict[str, list[Verdict]]:
    """What is known once the first look brought this winner, or no verdict."""
    first, _ = looks()
    sides = {first.question.first_id: "first", first.question.second_id: "second"}
    opinion = Opinion(outcome=sides.get(winner or "", "tie"))
    verdict = verdict_of(opinion, first.question, JUDGE)
    return {comparison_of(verdict): [verdict]}


def test_each_comparison_has_one_first_look() -> None:
    for number in range(20):
        seconds = [is_second(one, True) for one in both_orders(f"p{number}")]
        assert sorted(seconds) == [False, True]


def test_a_coin_picks_the_order_of_the_first_look() -> None:
    shown = [looks(f"p{number}")[0].question.first_id for number in range(200)]
    assert 70 <= shown.count("r1") <= 130


def test_a_judge_that_is_asked_in_one_order_has_no_second_look() -> None:
    assert [is_second(one, False) for one in both_orders()] == [False, False]


def test_a_verdict_is_known_by_its_comparison() -> None:
    first, second = looks()
    assert list(said("r1")) == [first.question.id] == [second.question.id]


def test_first_looks_come_first() -> None:
    assert wave_of(looks()[0], True, said("r1"), STRENGTHS) == 0


def test_a_case_is_clear_where_judge_and_prior_agree() -> None:
    _, second = looks()
    waves = [wave_of(second, True, said(winner), STRENGTHS) for winner in ("r1", "r2", None)]
    assert waves == [2, 1, 1]


def test_without_a_prior_or_a_first_verdict_nothing_is_clear() -> None:
    _, second = looks()
    assert wave_of(second, True, said("r1"), {}) == 1
    assert wave_of(second, True, {}, STRENGTHS) == 1
    same = second._replace(second=replace(second.second, cell=second.first.cell))
    assert wave_of(same, True, said("r1"), STRENGTHS) == 1
