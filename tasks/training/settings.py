"""What the two jobs are told in spec.json; unknown or missing keys are a ConfigError."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from tasks.errors import ConfigError
from tasks.variants import NotInKey, chosen_from, first_problem

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Strict = ConfigDict(extra="forbid", use_attribute_docstrings=True)
Job = TypeVar("Job")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How the optimiser goes over the examples."""

    __pydantic_config__: ClassVar[ConfigDict] = Strict

    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Peak learning rate."""
    warmup_share: Share = 0.1
    """Share of the steps with rising learning rate."""
    decay: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls after the warm-up."""
    epochs: Positive = 1
    """Passes over the examples."""
    max_steps: Positive | None = None
    """End after this many optimizer steps, if that is earlier."""
    prompts_per_batch: Positive = 64
    """Prompts of one optimizer step, each with all its examples."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """AdamW weight decay of matrices; norms and biases have none."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW moment decay."""
    max_grad_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Gradients are scaled down to this norm."""
    tokens_per_microbatch: Annotated[Positive, NotInKey] = 8192
    """Tokens of one forward pass; bounds memory. The work stays the same up to rounding."""
    oversized_trees: Annotated[Literal["split", "refuse"], NotInKey] = "split"
    """A prompt whose responses are more tokens than that: repeat it in several passes, or stop."""
    max_tokens: Positive = 2048
    """Longest prompt and response together (tokens); longer ones are refused here."""
    checkpoint_every: Annotated[Positive, NotInKey] = 100
    """Optimizer steps between checkpoints."""
    keep_last: Annotated[Positive, NotInKey] = 2
    """Checkpoints that stay to resume from."""
    keep_every: Annotated[Positive | None, NotInKey] = None
    """Steps between weights that stay as model folders, models/step-N."""
    stop_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False), NotInKey] = 60.0
    """What SIGTERM leaves for the step under way and its checkpoint (s)."""
    stop_when_clipped: Annotated[float, Field(gt=0, le=1)] | None = None
    """End early when this share of pairs is clipped on both sides."""


@dataclass(frozen=True, kw_only=True)
class AdapterSettings:
    """Low-rank matrices that are trained instead of the weights."""

    __pydantic_config__: ClassVar[ConfigDict] = Strict

    rank: Positive = 16
    """Rank of each matrix product."""
    alpha: Positive = 32
    """The product is scaled by alpha / rank."""
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Names of the linear layers that get one; all-linear: all but the head."""
    per_round: Literal["merge", "stack"] = "merge"
    """stack: the model folder keeps all rounds' adapters as one beside the merged weights."""


@dataclass(frozen=True, kw_only=True)
class LiveReferenceSettings:
    """How a reference in memory follows the policy."""

    __pydantic_config__: ClassVar[ConfigDict] = Strict

    every: Positive = 512
    """Optimizer steps between its moves; 1 with a small mixing is a moving average."""
    mixing: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Share of the policy in its new weights; 1: it becomes the policy."""


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """spec.json of a training job."""

    __pydantic_config__: ClassVar[ConfigDict] = Strict

    job: Literal["train"]
    """Which job it is."""
    stage: str
    """Name of the stage, for the item log."""
    model: str
    """Folder of the model that training starts from; may be relative to the work folder."""
    examples: str
    """Arrow file of TrainingExample rows, relative to the work folder."""
    side: str | None = None
    """Arrow file with what the loss needs besides, by example_id (tasks/side_table.py)."""
    loss: Annotated[Any, *chosen_from("tasks.losses")]
    """The objective, as {kind, ...}."""
    settings: TrainingSettings
    """How the optimiser goes over the examples."""
    seed: int
    """Decides the order of the prompts."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of activations; log-probabilities are always float32."""
    master_weights: bool = True
    """Weights and optimizer are float32 whatever `dtype` is; otherwise they are of that type."""
    gradient_checkpointing: bool = False
    """Compute a layer's activations once more in the backward pass instead of keeping them."""
    adapter: AdapterSettings | None = None
    """Train low-rank matrices instead of the weights."""
    live_reference: LiveReferenceSettings | None = None
    """A reference that follows the policy; None: it stays what was scored."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto takes an accelerator if there is one."""
    threads: Positive | None = None
    """CPU threads, of all processes together; all cores if not given."""
    processes: Positive = 1
    """Processes that hold a part of the model each, and have a GPU each where there are any."""
    expect_reference: bool = False
    """Whether the model must reproduce the reference log-probabilities at step 0."""
    reference: str = ""
    """Fingerprint of the reference whose log-probabilities the examples carry."""
    item_log: str | None = None
    """File that gets one line per optimizer step before it is made."""


@dataclass(frozen=True, kw_only=True)
class ScoreJob:
    """spec.json of a scoring job."""

    __pydantic_config__: ClassVar[ConfigDict] = Strict

    job: Literal["score"]
    """Which job it is."""
    stage: str
    """Name of the stage, for the item log."""
    model: str
    """Folder of the reference; may be relative to the work folder."""
    rows: str
    """Arrow file with the columns response_id, prompt_ids, response_ids."""
    shards: dict[int, tuple[int, int]]
    """Shards to do: index -> first row and row after the last."""
    reference: str
    """Fingerprint that goes with the scores."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of activations; log-probabilities are float32."""
    master_weights: bool = True
    """Weights are float32 whatever `dtype` is; otherwise they are of that type."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto takes an accelerator if there is one."""
    threads: Positive | None = None
    """CPU threads; all cores if not given."""
    tokens_per_microbatch: Positive = 8192
    """Tokens of one forward pass; bounds memory."""
    item_log: str | None = None
    """File that gets one line per response before it is scored."""


@dataclass(frozen=True, kw_only=True)
class RewardJob:
    """spec.json of a job that gives responses the number of a reward model."""

    __pydantic_config__: ClassVar[ConfigDict] = Strict

    job: Literal["reward"]
    """Which job it is."""
    stage: str
    """Name of the stage, for the item log."""
    model: str
    """Folder of the reward model; may be relative to the work folder."""
    rows: str
    """Arrow file with the columns response_id, prompt_ids, response_ids."""
    shards: dict[int, tuple[int, int]]
    """Shards to do: index -> first row and row after the last."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of weights and activations."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto takes an accelerator if there is one."""
    threads: Positive | None = None
    """CPU threads; all cores if not given."""
    tokens_per_microbatch: Positive = 8192
    """Tokens of one forward pass, padding included; bounds memory."""
    passes: Annotated[int, Field(ge=0)] = 0
    """Further passes with dropout; each has one mask for all responses."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of hidden units that a pass drops."""
    dropout_at: Literal["head", "layers"] = "head"
    """Where it drops them."""
    seed: int = 0
    """Decides the masks."""
    item_log: str | None = None
    """File that gets one line per response before it is scored."""


def check_processes(training: Any) -> None:
    """Raise ConfigError for what only one process can train, in a section or a job."""
    if training.processes == 1:
        return
    alone = {
        "training.adapter": training.adapter is not None,
        "a loss with a head of its own": training.loss.HEAD_CLASSES is not None,
    }
    for what, there in alone.items():
        if there:
            raise ConfigError(
                f"{what} is trained by one process, training.processes is {training.processes}; "
                "set it to 1"
            )


def parse_job(kind: type[Job], spec: Mapping[str, Any]) -> Job:
    """The job that `spec` describes; ConfigError names the key that is wrong."""
    try:
        return TypeAdapter(kind).validate_python(dict(spec))
    except ValidationError as error:
        raise ConfigError(f"spec.json of a {kind.__name__}: {first_problem(error)}") from error
