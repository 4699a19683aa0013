"""What judges share that score with models in a child process of this machine."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.judges._version import judge_version
from tasks.scales import Scale
from tasks.variants import NotInKey

Positive = Annotated[int, Field(ge=1)]
ChildJob = Literal["score", "reward"]


@dataclass(frozen=True, kw_only=True)
class LocalModels:
    """Gives a response a number, made of one number from each of its models."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    SEMANTICS: ClassVar[int] = 1
    SHAPE: ClassVar[str] = "scores"
    JOB: ClassVar[ChildJob]
    """What a child does with a model: log-probabilities, or the number of its head."""
    SAME_TOKENS: ClassVar[bool] = False
    """Whether all its models must read texts alike."""
    both_orders: ClassVar[bool] = True

    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """Scores that differ by no more than this tie."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """P(better) = sigmoid(difference of scores / temperature)."""
    max_tokens: Positive | None = 2048
    """Longest prompt and response together (tokens); longer ones get no score. Null: what the
    model takes."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of weights and activations."""
    device: Annotated[Literal["auto", "cpu", "cuda"], NotInKey] = "auto"
    """auto takes a GPU if there is one."""
    threads: Annotated[Positive | None, NotInKey] = None
    """CPU threads; all cores if not given."""
    tokens_per_batch: Annotated[Positive, NotInKey] = 8192
    """Tokens of one forward pass; halved and tried again when memory runs out."""
    deadline_hours: Annotated[float, Field(gt=0), NotInKey] = 24.0
    """The process that scores is stopped after this long."""
    stalled_minutes: Annotated[float, Field(gt=0), NotInKey] = 30.0
    """It is stopped when it reports nothing for this long."""

    @property
    def scale(self) -> Scale:
        """What its scores mean; the scale has no ends."""
        raise NotImplementedError

    def version(self) -> str:
        """Digest of the settings; the weights' digests stand beside it in stage and verdicts."""
        return judge_version(self)

    def models(self) -> dict[str, str]:
        """Its models by what they do, as the configuration names them."""
        raise NotImplementedError

    def score_of(self, numbers: dict[str, float]) -> float:
        """The score of a response, from the number of each of `models`."""
        raise NotImplementedError

    def _scale(self, name: str) -> Scale:
        return Scale(name=name, tolerance=self.tolerance, temperature=self.temperature)

    def child_settings(self) -> dict[str, Any]:
        """The part of a child's spec.json that is the judge's."""
        return {
            "job": self.JOB,
            "dtype": self.dtype,
            "device": self.device,
            "threads": self.threads,
            **self._job_settings(),
        }

    def _job_settings(self) -> dict[str, Any]:
        """What only this kind's job is told."""
        return {}
