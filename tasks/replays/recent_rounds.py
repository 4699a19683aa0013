"""Replays pairs of the last rounds, all of them alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.replays._contract import Remembered, Replay, drawn_by_weight


@dataclass(frozen=True, kw_only=True)
class RecentRounds(Replay):
    """A seeded choice among the pairs of the last rounds."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"share": 0.5}
    SEMANTICS: ClassVar[int] = 1

    rounds: Annotated[int, Field(ge=1)] = 1
    """Rounds back that pairs are replayed from."""

    def kept(self, memory: Sequence[Remembered], round_index: int) -> list[Remembered]:
        """Those of `memory` that round `round_index` may replay, in order."""
        return [one for one in memory if round_index - one.round_index <= self.rounds]

    def drawn(self, memory: Sequence[Remembered], own: int, *names: str | int) -> list[Remembered]:
        """Those of `memory` that a round with `own` pairs replays; seeds come from `names`."""
        return drawn_by_weight(memory, self.wanted(own), lambda one: 1.0, *names)


VARIANT = RecentRounds
