"""What is asked first where money may not suffice for all questions; pure.

The rule of `budget.when_spent: degrade`. Each comparison is asked in one order, which a coin picks.
Then the other order is asked where the case is not clear, and at last where it is. A case is clear
if the judge prefers the response of the stronger cell: that is what the prior says, too. What the
budget no longer allows is left out: of clear cases first the second look, then whole comparisons.
"""

from collections.abc import Iterable, Mapping

from tasks.judging import Asked
from tasks.records import Verdict
from tasks.seeds import uniform_of

WAVES = 3
"""First orders, second orders of unclear cases, second orders of clear cases."""


def is_second(asked: Asked, both_orders: bool) -> bool:
    """Whether the question is the second look at its comparison."""
    if not both_orders:
        return False
    first_is_a = uniform_of(0, "first order", asked.question.id) < 0.5
    return first_is_a != (asked.question.first_id < asked.question.second_id)


def is_clear(asked: Asked, verdicts: Iterable[Verdict], strengths: Mapping[str, float]) -> bool:
    """Whether the first look at the comparison says what the prior says."""
    gap = strengths.get(asked.first.cell, 0.0) - strengths.get(asked.second.cell, 0.0)
    if not gap:
        return False
    stronger = asked.question.first_id if gap > 0 else asked.question.second_id
    winners = {"a": lambda one: one.a_id, "b": lambda one: one.b_id}
    found = [winners[one.outcome](one) for one in verdicts if one.outcome in winners]
    return bool(found) and all(winner == stronger for winner in found)


def wave_of(
    asked: Asked,
    both_orders: bool,
    known: Mapping[str, list[Verdict]],
    strengths: Mapping[str, float],
) -> int:
    """In which wave, 0-based, the question is asked; `known` are verdicts by comparison."""
    if not is_second(asked, both_orders):
        return 0
    return 2 if is_clear(asked, known.get(asked.question.id, ()), strengths) else 1
