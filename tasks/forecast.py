"""What a round's calls will cost, said before the first is made; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.plan import Line
from tasks.spending import Amount, Budget

Spent = Mapping[tuple[str, str], Amount]
"""What a verb's cell or judge has spent so far, by (verb, name)."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Costs of one round (USD)."""

    parts: tuple[tuple[str, float, float], ...]
    """Verb with cell or judge, expected and highest cost."""
    unknown: tuple[str, ...]
    """Cells and judges that are paid, but without a price."""
    measured: bool
    """Whether calls made so far say what all of them may be expected to cost."""

    @property
    def expected_usd(self) -> float:
        """What calls cost so far, for as many calls; the highest cost where there were none."""
        return sum(expected for _, expected, _ in self.parts)

    @property
    def highest_usd(self) -> float:
        """If every prompt and reply is as long as it may be."""
        return sum(highest for _, _, highest in self.parts)


def forecast(lines: Sequence[Line], spent: Spent) -> Forecast:
    """The costs of a plan."""
    paid = [line for line in lines if line.paid_calls]
    parts, measured = [], True
    for line in paid:
        if line.cost_usd is None:
            continue
        before = spent.get((line.verb, line.what.partition(" · ")[0]))
        expected = line.cost_usd
        if before is not None and before.calls:
            expected = min(expected, line.paid_calls * before.usd / before.calls)
        else:
            measured = False
        parts.append((f"{line.verb} {line.what}", expected, line.cost_usd))
    unknown = tuple(line.what for line in paid if line.cost_usd is None)
    return Forecast(parts=tuple(parts), unknown=unknown, measured=measured)


def sentences(found: Forecast, budget: Budget, in_round: Amount, in_run: Amount) -> list[str]:
    """The forecast in words, what is unknown, and what the budget says to it."""
    said = []
    if found.parts:
        by_part = "; ".join(f"{name} {high:,.2f}" for name, _, high in found.parts)
        said.append(f"cost: {found.highest_usd:,.2f} USD a round, at most ({by_part})")
        if found.measured:
            said.append(f"cost: about {found.expected_usd:,.2f} USD, as calls have cost so far")
    if found.unknown:
        said.append(f"cost of {', '.join(found.unknown)}: unknown, no `price` is given")
    limits = {"round": in_round.usd, "run": in_run.usd}
    for scope, spent in limits.items():
        limit = budget.limit("usd", scope)
        if limit is not None:
            said.append(_budget(scope, spent, limit, found, budget))
    return said


def _budget(scope: str, spent: float, limit: float, found: Forecast, budget: Budget) -> str:
    told = f"budget of the {scope}: {spent:,.2f} of {limit:,.2f} USD are spent"
    left = limit - spent
    if found.highest_usd <= left:
        return f"{told}; the round cannot exceed it"
    ends = {"stop": "stops", "degrade": "goes on without the rest"}[budget.when_spent]
    likely = "will" if found.measured and found.expected_usd > left else "may"
    return f"{told}; the round {likely} need more, and then {ends}"


def cost_facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A line of the report for each part of a round whose calls cost money."""
    spent: Mapping[str, float] = manifest.get("spent_usd", {})
    return [(f"cost of {part}", f"{usd:,.4f} USD") for part, usd in spent.items() if usd]
