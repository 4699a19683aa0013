"""A teacher that goes from the reference away from a bad instruction and towards a good one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.teachers._contract import BAD, GOOD, Instruction, Teacher


@dataclass(frozen=True, kw_only=True)
class Contrastive(Teacher):
    """pi*(a) proportional to pi_ref(a | x) (pi_ref(a | x, c+) / pi_ref(a | x, c-)) ** (1 / tau).

    The normaliser Z, a sum over the vocabulary at each position, is left out: only sampled tokens
    are scored. So the aim of a token lies log Z above the proper teacher's, by the same number for
    all tokens of its position. Aims of one position may then sum to more than 1, which no policy
    meets: it takes the nearest. Z is 1 where the two instructions say the same.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"tau": 1.0}
    SEMANTICS: ClassVar[int] = 1

    guidance: Instruction = GOOD
    """The good instruction c+."""
    opposite: Instruction = BAD
    """The bad instruction c-."""
    tau: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Temperature of the contrast: twice as large, half as far from the reference."""

    @property
    def instructions(self) -> dict[str, str]:
        """What the reference is told, by the name under which it then scores."""
        return {"guided": self.guidance, "opposed": self.opposite}

    def aims(self, reference: Sequence[float], said: Mapping[str, Sequence[float]]) -> list[float]:
        """The teacher's log-weight of each token of a response (nats).

        `reference` are log-probabilities without an instruction, `said` those under each.
        Source: the idea, arXiv:2408.14874, whose equations are not public to us; contrasted
        prompts as rewards of tokens, arXiv:2412.02685.
        """
        rows = zip(reference, said["guided"], said["opposed"], strict=True)
        return [own + (good - bad) / self.tau for own, good, bad in rows]


VARIANT = Contrastive
