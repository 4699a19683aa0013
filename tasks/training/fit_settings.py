"""What a job that fits a reward model is told in spec.json."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import ConfigDict, Field

from tasks.training.settings import Positive, Share, Strict
from tasks.variants import NotInKey

RATE_TIMES_WIDTH = 0.06
"""Learning rate of a model of width 1."""
Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How a reward model is fitted to pairs."""

    __pydantic_config__: ClassVar[ConfigDict] = Strict

    learning_rate: Above | None = None
    """Peak learning rate; null: 0.06 / width of the model, 1.5e-5 at 4096 and 4.7e-4 at 128 (the
    best rate of Adam falls with the width: arXiv:2203.03466)."""
    warmup_share: Share = 0.1
    """Share of the steps with rising learning rate."""
    decay: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls after the warm-up."""
    epochs: Positive = 1
    """Passes over the pairs."""
    max_steps: Positive | None = None
    """End after this many optimizer steps, if that is earlier."""
    pairs_per_batch: Positive = 64
    """Pairs of one optimizer step."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """AdamW weight decay of matrices; norms and biases have none."""
    max_grad_norm: Above = 1.0
    """Gradients are scaled down to this norm."""
    centre: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    """Weight of (score of chosen + score of rejected)^2: it holds scores of a prompt around 0."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of hidden units that are dropped, in training and in each pass."""
    dropout_at: Literal["head", "layers"] = "layers"
    """head: units that the head reads; layers: those and the output of every feed-forward part."""
    checkpoint_every: Annotated[Positive, NotInKey] = 100
    """Optimizer steps between checkpoints."""

    def rates(self, width: int) -> "Rates":
        """The learning rate for a model whose hidden states have so many units."""
        return Rates(self.learning_rate or RATE_TIMES_WIDTH / width, self.warmup_share, self.decay)


class Rates(NamedTuple):
    """What the learning rate of each step follows from."""

    learning_rate: float
    warmup_share: float
    decay: str


@dataclass(frozen=True, kw_only=True)
class FitJob:
    """spec.json of a job that fits a reward model."""

    __pydantic_config__: ClassVar[ConfigDict] = Strict

    job: Literal["fit"]
    """Which job it is."""
    stage: str
    """Name of the stage, for the item log."""
    model: str
    """Folder of the model that it starts from, a language model or a reward model."""
    rows: str
    """Arrow file of pairs (tasks/reward_rows.py), relative to the work folder."""
    settings: FitSettings
    """How it is fitted."""
    own_share: Share | None = None
    """Share of `own` pairs among those that are fitted to; None: all there are of both."""
    seed: int
    """Decides the order of the pairs, the masks, and a head that is new."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of activations; weights are float32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto takes an accelerator if there is one."""
    threads: Positive | None = None
    """CPU threads; all cores if not given."""
    tokens_per_microbatch: Positive = 8192
    """Tokens of one forward pass, padding included; bounds memory."""
    stop_seconds: Above = 60.0
    """What SIGTERM leaves for the step under way and its checkpoint (s)."""
    item_log: str | None = None
    """File that gets one line per optimizer step before it is made."""
