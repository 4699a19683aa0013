"""What a loss declares of itself, and what one that is made of others inherits from them."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from tasks.errors import ConfigError

ExamplesKind = Literal["pair", "unpaired", "response_only"]


class Loss:
    """Declarations of a loss, as they are unless it says otherwise; read them from instances."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    """Settings, without `kind`, that build one."""
    SEMANTICS: ClassVar[int] = 1
    """Raised when the output changes for equal settings."""
    NEUTRAL: ClassVar[dict[str, Any] | None] = None
    """Settings with which it is DPO to the last bit, or None."""

    EXAMPLES_KIND: ExamplesKind = "pair"
    """What it trains on: pairs, single responses with a label, or responses to imitate."""
    REQUIRES: tuple[str, ...] = ()
    """Columns with one number for each example."""
    TOKEN_COLUMNS: tuple[tuple[str, str], ...] = ()
    """Columns with one number for each token, as (side, name): ("chosen", "edited")."""
    UNMARKED: tuple[str, ...] = ()
    """Words, in small letters, whose tokens the token column `edited` does not mark."""
    OTHERS: tuple[str, ...] = ()
    """Further responses of each example."""
    USES_REFERENCE: bool = True
    """Whether it reads reference log-probabilities."""
    REFERENCES: Literal["one", "many"] = "one"
    """Whether it reads the first reference alone, or all there are."""
    REFERENCE_TOKENS: bool = True
    """Whether it reads single tokens of further references; else their sums are enough, and these
    models may have tokenizers of their own."""
    NUM_REFERENCES: int | None = None
    """How many references it takes, the round's own among them; None: any number."""
    BATCH_STATISTICS: bool = False
    """Whether the loss of one example depends on the others of its optimizer batch."""
    HEAD_CLASSES: int | None = None
    """Classes of the auxiliary head over degraded variants; None: there is no head."""
    CLIPS: bool = False
    """Whether it reports `clipped_both`: 1 for each pair without gradient for that reason."""
    AT_REFERENCE: float | None = None
    """Its value where the policy is the reference; None where columns or lengths decide it."""

    def _declare(self, **declarations: Any) -> None:
        """Set declarations that depend on settings; from __post_init__, the dataclass is frozen."""
        for name, value in declarations.items():
            object.__setattr__(self, name, value)

    def _declare_needs_of(self, parts: Sequence["Loss"]) -> None:
        """Declare to need all that `parts` need."""
        heads = [part.HEAD_CLASSES for part in parts if part.HEAD_CLASSES]
        kinds = {part.EXAMPLES_KIND for part in parts}
        self._declare(
            EXAMPLES_KIND="pair" if "pair" in kinds else parts[0].EXAMPLES_KIND,
            REQUIRES=_together(part.REQUIRES for part in parts),
            TOKEN_COLUMNS=_together(part.TOKEN_COLUMNS for part in parts),
            UNMARKED=_together(part.UNMARKED for part in parts),
            OTHERS=_together(part.OTHERS for part in parts),
            USES_REFERENCE=any(part.USES_REFERENCE for part in parts),
            REFERENCES="many" if any(part.REFERENCES == "many" for part in parts) else "one",
            REFERENCE_TOKENS=any(
                part.REFERENCE_TOKENS for part in parts if part.REFERENCES == "many"
            ),
            NUM_REFERENCES=_same_number(part.NUM_REFERENCES for part in parts),
            BATCH_STATISTICS=any(part.BATCH_STATISTICS for part in parts),
            CLIPS=any(part.CLIPS for part in parts),
            HEAD_CLASSES=heads[0] if heads else None,
        )


def _together(names: Any) -> tuple[Any, ...]:
    """All names, each once, in order of first appearance."""
    return tuple(dict.fromkeys(name for part in names for name in part))


def _same_number(numbers: Iterable[int | None]) -> int | None:
    """The one number that is named; ConfigError if two parts want another number of references."""
    named = sorted({number for number in numbers if number is not None})
    if len(named) > 1:
        raise ConfigError(f"losses of one sum take {named} references; they must take as many")
    return named[0] if named else None


def needs_of(loss: Loss) -> tuple[str, ...]:
    """What the examples and the trainer must supply for `loss`, in words."""
    return (
        *(f"column {name}" for name in loss.REQUIRES),
        *(f"token column {side}.{name}" for side, name in loss.TOKEN_COLUMNS),
        *(f"response {name}" for name in loss.OTHERS),
        *(["several references"] if loss.REFERENCES == "many" else []),
        *(["batch statistics"] if loss.BATCH_STATISTICS else []),
        *(["auxiliary head"] if loss.HEAD_CLASSES else []),
    )
