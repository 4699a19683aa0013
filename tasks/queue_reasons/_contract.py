"""What a reason gets and gives: how strongly it asks for a person on one comparison.

A reason is called with the `Evidence` on a comparison and returns 0 (no reason at all) to 1. Its
`weight` is how far the queue trusts it: about the share of wrong verdicts where it says 1.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import ConfigDict, Field

from tasks.voices import Voice


class Evidence(NamedTuple):
    """What is known of one comparison before a person sees it."""

    prior: str | None
    """Which response is presumed better: a, b or None."""
    voices: tuple[Voice, ...]
    """What each judge says, both orders taken together; the sceptics of `sceptics` left out."""
    sceptics: tuple[Voice, ...]
    """What the judges say whose opinion is compared with the others', e.g. an implicit reward."""
    lengths: tuple[int, int]
    """Characters of a and of b."""

    @property
    def outcome(self) -> str | None:
        """What the judges say together: a, b, or None where they do not decide."""
        for_a, for_b = self.weight_of("a"), self.weight_of("b")
        return None if for_a == for_b else "a" if for_a > for_b else "b"

    def weight_of(self, *outcomes: str) -> float:
        """Summed weight of the judges that say one of `outcomes`."""
        return math.fsum(one.weight for one in self.voices if one.outcome in outcomes)

    def share_of(self, *outcomes: str) -> float:
        """The weight of the judges that say one of `outcomes`, of all; 0 where nobody spoke."""
        total = math.fsum(one.weight for one in self.voices)
        return self.weight_of(*outcomes) / total if total else 0.0


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What every reason has."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1
    ASKS: ClassVar[str | None] = None
    """Name of the setting that names a judge, if it has one."""

    weight: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How far it is trusted: about the share of wrong verdicts where it is certain."""

    def __call__(self, evidence: Evidence) -> float:
        """How strongly it asks for a person, 0 to 1."""
        raise NotImplementedError


def sceptics_of(reasons: Iterable[Any]) -> frozenset[str]:
    """The judges that `reasons` hold against the others."""
    return frozenset(getattr(one, one.ASKS) for one in reasons if one.ASKS is not None)


def opposed(outcome: str | None, other: str | None) -> float:
    """1 where one says a and the other b, else 0."""
    return float({outcome, other} == {"a", "b"})
