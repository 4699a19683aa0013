"""What every engine takes and gives: requests with ready-made token ids and seeds, and samples."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from infra.openai_calls import CallJournal, Purse
from infra.openai_client import unheard, unlimited
from infra.processes.room import Needs
from tasks.records import Message
from tasks.spending import RateLimits


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One response to draw."""

    prompt_id: str
    """The prompt to answer."""
    sample_index: int
    """0-based index among the samples of this prompt."""
    seed: int
    """Seed of this row's own generator, 0 to 2**63 - 1."""
    messages: list[Message]
    """The conversation, a cell's own system prompt included."""
    prompt_ids: list[int] | None
    """The rendered prompt, for engines that take token ids."""
    source: str = ""
    """Where the prompt came from."""
    source_id: str = ""
    """The prompt's own id in its source, or empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One response as it was drawn."""

    prompt_id: str
    """The prompt it answers."""
    sample_index: int
    """As in its request."""
    text: str | None
    """The answer, from engines that give text; without ids either, there is no response."""
    token_ids: list[int] | None
    """The drawn ids, from engines that give them; a stop id at the end iff it ended by itself."""
    finish_reason: str
    """stop (ended by itself), length (cut at max_tokens), unknown, or a server's own word.

    Where there is no response, why: empty, refusal, content_filter, ...
    """
    token_logps: list[float] | None = None
    """Log-probability of each id (nats, at temperature 1), from engines that are asked for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """How text is drawn from a model."""

    temperature: float
    """0 is greedy."""
    top_p: float
    """Draw among the likeliest tokens that together have at least this probability."""
    max_tokens: int
    """Longest response (tokens)."""


def ignore(count: int) -> None:
    """The `on_progress` of a job that nobody watches."""


def nothing() -> None:
    """The `on_draining` of a job that nobody waits for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Requests for one model, in shards."""

    stage: str
    """Name of the stage, for the item log."""
    model: str
    """Local folder, hub id, or name of an API model."""
    decoding: Decoding
    """The same for all requests."""
    shards: dict[int, list[Request]]
    """The shards still to do, by index."""
    workdir: Path
    """Local folder of this job alone."""
    stop_ids: list[int]
    """Token ids that end a response."""
    item_log: Path | None
    """Where every request is logged before it is worked on; None logs nothing."""
    journal: CallJournal | None = None
    """Where an engine that asks others keeps every answer; it opens and closes it."""
    purse: Purse | None = None
    """What the calls of an engine that asks others may spend."""
    limits: Callable[[str], RateLimits] = field(default=unlimited, compare=False)
    """How fast the endpoint at an address may be asked."""
    watch: Callable[[Mapping[str, Any]], None] = field(default=unheard, compare=False)
    """Told of every entry of the journal, old and new (`tasks.usage`)."""
    gpus: Sequence[str] = ()
    """The GPUs to use; empty leaves it to the engine."""
    on_progress: Callable[[int], None] = field(default=ignore, compare=False)
    """Called with the number of responses drawn since the last call."""
    on_draining: Callable[[], None] = field(default=nothing, compare=False)
    """Called when the last request is under way: the next cell may begin."""


class Engine(Protocol):
    """A way to draw responses; variants live in `infra/engines/`."""

    EXAMPLE: ClassVar[dict[str, Any]]
    SEMANTICS: ClassVar[int]
    NEEDS_WEIGHTS: ClassVar[bool]
    """Whether `model` names weights that are digested; else `fingerprint` says what answers."""
    TAKES_TOKENS: ClassVar[bool]
    """Whether requests need `prompt_ids`; else the engine reads `messages`."""
    ASKS: ClassVar[bool]
    """Whether it makes calls to a server, which a journal keeps."""
    READS_FILES: ClassVar[bool]
    """Whether it answers from tables that lie where the flow runs; no work pool is asked then."""

    def fingerprint(self, model: str) -> str:
        """What answers under the name `model`, where that is not the digest of weights."""
        ...

    def needs(self, weight_bytes: int, model: str) -> Needs:
        """What sampling takes of the machine; `model` names the weights, of so many bytes."""
        ...

    def sample(self, job: Job) -> Iterator[tuple[int, list[Sample]]]:
        """Yield each shard's samples, in the order of its requests, when the shard is complete."""
        ...


def item(request: Request) -> str:
    """How the item log names a request."""
    return f"{request.prompt_id}:{request.sample_index}"
