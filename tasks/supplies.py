"""What a round has of what a loss needs beyond pairs and their log-probabilities."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from tasks.derivations import SEGMENT, Derivation
from tasks.pair_examples import Examples, Scores, reference_logps
from tasks.records import PreferencePair
from tasks.side_table import reads_side_table, side_schema
from tasks.training_data import Tokenised

Row = dict[str, Any]


def never(_token: int) -> bool:
    """What is said of a token where all count."""
    return False


@dataclass(frozen=True, kw_only=True)
class Supplies:
    """All that rows of a side table are made of."""

    loss: Any
    """Says which of it is needed."""
    ids: Tokenised
    """Token ids of the pairs' and the explored responses."""
    scores: Sequence[Scores]
    """Of each reference, the base first."""
    explored: Mapping[str, str]
    """A further response of each prompt that has one."""
    uncertainties: Mapping[tuple[str, str], float]
    """By a_id and b_id, where there are opinions enough."""
    unmarked: Callable[[int], bool] = never
    """Whether a token does not count as edited wherever it stands."""
    segments: Mapping[tuple[str, str], Derivation] = field(default_factory=dict)
    """What was written anew, by the ids of the response as it was and as it is then."""
    variants: Mapping[str, Sequence[tuple[int, str]]] = field(default_factory=dict)
    """Degrees and ids of the degraded variants of responses that fit, by the response's id."""

    def lacking(self, pairs: Sequence[PreferencePair]) -> dict[str, str]:
        """The reason by pair_id of each pair that lacks something."""
        reasons = {pair.pair_id: self._lacks(pair) for pair in pairs}
        return {pair_id: reason for pair_id, reason in reasons.items() if reason}

    def _lacks(self, pair: PreferencePair) -> str | None:
        if "uncertainty" in self.loss.REQUIRES and _compared(pair) not in self.uncertainties:
            return "one_opinion"
        if "explored" in self.loss.OTHERS:
            found = self.explored.get(pair.prompt_id)
            if found is None or not self.ids.responses[found]:
                return "no_explored_response"
            if any(found not in one for one in self.scores):
                return "explored_longer_than_max_tokens"
        if SEGMENT in _token_columns(self.loss) and _sides(pair) not in self.segments:
            return "no_segment"
        return None

    def added(self, pairs: Sequence[PreferencePair], made: Examples) -> Examples:
        """`made` of `pairs`, with a row of the side table for each if the loss reads one."""
        if not reads_side_table(self.loss):
            return made
        by_id = {pair.pair_id: pair for pair in pairs}
        return made._replace(side=[self._row(by_id[one.example_id]) for one in made.examples])

    def _row(self, pair: PreferencePair) -> Row:
        """What the loss needs of `pair` beside its example."""
        wanted = side_schema(self.loss).names
        row: Row = {"example_id": pair.pair_id}
        if "uncertainty" in wanted:
            row["uncertainty"] = self.uncertainties[_compared(pair)]
        if "explored_ids" in wanted:
            explored = self.explored[pair.prompt_id]
            row["explored_ids"] = self.ids.responses[explored]
            row["explored_logps"] = reference_logps(self.scores, explored)
        if any(name.endswith("_edited") for name in wanted):
            chosen, rejected = (self.ids.responses[one] for one in _sides(pair))
            marks = edited(chosen, rejected, self.unmarked)
            row |= dict(zip(("chosen_edited", "rejected_edited"), marks, strict=True))
        if SEGMENT in _token_columns(self.loss):
            row |= self._segment(pair)
        if self.loss.HEAD_CLASSES:
            row |= self._degraded(pair)
        return {name: row[name] for name in wanted}

    def _segment(self, pair: PreferencePair) -> Row:
        """1 for each token of the segment, as it was and as it is, else 0."""
        found = self.segments[_sides(pair)]
        first = found.start or 0
        lengths = zip(_sides(pair), (found.replaced or 0, found.written or 0), strict=True)
        marks = [
            [
                float(first <= place < first + length)
                for place in range(len(self.ids.responses[one]))
            ]
            for one, length in lengths
        ]
        return {f"chosen_{SEGMENT}": marks[0], f"rejected_{SEGMENT}": marks[1]}

    def _degraded(self, pair: PreferencePair) -> Row:
        """The responses that have variants, as degree 0, each with its variants behind it."""
        rows = [
            row
            for one in _sides(pair)
            if one in self.variants
            for row in ((0, one), *self.variants[one])
        ]
        return {
            "degraded_ids": [self.ids.responses[one] for _, one in rows],
            "degrees": [degree for degree, _ in rows],
        }


def _token_columns(loss: Any) -> set[str]:
    return {name for _, name in loss.TOKEN_COLUMNS}


def _sides(pair: PreferencePair) -> tuple[str, str]:
    return pair.chosen_id, pair.rejected_id


def _compared(pair: PreferencePair) -> tuple[str, str]:
    a_id, b_id = sorted(_sides(pair))
    return a_id, b_id


def edited(
    chosen: Sequence[int], rejected: Sequence[int], unmarked: Callable[[int], bool] = never
) -> tuple[list[float], list[float]]:
    """1 for each token that the longest matching blocks leave out, else 0, for both sides.

    What is `unmarked` is 0 as well. Source: arXiv:2408.07471, whose program leaves stop words out.
    """
    marks = [1.0] * len(chosen), [1.0] * len(rejected)
    matcher = SequenceMatcher(None, chosen, rejected, autojunk=False)
    for block in matcher.get_matching_blocks():
        for side, first in zip(marks, (block.a, block.b), strict=True):
            side[first : first + block.size] = [0.0] * block.size
    kept = [
        [0.0 if mark and unmarked(token) else mark for mark, token in zip(*side, strict=True)]
        for side in zip(marks, (chosen, rejected), strict=True)
    ]
    return kept[0], kept[1]
