"""What calls to servers used: calls, tokens and money, added up from the entries of a journal."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Price = tuple[float, float]
"""USD for a million prompt tokens and for a million completion tokens."""


def is_paid(part: Any) -> bool:
    """Whether asking `part`, an engine or a judge, may cost money.

    It has a setting for the price then, and is not served here. Its calls are journalled.
    """
    return hasattr(part, "price") and getattr(part, "server", None) is None


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
