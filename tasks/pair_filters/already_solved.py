"""Drops pairs that the reference tells apart by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from tasks.errors import DataError
from tasks.pairs import PairView


@dataclass(frozen=True, kw_only=True)
class AlreadySolved:
    """Pairs whose chosen response the reference finds far more probable than the rejected one."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"margin": 5.0}
    SEMANTICS: ClassVar[int] = 1
    STAGE: ClassVar[str] = "scored"

    margin: float = 10.0
    """Log-probability of chosen minus that of rejected above which a pair is solved (nats)."""

    def __call__(self, pairs: Sequence[PairView]) -> dict[str, str]:
        """The reason for each pair that is dropped, by pair_id; DataError for an unscored pair."""
        return {
            view.pair.pair_id: "already_solved"
            for view in pairs
            if _reference_margin(view) > self.margin
        }


def _reference_margin(view: PairView) -> float:
    if view.reference_chosen_logp is None or view.reference_rejected_logp is None:
        raise DataError(
            f"pair {view.pair.pair_id} has no reference log-probabilities; "
            "already_solved filters after the score verb"
        )
    return view.reference_chosen_logp - view.reference_rejected_logp


VARIANT = AlreadySolved
