"""The section `training` of a configuration, and what all sections are."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.training.settings import AdapterSettings, LiveReferenceSettings
from tasks.variants import NotInKey, chosen_from

Teacher = Annotated[Any, *chosen_from("tasks.teachers")]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys, docstrings become descriptions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True
    )


class TrainingSection(Section):
    """One round's optimisation."""

    loss: Annotated[Any, *chosen_from("tasks.losses")]
    """The objective."""
    noise_rate: Annotated[Literal["estimated"] | None, NotInKey] = None
    """Who says how many labels are wrong, to a loss that takes `noise`: estimated, on the random
    share that people answer (docs/human-feedback.md); null: the loss's own number."""
    references: Annotated[tuple[str, ...], NotInKey] = ()
    """References beside the round's own, for losses that read several: `sft` (what the run started
    from), `round:N` (the policy after that round), a local folder, or a hub id."""
    teacher: Annotated[Teacher | None, NotInKey] = None
    """The reference under other instructions, for losses that read a teacher; null: none."""
    learning_rate: Annotated[float, Field(gt=0)]
    """Peak learning rate."""
    learning_rate_shares: Annotated[tuple[PositiveShare, ...], NotInKey] = ()
    """Shares of learning_rate that rounds take, the first round's first; the last one goes on for
    all that follow. Empty: each takes all of it."""
    epochs: Positive = 1
    """Passes over the round's pairs."""
    max_steps: Positive | None = None
    """Stop after this many optimizer steps, if earlier."""
    prompts_per_batch: Positive = 64
    """Batch size in prompts: a prompt weighs the same however many pairs it has."""
    warmup_share: Share = 0.1
    """Share of the steps with rising learning rate."""
    decay: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls after the warm-up."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """AdamW weight decay of matrices."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW moment decay."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are scaled down to this norm."""
    max_tokens: Positive = 2048
    """Longest prompt and response together (tokens); longer examples are dropped and counted."""
    max_prompt_tokens: Positive | None = None
    """Prompts longer than this (tokens) are cut, alike for all their responses; null: never."""
    long_prompts: Literal["keep_end", "keep_start"] = "keep_end"
    """What stays of a prompt that is cut; a token that begins every text (BOS) stays either way."""
    stop_when_clipped: Annotated[float, Field(gt=0, le=1)] | None = None
    """End early when this share of pairs is clipped on both sides."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of activations; log-probabilities are always float32."""
    master_weights: bool = True
    """Weights and optimizer are float32 whatever dtype is; false: they are of that type too."""
    adapter: AdapterSettings | None = None
    """Train low-rank adapters instead of the weights; null: all weights."""
    live_reference: LiveReferenceSettings | None = None
    """A reference that follows the policy within the round; null: it stays what was scored."""
    gradient_checkpointing: Annotated[bool, NotInKey] = False
    """Compute activations once more in the backward pass instead of keeping them: less memory."""
    device: Annotated[Literal["auto", "cpu", "cuda"], NotInKey] = "auto"
    """Where it runs."""
    threads: Annotated[Positive | None, NotInKey] = None
    """CPU threads, of all processes together; all cores if not given."""
    processes: Annotated[Positive, NotInKey] = 1
    """Processes of the trainer, a part of the model and a GPU each; equal up to rounding."""
    tokens_per_microbatch: Positive = 8192
    """Tokens of one forward pass; bounds memory."""
    oversized_trees: Annotated[Literal["split", "refuse"], NotInKey] = "split"
    """A prompt whose responses are more tokens than that: repeat it in several passes, or stop."""
    checkpoint_every: Annotated[Positive, NotInKey] = 100
    """Optimizer steps between checkpoints."""
    keep_last: Annotated[Positive, NotInKey] = 2
    """Checkpoints that stay to resume from, locally and in the store, until training is done."""
    keep_every: Positive | None = None
    """Steps between weights that the stage keeps as model folders; none if not given."""
    stop_seconds: Annotated[float, Field(gt=0, le=86_400), NotInKey] = 60.0
    """What a stopped trainer gets to finish its step and to save a checkpoint (s)."""
    deadline_hours: Annotated[float, Field(gt=0), NotInKey] = 24.0
    """The trainer is stopped after this long."""
    stalled_minutes: Annotated[float, Field(gt=0), NotInKey] = 30.0
    """The trainer is stopped when it reports nothing for this long."""

    def in_round(self, round_index: int) -> "TrainingSection":
        """The settings of one round: its share of the learning rate."""
        if not self.learning_rate_shares:
            return self
        share = self.learning_rate_shares[: round_index + 1][-1]
        return self.model_copy(update={"learning_rate": share * self.learning_rate})
