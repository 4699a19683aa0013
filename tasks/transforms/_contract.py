"""What a transform sees of a prompt, what it may let a model write, and what it gives back.

A transform is pure. It says what is to be written (`asks`), the door lets its writer do that, and
the transform makes pairs, responses and their origins of the answers (`made`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, Protocol

from tasks.canonical import short_id
from tasks.config_matrix import WriterSection
from tasks.derivations import Derivation
from tasks.errors import ConfigError
from tasks.records import Checkpoint, Message, PreferencePair, Prompt, Response
from tasks.responses import ENDINGS, Drawn, Tokens
from tasks.variants import kind_of

EMPTY, CUT, UNANSWERED = "empty", "cut", "unanswered"
"""Reasons why what was written is no use, beside the engine's own words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptPairs:
    """A prompt with the pairs that are trained on."""

    prompt: Prompt
    """The prompt."""
    pairs: Sequence[PreferencePair]
    """In the order of the table."""
    responses: Mapping[str, Response]
    """All responses to it, by response_id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One text that is to be written."""

    ask_id: str
    """Names it among all of the round: a pair_id or a response_id."""
    messages: list[Message]
    """The conversation to answer."""
    prefix_ids: list[int] | None = None
    """The beginning of the answer that is given (token ids of the policy's tokenizer)."""
    max_tokens: int | None = None
    """Most tokens that are wanted; None leaves it to the writer's settings."""


class Maker(NamedTuple):
    """In whose name responses are made."""

    name: str
    """What stands for the cell: the kind of the transform."""
    generator: str
    """Digest of what decides the texts: the writer and its decoding, or the settings alone."""
    tokens: Tokens | None
    """How the policy reads texts, for transforms that look at tokens."""
    seeds: tuple[int, int]
    """The run's seed and the round."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What becomes of the pairs of one prompt."""

    pairs: list[PreferencePair]
    """In place of those there were; weights are set by the door."""
    responses: list[Response] = field(default_factory=list)
    """New ones."""
    origins: list[Derivation] = field(default_factory=list)
    """Of the new responses."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many were made, and why others were not."""


class Transform(Protocol):
    """Edits pairs or adds to them; variants live in `tasks/transforms/`."""

    EXAMPLE: ClassVar[dict[str, Any]]
    SEMANTICS: ClassVar[int]
    SUPPLIES: ClassVar[tuple[str, ...]]
    """What its responses bring of what losses may declare to need (`needs_of`)."""
    READS_TOKENS: ClassVar[bool]
    """Whether it works on token ids: its writer then has the policy's tokenizer."""

    @property
    def writer(self) -> WriterSection | None:
        """Who writes for it; None where nobody has to."""
        ...

    def version(self) -> str:
        """Digest of all that its outcome depends on beside the writer's model."""
        ...

    def most(self, pairs: int, responses: int) -> int:
        """Texts that are written for a prompt with so many pairs and responses, at most."""
        ...

    def asks(self, view: PromptPairs, maker: Maker) -> list[Ask]:
        """What is to be written about one prompt."""
        ...

    def made(self, view: PromptPairs, written: Mapping[str, Drawn], maker: Maker) -> Made:
        """What becomes of its pairs; `written` by ask_id lacks what found no room in the model."""
        ...


def why_unwritten(written: Mapping[str, Drawn], ask_id: str) -> str | None:
    """Why an answer cannot be used whatever it says; None if it can be looked at."""
    found = written.get(ask_id)
    if found is None:
        return "no_room"
    if found.text is None and not found.token_ids:
        return found.finish_reason if found.finish_reason not in ENDINGS else EMPTY
    return None


def response_made(
    text: str, of: Response, maker: Maker, index: int, finish_reason: str = "stop"
) -> Response:
    """A new response to the prompt of `of`, the `index`-th that `maker` makes for this prompt."""
    return Response(
        response_id=short_id(of.prompt_id, maker.generator, index, text),
        prompt_id=of.prompt_id,
        text=text,
        origin="model",
        cell=maker.name,
        generator=maker.generator,
        sample_index=index,
        seed=None,
        finish_reason=finish_reason,
        token_ids=None,
        tokenizer=None,
        template=None,
    )


def origin_of(transform: Any, made: Response, made_from: str, pair_id: str = "") -> Derivation:
    """Where a response that `transform` made comes from."""
    return Derivation(
        response_id=made.response_id,
        made_from=made_from,
        prompt_id=made.prompt_id,
        transform=kind_of(transform),
        pair_id=pair_id,
        degree=None,
        start=None,
        replaced=None,
        written=None,
    )


def pair_of(pair: PreferencePair, chosen_id: str, rejected_id: str) -> PreferencePair:
    """`pair` between other responses, with an id by the rule of pairs."""
    pair_id = short_id(pair.prompt_id, chosen_id, rejected_id, pair.rule)
    return replace(pair, pair_id=pair_id, chosen_id=chosen_id, rejected_id=rejected_id)


def check_continues(name: str, writer: Checkpoint, policy: Checkpoint) -> None:
    """Raise ConfigError for a writer that reads texts in another way than the policy."""
    if (writer.tokenizer, writer.template) != (policy.tokenizer, policy.template):
        raise ConfigError(
            f"the writer of the transform {name} has another tokenizer or chat template than the "
            "policy, whose token ids it is to continue; take model: policy, round:N, or a model "
            "that was trained from the same base"
        )
