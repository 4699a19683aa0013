"""What each call of a verb took: when, how long, with which code. For people; in no digest.

A note for each call that ended lies in `runs/<run>/rounds/00003/work/`; one that was killed leaves
none, so its time is not in any sum.
"""

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from infra.code_version import code_version
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.errors import StorageError
from tasks.records import Place

FOLDER = "work"


@dataclass(frozen=True, kw_only=True, slots=True)
class Worked:
    """One call of a verb."""

    verb: str
    """The verb, e.g. sample."""
    name: str
    """Of the cell or judge, or empty."""
    begun_at: str
    """ISO 8601, UTC."""
    seconds: float
    """How long it took."""
    outcome: str
    """done or failed."""
    code: str
    """Version of the code (`infra.code_version`)."""

    @property
    def ended_at(self) -> str:
        """ISO 8601, UTC."""
        end = datetime.fromisoformat(self.begun_at) + timedelta(seconds=self.seconds)
        return end.isoformat(timespec="milliseconds")


@contextmanager
def noted_work(place: Place, verb: str, name: str) -> Iterator[None]:
    """Write down how long the block took, whether it succeeds or fails."""
    begun_at, clock = datetime.now(UTC), time.monotonic()
    try:
        yield
    except BaseException:
        with suppress(StorageError, OSError):  # what went wrong first is what counts
            _write(place, verb, name, begun_at, time.monotonic() - clock, "failed")
        raise
    _write(place, verb, name, begun_at, time.monotonic() - clock, "done")


def _write(
    place: Place, verb: str, name: str, begun_at: datetime, seconds: float, outcome: str
) -> None:
    one = Worked(
        verb=verb,
        name=name,
        begun_at=begun_at.isoformat(timespec="milliseconds"),
        seconds=round(seconds, 3),
        outcome=outcome,
        code=code_version(),
    )
    file = f"{begun_at:%Y%m%dT%H%M%S%f}-{verb}-{uuid.uuid4().hex[:8]}.json"
    tree = RunTree(open_store(place.storage), place.run)
    tree.write_round(place.round_index, f"{FOLDER}/{file}", asdict(one))


def work_of(tree: RunTree, round_index: int) -> list[Worked]:
    """All calls of a round's verbs that ended, in the order in which they began."""
    paths = sorted(tree.store.list(f"{tree.round_folder(round_index)}/{FOLDER}"))
    return [Worked(**json.loads(tree.store.read(path))) for path in paths]


def seconds_by_verb(work: Iterable[Worked]) -> dict[str, float]:
    """Time that each verb took; calls at the same time count once. In the order of beginning."""
    by_verb: defaultdict[str, list[Worked]] = defaultdict(list)
    for one in work:
        by_verb[one.verb].append(one)
    return {verb: seconds_of(some) for verb, some in by_verb.items()}


def seconds_of(work: Iterable[Worked]) -> float:
    """Seconds in which at least one of these calls was under way."""
    total, until = 0.0, 0.0
    for one in sorted(work, key=lambda one: one.begun_at):
        begun = datetime.fromisoformat(one.begun_at).timestamp()
        total += max(0.0, begun + one.seconds - max(begun, until))
        until = max(until, begun + one.seconds)
    return round(total, 3)
