"""Engine that asks any OpenAI-compatible server; its texts have foreign tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from infra.engines._contract import Decoding, Job, Request, Sample, item
from infra.openai_calls import Call, Choice, Reply
from infra.openai_client import Client
from infra.openai_shards import completed_shards
from infra.processes.room import Needs
from tasks.errors import ConfigError
from tasks.spending import BaseUrls, Price
from tasks.variants import NotInKey

OWN_NAMES = ("policy", "round:")
"""What `model` may not begin with here: a server does not know this run's checkpoints."""


@dataclass(frozen=True, kw_only=True)
class OpenAI:
    """A model behind an endpoint: calls are retried, journalled, and never paid twice.

    A cell is known by its model's name, its declared `revision` and its decoding settings.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"base_url": "http://127.0.0.1:8000/v1"}
    SEMANTICS: ClassVar[int] = 1
    NEEDS_WEIGHTS: ClassVar[bool] = False
    TAKES_TOKENS: ClassVar[bool] = False
    ASKS: ClassVar[bool] = True
    READS_FILES: ClassVar[bool] = False

    base_url: Annotated[BaseUrls, NotInKey]
    """Address of the server, up to and including /v1; a list if several serve the model."""
    api_key_env: Annotated[str, NotInKey] = ""
    """Environment variable that holds the key; empty if the server needs none."""
    concurrency: Annotated[int | None, NotInKey, Field(ge=1, le=1000)] = None
    """Calls that are under way at a time; null: as many as the server makes use of."""
    per_request: Annotated[int, NotInKey, Field(ge=1)] = 1
    """Samples of a prompt drawn by one call; some servers refuse more than 1.

    Another number makes other calls: what a killed stage had answered in unfinished shards is
    asked again.
    """
    send_seed: Annotated[bool, NotInKey] = True
    """Send each call a seed of its own; some servers refuse it, few promise anything for it."""
    token_limit: Annotated[Literal["max_tokens", "max_completion_tokens"], NotInKey] = "max_tokens"
    """Under which name the server takes the longest response."""
    timeout_seconds: Annotated[float, NotInKey, Field(gt=0)] = 120.0
    """Longest wait for one answer (s)."""
    price: Annotated[Price | None, NotInKey] = None
    """USD for a million prompt tokens and for a million completion tokens, e.g. [0.15, 0.60]."""

    def fingerprint(self, model: str) -> str:
        """The name; ConfigError for one that no server can know."""
        if not model.strip() or model.startswith(OWN_NAMES):
            raise ConfigError(
                f"a cell with engine: openai has model {model!r}; write the name that the server "
                f"at {self.base_url} knows (this run's own checkpoints need engine: transformers)"
            )
        return model

    def needs(self, weight_bytes: int, model: str) -> Needs:
        """Next to nothing."""
        return Needs()

    def sample(self, job: Job) -> Iterator[tuple[int, list[Sample]]]:
        """Yield each shard when its last call is answered; later ones are under way meanwhile."""
        client = Client(
            base_url=self.base_url,
            model=job.model,
            api_key_env=self.api_key_env,
            concurrency=self.concurrency,
            limits=job.limits,
            purse=job.purse,
            timeout_seconds=self.timeout_seconds,
            journal=job.journal,
            watch=job.watch,
            item_log=job.item_log,
            stage=job.stage,
        )
        shards = (
            (index, self._calls(requests, job.decoding))
            for index, requests in sorted(job.shards.items())
        )
        with client:
            who = f"model {job.model!r}"
            for index, replies in completed_shards(client, shards, who, job.on_progress):
                yield index, _samples(job.shards[index], replies)

    def _calls(self, requests: Sequence[Request], decoding: Decoding) -> list[Call]:
        """The calls of one shard; each draws up to `per_request` samples of one prompt."""
        calls = []
        for _, same in groupby(requests, key=lambda request: request.prompt_id):
            prompt = list(same)
            for start in range(0, len(prompt), self.per_request):
                calls.append(self._call(prompt[start : start + self.per_request], decoding))
        return calls

    def _call(self, requests: Sequence[Request], decoding: Decoding) -> Call:
        last = f"-{requests[-1].sample_index}" if len(requests) > 1 else ""
        return Call(
            id=f"{item(requests[0])}{last} of seed {requests[0].seed}",
            messages=requests[0].messages,
            settings={
                "temperature": decoding.temperature,
                "top_p": decoding.top_p,
                self.token_limit: decoding.max_tokens,
            },
            choices=len(requests),
            seeds=[one.seed for one in requests] if self.send_seed else (),
        )


def _samples(requests: Sequence[Request], replies: Sequence[Reply]) -> list[Sample]:
    """A sample for each request, in order: every reply has as many choices as its call wanted."""
    choices = [choice for reply in replies for choice in reply.choices]
    return [_sample(one, choice) for one, choice in zip(requests, choices, strict=True)]


def _sample(request: Request, choice: Choice) -> Sample:
    """What was drawn; without text it is no response, and `finish_reason` says why."""
    answered = bool(choice.text.strip())
    silent = "empty" if choice.finish_reason in ("stop", "unknown") else choice.finish_reason
    return Sample(
        prompt_id=request.prompt_id,
        sample_index=request.sample_index,
        text=choice.text if answered else None,
        token_ids=None,
        finish_reason=choice.finish_reason if answered else silent,
    )


VARIANT = OpenAI
