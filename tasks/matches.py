"""Who meets whom among the cells of the matrix: who beats whom, and who wins the pairs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.bradley_terry import Vote
from tasks.records import PreferencePair


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """What verdicts of judges and people say of two cells."""

    a: str
    """Name of a cell."""
    b: str
    """Name of another, after `a` in the alphabet."""
    verdicts: int
    """Verdicts on a response of each."""
    a_wins: float
    """Wins of `a` among them: a tie is half a win, a probability is that much of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairCells:
    """Preference pairs between two cells, those that are held out included."""

    chosen: str
    """The cell whose responses are chosen."""
    rejected: str
    """The cell whose responses are rejected; it may be the same one."""
    pairs: int
    """How many."""


def matches_of(votes: Mapping[Vote, int]) -> list[Match]:
    """One match for each two cells that met, sorted; votes within a cell say nothing."""
    met: Counter[tuple[str, str]] = Counter()
    wins: defaultdict[tuple[str, str], float] = defaultdict(float)
    # Sorted: the order of the votes must not change the last digit of a sum.
    for (one, other, p_other), number in sorted(votes.items()):
        if one == other:
            continue
        a, b = sorted((one, other))
        met[a, b] += number
        wins[a, b] += number * (1 - p_other if one == a else p_other)
    return [
        Match(a=a, b=b, verdicts=number, a_wins=round(wins[a, b], 6))
        for (a, b), number in sorted(met.items())
    ]


def pairs_between(
    pairs: Iterable[PreferencePair], cell_of: Mapping[str, str]
) -> Counter[tuple[str, str]]:
    """How often a response of a cell is chosen over one of another: (chosen, rejected)."""
    return Counter((cell_of[one.chosen_id], cell_of[one.rejected_id]) for one in pairs)


def pair_cells(counted: Mapping[tuple[str, str], int]) -> list[PairCells]:
    """What `pairs_between` counted, sorted."""
    return [
        PairCells(chosen=chosen, rejected=rejected, pairs=number)
        for (chosen, rejected), number in sorted(counted.items())
    ]
