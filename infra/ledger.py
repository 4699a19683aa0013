"""What a run spends, written down for all its processes, and asked before every call.

A line of `<run>/spending` says what some calls of one stage cost. Sums over the lines are what is
spent; what is reserved for calls in flight is known to this process alone, so several processes
may together exceed a budget by the calls that are in flight in them, never by more.
"""

import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.journal import Journal
from infra.openai_calls import Call, Reply
from infra.storage import Store
from tasks.spending import (
    NOTHING,
    UNITS,
    Account,
    Amount,
    Answer,
    Budget,
    Price,
    amount_of,
)


class Ledger:
    """The account of one run, kept in a file that its processes share; thread-safe."""

    def __init__(self, local: Path, store: Store | None = None, remote: str = "") -> None:
        self._journal = Journal(local, store, remote, heard=self._hear)
        self._lock = threading.Lock()
        self._account = Account(Budget())
        self._parts: defaultdict[tuple[int, str, str], Amount] = defaultdict(Amount)

    def _hear(self, line: Mapping[str, Any]) -> None:
        amount = Amount(**{unit: line[unit] for unit in UNITS})
        with self._lock:
            self._account.spend(line["round"], amount)
            self._parts[line["round"], line["verb"], line["who"]] += amount

    def __enter__(self) -> "Ledger":
        self._journal.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._journal.__exit__(*raised)

    def hold_to(self, budget: Budget) -> None:
        """From now on calls must fit `budget`."""
        with self._lock:
            self._account.budget = budget

    def reserve(self, round_index: int, estimate: Amount) -> Answer:
        """Set `estimate` aside for a call if the budget allows it now."""
        self._journal.catch_up()
        with self._lock:
            answer = self._account.ask(round_index, estimate)
            if answer == "go":
                self._account.reserve(round_index, estimate)
            return answer

    def release(self, round_index: int, estimate: Amount) -> None:
        """Give back what was set aside."""
        with self._lock:
            self._account.reserve(round_index, -estimate)

    def book(self, round_index: int, verb: str, who: str, spent: Amount) -> None:
        """Write down what was spent; it counts, and is on disk, when this returns."""
        line = {"round": round_index, "verb": verb, "who": who}
        amounts = {unit: getattr(spent, unit) for unit in UNITS}
        self._journal.append_all([(uuid.uuid4().hex, line | amounts)])

    def spent(self, round_index: int | None = None) -> Amount:
        """What a round has spent, or the whole run."""
        with self._lock:
            return self._account.run if round_index is None else self._account.rounds[round_index]

    def parts(self, round_index: int | None = None) -> dict[tuple[str, str], Amount]:
        """What each verb's cells and judges have spent, in a round or in the whole run."""
        found: defaultdict[tuple[str, str], Amount] = defaultdict(Amount)
        with self._lock:
            for (number, verb, who), amount in sorted(self._parts.items()):
                if round_index in (None, number):
                    found[verb, who] += amount
        return dict(found)

    def usd(self, round_index: int) -> dict[str, float]:
        """What a round has spent (USD), by verb with its cell or judge."""
        parts = self.parts(round_index)
        return {f"{verb} {who}": round(one.usd, 6) for (verb, who), one in parts.items()}

    def why(self, round_index: int, estimate: Amount) -> str:
        """Which limit stands against a call, in words."""
        with self._lock:
            return self._account.why(round_index, estimate)


def past_spending(local: Path, store: Store, remote: str) -> Ledger:
    """What a run has spent so far, closed; a run that has paid for nothing leaves no file."""
    ledger = Ledger(local, store, remote)
    if local.exists() or store.list(remote):
        with ledger:
            pass
    return ledger


_open: dict[Path, tuple[Ledger, int]] = {}
_open_lock = threading.Lock()


@contextmanager
def opened_ledger(local: Path, store: Store, remote: str, budget: Budget) -> Iterator[Ledger]:
    """The process's one ledger in the file `local`: what its threads reserve adds up."""
    with _open_lock:
        ledger, users = _open.get(local) or (Ledger(local, store, remote).__enter__(), 0)
        _open[local] = ledger, users + 1
    ledger.hold_to(budget)
    try:
        yield ledger
    finally:
        with _open_lock:
            users = _open[local][1] - 1
            _open[local] = ledger, users
            if not users:
                del _open[local]
                ledger.__exit__(None, None, None)


@dataclass(frozen=True, kw_only=True)
class Purse:
    """The ledger as one stage's calls see it."""

    ledger: Ledger
    round_index: int
    verb: str
    who: str
    """Cell or judge."""
    price: Price | None
    degrades: bool = False
    """Whether calls that the budget does not allow are left out, instead of ending the batch."""

    def estimate(self, call: Call) -> Amount:
        """What `call` costs at most."""
        return amount_of(self.price, call.read_at_most, call.written_at_most)

    def reserve(self, estimate: Amount) -> Answer:
        """Set `estimate` aside for an attempt, if the budget allows it."""
        return self.ledger.reserve(self.round_index, estimate)

    def release(self, estimate: Amount) -> None:
        """Give back what was set aside."""
        self.ledger.release(self.round_index, estimate)

    def cost(self, reply: Reply, estimate: Amount) -> Amount:
        """What an answer cost; its estimate where the server did not count."""
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            return estimate
        return amount_of(self.price, reply.prompt_tokens, reply.completion_tokens)

    def book(self, spent: Amount) -> None:
        """Write down what calls cost."""
        if spent != NOTHING:
            self.ledger.book(self.round_index, self.verb, self.who, spent)

    def why(self, estimate: Amount) -> str:
        """Which limit stands against a call, and what to do about it."""
        limit = self.ledger.why(self.round_index, estimate)
        return (
            f"{limit}. What was paid is kept: raise the budget and start again, or write "
            "budget.when_spent: degrade to go on without the rest"
        )
