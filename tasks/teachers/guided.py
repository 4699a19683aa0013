"""A teacher that is the reference under a good instruction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.teachers._contract import GOOD, Instruction, Teacher


@dataclass(frozen=True, kw_only=True)
class Guided(Teacher):
    """pi* = pi_ref(. | x, c+): what the reference says when it is told how to answer.

    A proper distribution, so the log-probabilities of its tokens need no normaliser.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1

    guidance: Instruction = GOOD
    """The instruction c+."""

    @property
    def instructions(self) -> dict[str, str]:
        """What the reference is told, by the name under which it then scores."""
        return {"guided": self.guidance}

    def aims(self, reference: Sequence[float], said: Mapping[str, Sequence[float]]) -> list[float]:
        """The teacher's log-probability of each token of a response (nats).

        `reference` are those without an instruction, `said` those under each.
        Source: the idea, arXiv:2408.14874, whose equations are not public to us.
        """
        return list(said["guided"])


VARIANT = Guided
