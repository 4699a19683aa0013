"""What a loss may declare to need, and whether a round makes it."""

from collections.abc import Sequence
from typing import Any

from tasks.errors import ConfigError
from tasks.losses._contract import needs_of
from tasks.variants import kind_of

PAIR_COLUMNS = ("p_chosen", "margin")
"""Columns of a TrainingExample with one number for each pair, which a loss may require."""

SUPPLIED = {
    "pair": (
        *(f"column {name}" for name in (*PAIR_COLUMNS, "uncertainty")),
        *(f"token column {side}.edited" for side in ("chosen", "rejected")),
        "response explored",
        "batch statistics",
    ),
    "unpaired": ("column desirable", "response mismatched", "batch statistics"),
    "response_only": ("token column chosen.teacher", "batch statistics"),
}
"""What a round's examples have, by their kind, of what a loss may declare to need."""

BY_TRANSFORM = {
    "token column chosen.segment": "regenerate_segment",
    "token column rejected.segment": "regenerate_segment",
    "auxiliary head": "degrade",
}
"""What a round makes if it has a transform, by its kind."""


def check_needs(loss: Any, references: Sequence[str] = (), transformed: Sequence[str] = ()) -> None:
    """Raise ConfigError if `loss` needs what a round's training examples do not have.

    `references` are those besides the round's own; `transformed` is what transforms supply.
    """
    kind, name = loss.EXAMPLES_KIND, kind_of(loss)
    if kind not in SUPPLIED:
        raise ConfigError(
            f"the loss {name!r} trains on {kind} examples; rounds make: {', '.join(SUPPLIED)}"
        )
    several = "several references" in needs_of(loss)
    if several != bool(references):
        wrong = "needs several references" if several else "reads the round's reference alone"
        raise ConfigError(
            f"the loss {name!r} {wrong}; training.references names {list(references)}: "
            f"{'name others besides it' if several else 'leave it out, or take mrpo'}"
        )
    if several and loss.NUM_REFERENCES not in (None, 1 + len(references)):
        raise ConfigError(
            f"the loss {name!r} takes {loss.NUM_REFERENCES} references, the round's own among "
            f"them; training.references names {len(references)} besides it: {list(references)}"
        )
    there = (*SUPPLIED[kind], *transformed, "several references")
    if missing := [need for need in needs_of(loss) if need not in there]:
        raise ConfigError(
            f"the loss {name!r} needs {missing[0]!r}{_whence(missing[0])}; {kind} examples of a "
            f"round have: {', '.join(SUPPLIED[kind])}"
        )


def _whence(need: str) -> str:
    """Where something comes from that this round does not make."""
    if transform := BY_TRANSFORM.get(need):
        return f" (add a transform that makes it: transforms: [{{kind: {transform}, ...}}])"
    return ""
