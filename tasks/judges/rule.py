"""Judges by the prompt's own checks: no model, no cost, the same answer every time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.check_results import check_results
from tasks.judges._version import judge_version
from tasks.opinions import Opinion
from tasks.records import Prompt, Response
from tasks.scales import Scale


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The response that meets more of the prompt's checks is better."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"margin": 0.1}
    SEMANTICS: ClassVar[int] = 2
    SHAPE: ClassVar[str] = "scores"
    both_orders: ClassVar[bool] = True

    margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Scores that differ by no more than this tie (share of checks)."""
    weights: dict[str, float] = field(default_factory=dict)
    """Weight of each kind of check; kinds not named weigh 1."""
    overlook: tuple[str, ...] = ()
    """Kinds of checks that are left out."""

    def version(self) -> str:
        """Digest of the settings."""
        return judge_version(self)

    def score(self, prompt: Prompt, response: Response) -> float:
        """Weighted share of the checks that are met, 0 to 1; 0 where there is nothing to check."""
        results = [
            (self.weights.get(result.kind, 1.0), result.met)
            for result in check_results(prompt, response.text)
            if result.kind not in self.overlook
        ]
        total = sum(weight for weight, _ in results)
        return sum(weight for weight, met in results if met) / total if total > 0 else 0.0

    @property
    def scale(self) -> Scale:
        """Checks are facts: whoever meets more of them is better for certain."""
        return Scale(name="checks", low=0.0, high=1.0, tolerance=self.margin, certain=True)

    def scores(self, batch: Sequence[tuple[Prompt, Response]]) -> list[float]:
        """The score of each response."""
        return [self.score(prompt, response) for prompt, response in batch]

    def compare(self, prompt: Prompt, first: Response, second: Response, question: str) -> Opinion:
        """The one with the higher score; `question` plays no part."""
        return self.scale.opinion(self.score(prompt, first), self.score(prompt, second))


VARIANT = Rule
