"""How often a response wins: the share of its comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.candidates import Candidate
from tasks.label_rules._contract import Judged, Labelled, Reads
from tasks.records import Preference

UNSAID = ("uncompared", "unparsed")
"""Reasons of dropped preferences that say nothing of either response."""


@dataclass(frozen=True, kw_only=True)
class WinShare:
    """The mean probability of a response to win against the others: P(y beats pi | x).

    Source: arXiv:2405.00675 eq. 4.5, which compares the policy's own samples with each other.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"against": "all"}
    SEMANTICS: ClassVar[int] = 1
    READS: ClassVar[Reads] = "comparisons"

    of: Literal["policy", "all"] = "all"
    """Whose responses get a label: the policy's own, or those of all cells and people."""
    against: Literal["policy", "all"] = "policy"
    """Against whose responses they have to win: the policy's samples, or all."""
    undecided: Literal["half", "ignored"] = "half"
    """A comparison that correction dropped, but somebody made: half a win, or none at all."""
    min_comparisons: Annotated[int, Field(ge=1)] = 1
    """Fewest comparisons that a share rests on."""
    keep: Literal["all", "best_and_worst"] = "all"
    """Which of a prompt's responses get a label; the authors' program keeps the two."""

    def __call__(self, judged: Judged) -> Labelled:
        """The share of each response, or why it has none."""
        wins = self._wins(judged.preferences, judged.candidates)
        shares: dict[str, float] = {}
        left_out: dict[str, str] = {}
        for response_id, one in sorted(judged.candidates.items()):
            own = wins.get(response_id, [])
            if self.of == "policy" and one.origin != "policy":
                left_out[response_id] = "not_of_the_policy"
            elif len(own) < self.min_comparisons:
                left_out[response_id] = "too_few_comparisons"
            else:
                shares[response_id] = sum(own) / len(own)
        return self._kept(shares, left_out)

    def _wins(
        self, preferences: Sequence[Preference], candidates: Mapping[str, Candidate]
    ) -> dict[str, list[float]]:
        """For each response its probability to win in each comparison that counts, by ids."""
        wins: dict[str, list[float]] = {}
        for one in sorted(preferences, key=lambda one: (one.a_id, one.b_id)):
            p = self._p_b_wins(one)
            if p is None:
                continue
            for own, other, probability in ((one.a_id, one.b_id, 1 - p), (one.b_id, one.a_id, p)):
                if self.against == "all" or candidates[other].origin == "policy":
                    wins.setdefault(own, []).append(probability)
        return wins

    def _p_b_wins(self, one: Preference) -> float | None:
        """What a comparison says; None if it does not count."""
        if one.outcome != "dropped":
            return one.p_b_wins
        return None if self.undecided == "ignored" or one.reason in UNSAID else 0.5

    def _kept(self, shares: dict[str, float], left_out: dict[str, str]) -> Labelled:
        """All shares, or those of the best and the worst; equals in the order of ids."""
        if self.keep == "all" or len(shares) <= 2:
            return Labelled(shares, left_out)
        ordered = sorted(shares, key=lambda one: (-shares[one], one))
        ends = {ordered[0], ordered[-1]}
        between = dict.fromkeys(ordered[1:-1], "neither_best_nor_worst")
        return Labelled({one: shares[one] for one in sorted(ends)}, left_out | between)


VARIANT = WinShare
