"""The records that flow between the verbs, one docstring line with its unit under each field.

In bulk a record is an Arrow table with exactly these columns (`tasks/tables.py`). A field marked
`Volatile` does not enter a content digest: two runs that did equal work have equal content.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypedDict

from tasks.contest import Contest
from tasks.placement import Part, Placement
from tasks.spending import Terms
from tasks.storage_settings import StorageSettings


class VolatileMark:
    """Marks a field that does not enter content digests."""


Volatile = VolatileMark()

SHARD_PROMPTS = 128
"""Prompts of one shard: fixed, so that boundaries are a function of the prompt list."""

Split = Literal["train", "dev", "held_out", "sealed"]
Origin = Literal["policy", "model", "human", "recorded"]
Outcome = Literal["a", "b", "tie", "both_bad", "skip", "unparsed", "scored"]
FirstShown = Literal["a", "b", "unknown"]
AnnotatorKind = Literal["prior", "judge", "human", "aggregate"]


class Message(TypedDict):
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """A conversation to be answered. Key: prompt_id."""

    prompt_id: str
    """The first 16 hex digits of sha256 over the canonical messages."""
    messages: list[Message]
    """The conversation up to the answer, oldest turn first."""
    source: str
    """Where the prompt came from, e.g. the name of a data set."""
    source_id: str
    """The prompt's own id in its source, or empty."""
    split: str
    """train, dev, held_out or sealed."""
    group_id: str
    """Near-duplicates share a group; a group lies in one split."""
    tags: list[str]
    """Slices that evaluation reports on."""
    checks: list[str]
    """Checks that the answer must meet, each the canonical JSON of {kind, ...}."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """One answer to a prompt. Key: response_id."""

    response_id: str
    """The first 16 hex digits of sha256(prompt_id, cell digest, sample_index, text)."""
    prompt_id: str
    """The prompt it answers."""
    text: str
    """The answer as people read it, special tokens left out."""
    origin: str
    """policy, model, human or recorded."""
    cell: str
    """Name of the matrix cell it came from."""
    generator: str
    """The cell digest: weights or API revision, engine and decoding settings."""
    sample_index: int
    """0-based index among the samples of this cell for this prompt."""
    seed: int | None
    """Seed of this row's generator, where we sampled it."""
    finish_reason: str
    """stop (ended by itself), length (cut at the limit) or unknown."""
    token_ids: list[int] | None
    """Sampled ids with the closing EOS if it finished by itself; None if not sampled by us."""
    tokenizer: str | None
    """Digest of the tokenizer that the ids belong to."""
    template: str | None
    """Digest of the chat template the prompt was rendered with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One opinion. Key: (a_id, b_id, annotator, criterion, replicate, first_shown); a_id < b_id."""

    prompt_id: str
    """The prompt both responses answer."""
    a_id: str
    """The response with the smaller id."""
    b_id: str
    """The response with the larger id; empty for a score of one response."""
    annotator: str
    """Name of the judge or person; `prior` for the presumed order of cells."""
    annotator_kind: str
    """prior, judge, human, or aggregate: what all people together say."""
    annotator_version: str
    """Digest of what gives the opinion: settings, template, model; empty for people."""
    criterion: str
    """What was asked, e.g. overall."""
    replicate: int
    """0-based repeat of the same question in the same order."""
    first_shown: str
    """Which response was shown first: a, b or unknown."""
    outcome: str
    """a, b, tie, both_bad, skip, unparsed or scored."""
    p_b_wins: float | None
    """Probability that b is better, if the annotator gave one."""
    score: float | None
    """Score of a_id on `scale`, for outcome scored."""
    scale: str | None
    """Name of the scale of `score`, e.g. 1-5."""
    strength: float | None
    """How sure or how much better, 0 to 1, if given."""
    reply: str | None
    """The raw reply, for reading verdicts again."""
    session: Annotated[str | None, Volatile]
    """Annotation session."""
    duration_seconds: Annotated[float | None, Volatile]
    """Time taken."""
    cost_usd: Annotated[float | None, Volatile]
    """Money paid for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preference:
    """What is believed about two responses after correction. Key: (prompt_id, a_id, b_id)."""

    prompt_id: str
    """The prompt both responses answer."""
    a_id: str
    """The response with the smaller id."""
    b_id: str
    """The response with the larger id."""
    p_b_wins: float
    """Corrected probability that b is better, 0 to 1."""
    outcome: str
    """a, b or dropped."""
    margin: float
    """|2 p - 1|, 0 to 1: how one-sided the belief is."""
    decided_by: str
    """prior, judge, human or none."""
    overruled: list[str]
    """Annotators who said the opposite of the outcome, sorted."""
    reason: str
    """kept, swapped, no_prior, human, inconsistent, tie, unparsed, cycle, protected_human, ..."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferencePair:
    """`chosen` is preferred over `rejected`; ids, not texts. Key: pair_id."""

    pair_id: str
    """The first 16 hex digits of sha256(prompt_id, chosen_id, rejected_id, rule)."""
    prompt_id: str
    """The prompt both responses answer."""
    chosen_id: str
    """The better response."""
    rejected_id: str
    """The worse response."""
    p_chosen: float
    """Probability that chosen is the better one, above 0.5."""
    margin: float
    """Size of the preference, 0 to 1."""
    weight: float
    """Share of its prompt's weight in the loss; the pairs of one prompt sum to 1."""
    rule: str
    """The pair rule that made it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """How wanted one response is by itself, without another beside it. Key: response_id."""

    response_id: str
    """The response."""
    prompt_id: str
    """The prompt it answers."""
    desirable: float
    """Probability that it is wanted, 0 to 1."""
    weight: float
    """Share of its prompt's weight in the loss; the labels of one prompt sum to 1."""
    rule: str
    """The label rule that made it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceScore:
    """What the reference thinks of a response. Key: (response_id, reference)."""

    response_id: str
    """The response that was scored; ID@PROMPT where it was under the prompt of another response."""
    reference: str
    """Fingerprint: digest of weights, tokenizer, template, dtype and truncation."""
    logp: float
    """Summed log-probability of the response tokens (nats)."""
    num_tokens: int
    """Response tokens scored, a closing EOS included."""
    token_logps: list[float] | None
    """Log-probability of each token (nats) where the tokenizer is the policy's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingExample:
    """One example as the trainer reads it. Key: example_id."""

    example_id: str
    """pair_id, or response_id where the example is a single response."""
    kind: str
    """pair, unpaired or response_only."""
    prompt_id: str
    """Examples of one prompt lie in one batch."""
    prompt_ids: list[int]
    """Token ids of the rendered prompt."""
    chosen_ids: list[int]
    """Token ids of the chosen (or only) response."""
    rejected_ids: list[int] | None
    """Token ids of the rejected response of a pair."""
    weight: float
    """Share of its prompt's weight in the loss."""
    chosen_logps: list[float] | None
    """Log-probability of each chosen token (nats), one reference after the other."""
    rejected_logps: list[float] | None
    """Log-probability of each rejected token (nats), one reference after the other."""
    p_chosen: float | None
    """Probability that chosen is the better one."""
    margin: float | None
    """Size of the preference, 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalReport:
    """One measured number. Key: (checkpoint, metric, slice)."""

    checkpoint: str
    """sha256 of the weights that were measured."""
    metric: str
    """Name of the metric, e.g. win_against_sft."""
    slice: str
    """`all`, or the tag of the prompts it is about."""
    value: float
    """The estimate."""
    standard_error: float | None
    """Standard error over prompts, where there is one."""
    n: int
    """Prompts that it rests on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """Weights somewhere in the store or on local disk."""

    sha256: str
    """Digest over the weight files: the checkpoint's identity."""
    uri: str
    """Folder with safetensors weights, config and tokenizer."""
    base: str
    """sha256 of the model that training started from; empty for a base model."""
    step: int
    """Optimizer steps taken from `base`."""
    tokenizer: str
    """Digest of the tokenizer."""
    template: str
    """Digest of the chat template."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A finished stage: what tasks hand to each other instead of tables."""

    uri: str
    """Of the stage's manifest."""
    content: str
    """Digest of the canonical rows, volatile fields left out."""
    rows: int
    """Rows of the main table."""

    @property
    def stage(self) -> str:
        """Digest of the stage's key: two stages may have one content."""
        return self.uri.rsplit("/", 2)[-2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in which run a verb works: what every door is told besides its inputs."""

    run: str
    """Name of the run; it never enters a stage key."""
    round_index: int
    """0-based index of the round."""
    storage: StorageSettings
    """The store, and how it is reached."""
    seed: int
    """The run's seed."""
    side_by_side: int | None
    """Cells that may be sampled at the same time; None: as many as the machine holds."""
    redo: dict[str, int]
    """How often each verb was forced again in this round."""
    sft: Checkpoint
    """The model that the run started from."""
    reference: Checkpoint
    """The round's reference, where its policy starts."""
    policies: dict[int, Checkpoint]
    """The policy that came out of each earlier round."""
    strengths: dict[str, float]
    """Strength of each cell: declared, or fitted on the last round's verdicts."""
    shares: dict[str, float]
    """Share of the round's prompts that each cell answers."""
    estimators: dict[int, Checkpoint] = field(default_factory=dict)
    """The reward model that the estimator of each earlier round has become, where it is one."""
    contender: str = ""
    """What the roles of stages begin with that one of two recipes does; empty for the others."""
    averages: dict[float, Checkpoint] = field(default_factory=dict)
    """Moving averages of these policies, by their decay, as far as the configuration names some."""
    min_distance: float | None = None
    """Edit distance below which of two responses one is compared; None compares all of them."""
    terms: Terms = field(default_factory=Terms)
    """Prices, budget and limits of calls to servers."""
    placement: Placement = field(default_factory=Placement)
    """Which verbs other work pools do."""
    part: Part = field(default_factory=Part)
    """The shards that this process does of a stage that several share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """The prompts of one round."""

    train: Artifact
    """A fresh mini-batch of the pool."""
    evaluation: Artifact
    """Held-out prompts that policy and reference are measured on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """What a round knows about its responses."""

    responses: list[Artifact]
    """Of the cells, and those that people wrote."""
    verdicts: list[Artifact]
    """Of judges and people."""
    items: Artifact | None = None
    """What people were asked, if they were."""
    people: Artifact | None = None
    """Of the annotate stage: verdicts of people, and the answers that they come from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What one round's optimisation left."""

    artifact: Artifact
    """Of the train stage: metrics of every step."""
    policy: Checkpoint
    """The trained weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Samples of the policy, and how likely models think they are."""

    responses: list[Artifact]
    """To evaluation prompts, at temperature 1."""
    scores: dict[str, Artifact]
    """By role of the model: policy, reference, sft."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """What one round's evaluation left."""

    artifact: Artifact
    """Of the evaluate stage: EvalReport rows, and a table `values` by prompt."""
    answers: list[Artifact]
    """Evaluation responses of policy, reference and SFT model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundWork:
    """Everything that a round's verbs have left, for the verb that closes it."""

    prompts: Collected
    """Prompts to train and to evaluate on."""
    feedback: Feedback
    """Responses and verdicts."""
    pairs: Artifact
    """Preference pairs, with the preferences they were made of."""
    trained: Trained
    """The policy."""
    report: Evaluated | None
    """Figures of policy, reference and SFT model; None where the round is not measured."""
    contest: Contest | None = None
    """How it won against another recipe's work, where there were two."""
