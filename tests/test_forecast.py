"""What a round's calls will cost, and what the budget says to it, in words."""

import pytest

from tasks.forecast import Forecast, forecast, sentences
from tasks.plan import Line
from tasks.spending import Amount, Budget

SAMPLE = Line(verb="sample", what="large", amount=20, unit="responses", paid_calls=20, cost_usd=1.0)
JUDGE = Line(verb="judge", what="main", amount=40, unit="questions", paid_calls=40, cost_usd=4.0)
FREE = Line(verb="judge", what="rule", amount=40, unit="questions")
UNPRICED = Line(verb="judge", what="other", amount=9, unit="questions", paid_calls=9)
BEFORE = {
    ("sample", "large"): Amount(usd=0.1, calls=10),
    ("judge", "main"): Amount(usd=0.2, calls=10),
}


def said(found: Forecast, *, in_run: float = 0.0, **budget: float | str) -> list[str]:
    spent = Amount(usd=in_run)
    return sentences(found, Budget(**budget), Amount(), spent)  # type: ignore[arg-type]


def test_before_the_first_call_the_most_is_known_and_no_more() -> None:
    found = forecast([SAMPLE, JUDGE, FREE], {})
    assert said(found) == ["cost: 5.00 USD a round, at most (sample large 1.00; judge main 4.00)"]
    assert not found.measured


def test_afterwards_calls_are_expected_to_cost_what_they_did() -> None:
    found = forecast([SAMPLE, JUDGE], BEFORE)
    assert found.expected_usd == pytest.approx(20 * 0.01 + 40 * 0.02)
    assert said(found)[1] == "cost: about 1.00 USD, as calls have cost so far"


def test_what_is_unknown_is_named() -> None:
    assert said(forecast([UNPRICED], {})) == ["cost of other: unknown, no `price` is given"]


def test_a_judge_of_evaluations_is_known_by_its_name() -> None:
    line = Line(verb="judge", what="main · evaluation", amount=5, unit="questions",
                paid_calls=5, cost_usd=1.0)  # fmt: skip
    assert forecast([line], BEFORE).expected_usd == pytest.approx(5 * 0.02)


@pytest.mark.parametrize(
    ("spent", "budget", "end"),
    [
        ({}, {"usd_per_run": 6}, "; the round cannot exceed it"),
        ({}, {"usd_per_run": 2}, "; the round may need more, and then stops"),
        (BEFORE, {"usd_per_run": 0.9}, "; the round will need more, and then stops"),
        (
            BEFORE,
            {"usd_per_run": 2, "when_spent": "degrade"},
            "; the round may need more, and then goes on without the rest",
        ),
    ],
)
def test_the_budget_says_whether_it_is_enough(spent, budget, end):
    last = said(forecast([SAMPLE, JUDGE], spent), in_run=0.1, **budget)[-1]
    assert last.startswith(f"budget of the run: 0.10 of {budget['usd_per_run']:.2f} USD are spent")
    assert last.endswith(end)
