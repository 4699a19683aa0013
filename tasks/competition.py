"""Pairs that compete with all others of a round for room: decided by a few numbers of each."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.pairs import PairView

FREE = 0
"""The group of pairs that compete with nobody: all of them stay."""


class Competitor(NamedTuple):
    """One pair, as far as its chance to stay is concerned."""

    group: int
    """It competes with the others of its group."""
    rank: tuple[float, float]
    """Those with the smallest rank stay."""
    name: str
    """Decides between equal ranks."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A filter after reference scores whose contest is over: it knows which pairs it drops."""

    STAGE: ClassVar[str] = "scored"

    lost: Set[str]
    """Their pair_ids."""
    reason: str
    """Why they are dropped."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id."""
        found = (view.pair.pair_id for view in pairs)
        return {pair_id: self.reason for pair_id in found if pair_id in self.lost}


class Competition:
    """All competitors of a round, in the order of their pairs."""

    def __init__(self) -> None:
        self._groups = [np.empty(0, np.int8)]
        self._ranks = [np.empty((0, 2))]
        self._names: list[NDArray[np.bytes_]] = [np.empty(0, "S1")]

    def add(self, some: Iterable[Competitor]) -> None:
        """Take in the competitors of further pairs."""
        if rows := list(some):
            self._groups.append(np.array([one.group for one in rows], np.int8))
            self._ranks.append(np.array([one.rank for one in rows], np.float64))
            self._names.append(np.array([one.name.encode() for one in rows]))

    @classmethod
    def lost(cls, selection: Any, pairs: Sequence[PairView], reason: str) -> dict[str, str]:
        """`reason` by pair_id for each of `pairs` that a contest among them alone would drop."""
        contest = cls()
        contest.add(selection.competitors(pairs))
        stays = contest.staying(selection.rooms)
        lost = [view for view, stay in zip(pairs, stays, strict=True) if not stay]
        return {view.pair.pair_id: reason for view in lost}

    def staying(self, rooms: Callable[[Mapping[int, int]], Mapping[int, int]]) -> NDArray[np.bool_]:
        """Which pairs stay; `rooms` says from the sizes of groups how many of which may."""
        groups, ranks = np.concatenate(self._groups), np.concatenate(self._ranks)
        names = np.concatenate(self._names)
        found, counts = np.unique(groups, return_counts=True)
        sizes = dict(zip(found.tolist(), counts.tolist(), strict=True))
        stays = np.ones(len(groups), np.bool_)
        for group, room in rooms(sizes).items():
            places = np.flatnonzero(groups == group)
            order = np.lexsort((names[places], ranks[places, 1], ranks[places, 0]))
            stays[places[order[room:]]] = False
        return stays
