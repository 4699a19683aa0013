"""Scores of a reward model that is fitted anew to what judges and people preferred."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError
from tasks.estimators._contract import Estimates
from tasks.sources import SourceIn
from tasks.training.fit_settings import FitSettings
from tasks.training.settings import Positive, Share
from tasks.variants import NotInKey


@dataclass(frozen=True, kw_only=True)
class WestOfN:
    """The model labels the best against the worst response of each prompt, and a second one learns.

    Source: West-of-N, arXiv:2401.12086.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    keep: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the prompts' pairs, the surest ones, that the second model learns from."""
    rejected_pick: Literal["min", "mean_minus_2sd"] = "min"
    """The lowest score, or the one nearest to mean - 2 standard deviations of the prompt's."""
    own_share: Share | None = 0.5
    """Share of the pairs that the first model learned from; 0.5 is one to one, null is all."""


@dataclass(frozen=True, kw_only=True)
class RewardModel(Estimates):
    """A Bradley-Terry head on a language model; a pass is the model with units dropped.

    The units that a pass drops are the same for all responses of a round (tasks/training/passes).
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"passes": 4, "compares": "all"}
    JOB: ClassVar[str] = "reward"

    model: str = "sft"
    """What it starts from: `sft`, `policy` (this round's start), `round:N`, `estimator:N` (that of
    round N), `former` (that of the round before; the SFT model where it left none), a folder or a
    hub id.
    """
    verdicts: bool = True
    """Learn from the round's preferences, judges and people after correction."""
    files: list[SourceIn] = field(default_factory=list)
    """Tables of preference pairs of one's own to learn from: prompt (or messages), chosen, rejected
    (texts)."""
    own_share: Share | None = 0.5
    """Share of pairs of `files` where it learns from both; 0.5 is one to one, null is all."""
    fit: FitSettings = field(default_factory=FitSettings)
    """How it is fitted."""
    self_training: WestOfN | None = None
    """Fit a second model to pairs that the first one labels; its scores are those that count."""
    max_tokens: Positive | None = None
    """Longest prompt and response together (tokens); longer ones are left out and get no score.
    null: as many as the model has positions."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of activations; weights are float32 while it learns."""
    device: Annotated[Literal["auto", "cpu", "cuda"], NotInKey] = "auto"
    """auto takes a GPU if there is one."""
    threads: Annotated[Positive | None, NotInKey] = None
    """CPU threads; all cores if not given."""
    tokens_per_batch: Annotated[Positive, NotInKey] = 8192
    """Tokens of one forward pass; halved and tried again when memory runs out."""
    deadline_hours: Annotated[float, Field(gt=0), NotInKey] = 24.0
    """A process that learns or scores is stopped after this long."""
    stalled_minutes: Annotated[float, Field(gt=0), NotInKey] = 30.0
    """It is stopped when it reports nothing for this long."""

    def __post_init__(self) -> None:
        """Refuse one that has nothing to learn from, and passes that would all be alike."""
        if not self.verdicts and not self.files:
            raise ConfigError(
                "estimator.verdicts is false and estimator.files is empty: it would learn from "
                "nothing; name tables of pairs in files, or let it learn from verdicts"
            )
        if self.passes and not self.fit.dropout:
            raise ConfigError(
                f"estimator.passes is {self.passes}, but estimator.fit.dropout is 0, so that all "
                "passes are alike; raise dropout, or set passes to 0"
            )

    @property
    def mixes(self) -> bool:
        """Whether it learns from the round and from files."""
        return self.verdicts and bool(self.files)


VARIANT = RewardModel
