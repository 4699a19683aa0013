"""What comparison rules, the prior and pair rules know about a response: all but its text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from tasks.canonical import short_id
from tasks.records import Response
from tasks.seeds import uniform_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A response that may be compared with the other responses to its prompt."""

    prompt_id: str
    """The prompt it answers."""
    response_id: str
    """The response."""
    cell: str
    """Name of the matrix cell it came from."""
    strength: float
    """How good the cell is presumed to be; only the order counts for the prior."""
    origin: str
    """policy, model, human or recorded."""
    sample_index: int
    """0-based index among the samples of its cell for this prompt."""
    text_digest: str
    """Equal for responses that read the same."""
    represented_by: str = ""
    """The response of nearly the same text that is compared in its place; empty if it is itself."""

    @property
    def rank(self) -> tuple[bool, float]:
        """Place in the presumed order: people above models, then by strength."""
        return self.origin == "human", self.strength


def candidate_of(response: Response, strength: float) -> Candidate:
    """`response` as a candidate whose cell is presumed to have `strength`."""
    return Candidate(
        prompt_id=response.prompt_id,
        response_id=response.response_id,
        cell=response.cell,
        strength=strength,
        origin=response.origin,
        sample_index=response.sample_index,
        text_digest=short_id(response.text.strip()),
    )


def different_texts(candidates: Iterable[Candidate]) -> list[tuple[Candidate, Candidate]]:
    """All unordered pairs whose texts differ, the smaller id first, sorted by ids."""
    ordered = sorted(candidates, key=lambda candidate: candidate.response_id)
    return [(a, b) for a, b in combinations(ordered, 2) if a.text_digest != b.text_digest]


def in_line(candidates: Sequence[Candidate], seed: int) -> list[str]:
    """Response ids from weak to strong; equals in seeded order, of equal texts the strongest."""
    by_rank = sorted(
        candidates,
        key=lambda one: (one.rank, uniform_of(seed, "place", one.response_id), one.response_id),
    )
    strongest = {candidate.text_digest: candidate.response_id for candidate in by_rank}
    return [one.response_id for one in by_rank if strongest[one.text_digest] == one.response_id]
