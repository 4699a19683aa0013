"""What is asked first where money may not suffice for all questions; pure.

The rule of `budget.when_spent: degrade`. Each comparison is asked in one order, which a coin picks.
Then the other order is asked where the case is not clear, and at last where it is. A case is clear
if the judge prefers the response of the stronger cell: that is what the prior says, too. What the
budget no longer allows is left out: of clear cases first the second look, then whole comparisons.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tasks.judging import Asked
from tasks.opinions import comparison_of
from tasks.records import Verdict
from tasks.seeds import uniform_of

WAVES = 3
"""First orders, second orders of unclear cases, second orders of clear cases."""


Given = tuple[int, list[Verdict], Mapping[str, int]]
"""A shard, its verdicts, and what was lost for which reason."""


def in_waves(
    ask: Callable[[Mapping[int, Sequence[Asked]]], Iterator[Given]],
    to_do: Mapping[int, list[Asked]],
    strengths: Mapping[str, float],
) -> Iterator[Given]:
    """Each shard's verdicts, after the last wave; `ask` asks all questions of one wave."""
    known: defaultdict[str, list[Verdict]] = defaultdict(list)
    lost: dict[int, Counter[str]] = {index: Counter() for index in to_do}
    found: dict[int, list[Verdict]] = {index: [] for index in to_do}
    left = dict(to_do)
    for wave in range(WAVES):
        now: dict[int, list[Asked]] = {}
        for index, asked in left.items():
            due = [wave_of(one, True, known, strengths) <= wave for one in asked]
            now[index] = [one for one, is_due in zip(asked, due, strict=True) if is_due]
            left[index] = [one for one, is_due in zip(asked, due, strict=True) if not is_due]
        for index, verdicts, losses in ask(now):
            found[index] += verdicts
            lost[index].update(losses)
            for verdict in verdicts:
                known[comparison_of(verdict)].append(verdict)
    for index in to_do:
        yield index, found[index], lost[index]


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
