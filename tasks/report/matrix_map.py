"""The matrix as a map: who beats whom in verdicts, and whose responses win the pairs."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from tasks.matches import Match, PairCells


class Met(NamedTuple):
    """How a cell did against another."""

    wins: float
    """A tie is half a win."""
    verdicts: int

    @property
    def share(self) -> float | None:
        """Share of the verdicts that it won; None where the two never met."""
        return self.wins / self.verdicts if self.verdicts else None

    def __add__(self, other: tuple[float, int]) -> "Met":  # type: ignore[override]
        """Both together."""
        return Met(self.wins + other[0], self.verdicts + other[1])


NEVER = Met(0.0, 0)


class MatrixMap(NamedTuple):
    """Rows and columns are cells, in the same order."""

    names: list[str]
    beats: list[list[Met]]
    """[row][column]: how often the row's cell beats the column's."""
    whole: list[Met]
    """By row: against all others."""
    pairs: list[list[int]]
    """[row][column]: pairs with the row's cell chosen, the column's rejected."""
    most_pairs: int
    """The largest of `pairs`, at least 1."""

    @property
    def met(self) -> bool:
        """Whether any two cells met in a verdict."""
        return any(one.verdicts for one in self.whole)

    @property
    def paired(self) -> bool:
        """Whether there are pairs."""
        return any(any(row) for row in self.pairs)


def matrix_map(
    matches: Sequence[Match], pair_cells: Sequence[PairCells], first: Collection[str] = ()
) -> MatrixMap:
    """The map of all cells that met or are in pairs: those of `first` in its order, then others."""
    known = {name for one in matches for name in (one.a, one.b)}
    known |= {name for one in pair_cells for name in (one.chosen, one.rejected)}
    names = [name for name in first if name in known]
    names += sorted(known - set(names))
    beats = {(one.a, one.b): Met(one.a_wins, one.verdicts) for one in matches}
    beats |= {(one.b, one.a): Met(one.verdicts - one.a_wins, one.verdicts) for one in matches}
    counts = {(one.chosen, one.rejected): one.pairs for one in pair_cells}
    rows = [[beats.get((row, column), NEVER) for column in names] for row in names]
    return MatrixMap(
        names=names,
        beats=rows,
        whole=[sum(row, NEVER) for row in rows],
        pairs=[[counts.get((row, column), 0) for column in names] for row in names],
        most_pairs=max(1, *counts.values()) if counts else 1,
    )


def by_strength(cells: Sequence[dict[str, object]]) -> list[str]:
    """Names of the matrix's cells, the strongest first."""
    strengths = {str(one.get("name", "")): float(str(one.get("strength", 0))) for one in cells}
    return sorted(strengths, key=lambda name: (-strengths[name], name))
