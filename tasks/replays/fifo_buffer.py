"""Replays pairs from a buffer that forgets the oldest and prefers what was replayed least."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.replays._contract import Remembered, Replay, drawn_by_weight


@dataclass(frozen=True, kw_only=True)
class FifoBuffer(Replay):
    """SAPO's buffer: first in, first out; drawn in proportion to 1 / (times replayed + 1).

    A pair's counter is kept under its id in the round's stage, so it outlives processes and
    machines. In a single draw a fresh pair is twice as likely as one that was replayed once.
    Source: arXiv:2405.20830 and its released code, where the counter hangs on an object in memory.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"number": 4, "capacity": 8}
    SEMANTICS: ClassVar[int] = 1

    capacity: Annotated[int, Field(ge=1)] = 2000
    """Pairs that the buffer holds."""

    def kept(self, memory: Sequence[Remembered], round_index: int) -> list[Remembered]:
        """The newest of `memory` that the buffer holds, in order; any round may replay them."""
        return list(memory[-self.capacity :])

    def drawn(self, memory: Sequence[Remembered], own: int, *names: str | int) -> list[Remembered]:
        """Those of `memory` that a round with `own` pairs replays; seeds come from `names`."""
        return drawn_by_weight(memory, self.wanted(own), _freshness, *names)


def _freshness(one: Remembered) -> float:
    return 1 / (one.times_replayed + 1)


VARIANT = FifoBuffer
