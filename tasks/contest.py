"""Champion against challenger: which of two policies goes on, by what the gate looks at; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from tasks.comparing import Compared, Terms, compared
from tasks.statistics import PairedValues

Contender = Literal["champion", "challenger"]
CHAMPION: Contender = "champion"
CHALLENGER: Contender = "challenger"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """Which of two recipes made the round's policy, and why."""

    winner: Contender
    """champion or challenger."""
    reasons: list[str]
    """Sentences for people."""
    set: dict[str, Any]
    """Settings that the challenger changes, by dotted key."""
    policies: dict[str, str]
    """By contender, the sha256 of the weights."""
    figures: dict[str, dict[str, float]]
    """By metric, what each contender has over all prompts."""
    slices: dict[str, Compared] = field(default_factory=dict)
    """Each guarded slice: challenger less champion, prompt by prompt; higher is better."""

    @property
    def loser(self) -> Contender:
        """The contender whose policy stays behind."""
        return CHALLENGER if self.winner == CHAMPION else CHAMPION


def terms_of(gate: Any) -> Terms:
    """How sure a difference has to be: as the gate says, where it says so."""
    names = [one.name for one in fields(Terms) if hasattr(gate, one.name)]
    return Terms(**{name: getattr(gate, name) for name in names})


def decided(
    slices: Mapping[str, PairedValues], terms: Terms, same: bool
) -> tuple[Contender, list[str], dict[str, Compared]]:
    """The winner, the reasons, and what was seen of each slice.

    In `slices` the challenger stands as policy and the champion as reference. The challenger wins
    if it is better on one slice and worse on none, significantly by a paired bootstrap over
    prompts, Holm-corrected over the slices. Everything else goes to the champion. `same`: both are
    the same weights.
    """
    seen = compared(slices, terms)
    if same:
        return CHAMPION, ["both recipes made the same weights"], seen
    error = 1 - terms.confidence
    worse = [n for n, one in seen.items() if one.p_worse is not None and one.p_worse <= error]
    better = [n for n, one in seen.items() if one.p_better is not None and one.p_better <= error]
    if worse:
        return CHAMPION, [_said(name, seen[name]) for name in worse], seen
    if better:
        return CHALLENGER, [_said(name, seen[name]) for name in better], seen
    return CHAMPION, [_level(seen, terms)], seen


def _level(seen: Mapping[str, Compared], terms: Terms) -> str:
    """Why nothing could be told."""
    if not seen:
        return "no guarded slice was measured of both; ties go to the champion"
    if all(one.n < terms.min_prompts for one in seen.values()):
        return (
            f"no guarded slice has {terms.min_prompts} prompts that both answered; ties go to the "
            "champion"
        )
    return f"none of {len(seen)} guarded slices tells them apart; ties go to the champion"


def _said(name: str, one: Compared) -> str:
    return (
        f"on {name} the challenger differs by {one.estimate or 0:+.3f} ({one.low or 0:+.3f} to "
        f"{one.high or 0:+.3f}, {one.n} prompts)"
    )
