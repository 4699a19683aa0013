"""What calls to servers used: calls, tokens and money, added up from the entries of a journal."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Protocol

from tasks.spending import Price


def is_paid(part: Any) -> bool:
    """Whether asking `part`, an engine or a judge, may cost money.

    It has a setting for the price then, and is not served here. Its calls are journalled.
    """
    return hasattr(part, "price") and getattr(part, "server", None) is None


def paid_parts(part: Any) -> list[Any]:
    """`part` and the parts in it, e.g. the members of a panel, that may cost money."""
    if isinstance(part, Mapping):
        return [one for inner in part.values() for one in paid_parts(inner)]
    if isinstance(part, (list, tuple)):
        return [one for inner in part for one in paid_parts(inner)]
    if not is_dataclass(part):
        return []
    inside = [one for each in fields(part) for one in paid_parts(getattr(part, each.name))]
    return [part, *inside] if is_paid(part) else inside


def cost_usd(
    price: Price | None, prompt_tokens: int | None, completion_tokens: int | None
) -> float | None:
    """What the tokens cost; None where the price is not known or nobody counted."""
    if price is None or prompt_tokens is None or completion_tokens is None:
        return None
    return (prompt_tokens * price[0] + completion_tokens * price[1]) / 1e6


@dataclass(kw_only=True)
class Usage:
    """A sum over the calls of a stage, those of earlier processes included."""

    price: Price | None = None
    """As the configuration gives it; None if it does not."""
    calls: int = 0
    """Answered calls."""
    short_calls: int = 0
    """Of those, calls with fewer choices than were asked for: each led to a further call."""
    uncounted_calls: int = 0
    """Of those, calls whose tokens the server did not count: they are missing in what follows."""
    prompt_tokens: int = 0
    """Tokens read."""
    completion_tokens: int = 0
    """Tokens written."""
    failed: Counter[str] = field(default_factory=Counter)
    """Failed attempts by what went wrong: an HTTP status, timeout, connection, cut, ..."""

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, Any]], price: Price | None) -> "Usage":
        """The sum of `entries`."""
        usage = cls(price=price)
        for entry in entries:
            usage.add(entry)
        return usage

    def add(self, entry: Mapping[str, Any]) -> None:
        """Count one entry of a journal: an answered call, or a failed attempt."""
        if "failed" in entry:
            self.failed[entry["failed"]] += 1
            return
        read, written = entry["prompt_tokens"], entry["completion_tokens"]
        self.calls += 1
        self.short_calls += len(entry["choices"]) < entry["asked"]
        self.uncounted_calls += read is None or written is None
        self.prompt_tokens += read or 0
        self.completion_tokens += written or 0

    @property
    def cost_usd(self) -> float | None:
        """What all of it cost, None where the price is not known."""
        return cost_usd(self.price, self.prompt_tokens, self.completion_tokens)

    @property
    def plain(self) -> dict[str, Any]:
        """As it stands in a stage's side file."""
        return {
            "calls": self.calls,
            "short_calls": self.short_calls,
            "uncounted_calls": self.uncounted_calls,
            "failed_attempts": dict(sorted(self.failed.items())),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost_usd": self.cost_usd,
        }

    def __str__(self) -> str:
        cost = "" if self.cost_usd is None else f", {self.cost_usd:,.4f} USD"
        failed = f", {self.failed.total():,} failed attempts" if self.failed else ""
        tokens = self.prompt_tokens + self.completion_tokens
        return f"{self.calls:,} calls{failed}, {tokens:,} tokens{cost}"


def summed(sides: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What several stages used together, from their side files; those that paid nothing count 0.

    The cost is None where that of a part is not known; nothing is said where nobody was asked.
    """
    paid = [side for side in sides if "calls" in side]
    if not paid:
        return {}
    whole = Usage().plain
    for side in paid:
        for name in whole.keys() - {"failed_attempts", "cost_usd"}:
            whole[name] += side[name]
        failed = Counter(whole["failed_attempts"]) + Counter(side["failed_attempts"])
        whole["failed_attempts"] = dict(sorted(failed.items()))
    costs = [side["cost_usd"] for side in paid]
    return {**whole, "cost_usd": None if None in costs else sum(costs)}


class Noted(Protocol):
    """What shows a note, e.g. a progress bar."""

    note: str


def watching(price: Price | None, shown: Noted) -> Callable[[Mapping[str, Any]], None]:
    """Takes the entries of a journal one by one, and notes on `shown` what they add up to."""
    usage = Usage(price=price)

    def watch(entry: Mapping[str, Any]) -> None:
        usage.add(entry)
        shown.note = str(usage)

    return watch
