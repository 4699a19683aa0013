"""Engine that samples with a vLLM server of its own: token ids in, token ids out."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from infra.engines._contract import Job, Request, Sample, item
from infra.models import local_folder
from infra.openai_calls import Call, Choice, Reply
from infra.openai_client import Client
from infra.openai_shards import completed_shards
from infra.processes.room import Needs
from infra.storage import sha256_of
from infra.vllm.machine import interpreter
from infra.vllm.needs import server_needs
from infra.vllm.server import Server, served_name
from infra.vllm.shared import shared_server
from tasks import child
from tasks.canonical import digest
from tasks.errors import ChildError, ConfigError, DataError
from tasks.serving import ServerSettings
from tasks.variants import NotInKey

QUEUED = 2.0
"""Requests under way for each place in the server's batch: it never waits for one."""
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class VLLM:
    """Starts a server for its model, keeps it busy, and stops it.

    Cells of one model whose `server` is equal use one server while they are sampled side by side.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"server": {"dtype": "float32"}}
    SEMANTICS: ClassVar[int] = 1
    NEEDS_WEIGHTS: ClassVar[bool] = True
    TAKES_TOKENS: ClassVar[bool] = True
    ASKS: ClassVar[bool] = True
    READS_FILES: ClassVar[bool] = False

    server: ServerSettings = field(default_factory=ServerSettings)
    """How the server runs."""
    adapter: Annotated[str, NotInKey] = ""
    """Folder of a low-rank adapter (peft's format, safetensors) of the cell's model."""
    logprobs: bool = False
    """Keep the log-probability of every drawn token."""
    per_request: Annotated[int | None, NotInKey, Field(ge=1)] = None
    """Samples of a prompt drawn by one request, which share its prompt; null: all of them."""
    concurrency: Annotated[int | None, NotInKey, Field(ge=1, le=4096)] = None
    """Requests under way at a time; null: twice what the server draws at a time."""
    timeout_seconds: Annotated[float, NotInKey, Field(gt=0)] = 3_600.0
    """Longest wait for one answer (s); `server.stalled_seconds` finds a hung server sooner."""

    def fingerprint(self, model: str) -> str:
        """Digest of the adapter, or nothing: the weights' digest says the rest.

        ConfigError if the adapter is no folder of peft's, or the interpreter is missing.
        """
        interpreter()
        if not self.adapter:
            return ""
        if not self.server.adapters:
            raise ConfigError(
                f"adapter {self.adapter!r} needs a server with adapters: write server.adapters: 1, "
                "or more, so that cells with several adapters are drawn together"
            )
        folder = Path(self.adapter)
        if missing := [name for name in ADAPTER_FILES if not (folder / name).is_file()]:
            raise ConfigError(
                f"adapter {self.adapter!r} has no {' and '.join(missing)} (working folder "
                f"{Path.cwd()}); give a folder that peft's save_pretrained wrote"
            )
        return digest([sha256_of(folder / name) for name in ADAPTER_FILES])

    def needs(self, weight_bytes: int, model: str) -> Needs:
        """What its server takes."""
        return server_needs(self.server, weight_bytes, model)

    def sample(self, job: Job) -> Iterator[tuple[int, list[Sample]]]:
        """Yield each shard when its last request is answered; later ones are under way meanwhile.

        A server that is lost is started anew, and asked for what is not answered yet. ChildError
        if that happens too often without a shard between.
        """
        waiting, lost = set(job.shards), 0
        folder = local_folder(job.model)
        sharing = shared_server(self.server, folder, job.workdir / "server", job.gpus)
        with sharing as shared, self._client(folder, job) as client:
            while waiting:
                server = shared.running()
                try:
                    for index, samples in self._drawn(client, server, job, waiting):
                        waiting.remove(index)
                        lost = 0
                        yield index, samples
                except ConnectionError:
                    if server.alive():
                        raise
                    lost += 1
                    self._lost(server, lost)

    def _lost(self, server: Server, times: int) -> None:
        why = server.why_lost()
        if times > self.server.restarts:
            raise ChildError(f"{why}\nIt was lost {times} times in a row", child.BUG)
        _log.warning("%s\nStarting it again (restart %d)", why, times)

    def _drawn(
        self, client: Client, server: Server, job: Job, waiting: Iterable[int]
    ) -> Iterator[tuple[int, list[Sample]]]:
        """The shards in `waiting` as far as `server` lives; ConnectionError if calls failed."""
        if self.adapter:
            server.load_adapter(client.model, Path(self.adapter).resolve())
        client.base_url, client.is_there = server.base_url, server.alive
        calls, who = self._in_shards(job, waiting), f"model {client.model}"
        for index, replies in completed_shards(client, calls, who, job.on_progress):
            yield index, _samples(job.shards[index], replies, set(job.stop_ids))

    def _in_shards(self, job: Job, waiting: Iterable[int]) -> Iterator[tuple[int, list[Call]]]:
        """The calls of each shard; whoever asks for more than there is hears of the draining."""
        for index in sorted(waiting):
            yield index, self._calls(job.shards[index], job)
        job.on_draining()

    def _client(self, folder: Path, job: Job) -> Client:
        """Its address is that of the server that just runs."""
        name = served_name(folder)
        if self.adapter:
            name = f"{Path(self.adapter).name}-{self.fingerprint(job.model)[:12]}"
        return Client(
            base_url="",
            model=name,
            concurrency=self.concurrency or self._enough(job),
            timeout_seconds=self.timeout_seconds,
            journal=job.journal,
            watch=job.watch,
            item_log=job.item_log,
            stage=job.stage,
        )

    def _enough(self, job: Job) -> int:
        """Requests that fill the batch of every copy of the model; all prompts want as many."""
        first: Sequence[Request] = next(iter(job.shards.values()), ())
        counts = [one.sample_index + 1 for one in first]
        each = min(max(counts, default=1), self.per_request or max(counts, default=1))
        places = self.server.max_num_seqs * self.server.data_parallel
        return -(-int(QUEUED * places) // each)

    def _calls(self, requests: Sequence[Request], job: Job) -> list[Call]:
        """The calls of one shard; each draws samples of one prompt."""
        calls = []
        for _, same in groupby(requests, key=lambda request: request.prompt_id):
            prompt = list(same)
            step = self.per_request or len(prompt)
            for start in range(0, len(prompt), step):
                calls.append(self._call(prompt[start : start + step], job))
        return calls

    def _call(self, requests: Sequence[Request], job: Job) -> Call:
        first = requests[0]
        if not first.prompt_ids:
            raise DataError(
                f"request {item(first)} has no token ids; vLLM is given the rendered prompt"
            )
        exact = {"return_token_ids": True, "ignore_eos": True, "stop_token_ids": job.stop_ids}
        return Call(
            id=f"{item(first)}-{requests[-1].sample_index} of seed {first.seed}",
            messages=[],
            prompt_ids=first.prompt_ids,
            settings={
                "temperature": job.decoding.temperature,
                "top_p": job.decoding.top_p,
                "max_tokens": job.decoding.max_tokens,
                **exact,
                **({"logprobs": 0} if self.logprobs else {}),
            },
            choices=len(requests),
            seeds=[one.seed for one in requests],
        )


def _samples(
    requests: Sequence[Request], replies: Sequence[Reply], stop_ids: set[int]
) -> list[Sample]:
    """A sample for each request, in order: every reply has as many choices as its call wanted."""
    choices = [choice for reply in replies for choice in reply.choices]
    return [_sample(one, choice, stop_ids) for one, choice in zip(requests, choices, strict=True)]


def _sample(request: Request, choice: Choice, stop_ids: set[int]) -> Sample:
    """What was drawn: it ended by itself iff its last id is a stop id, whatever the server says."""
    ids = choice.token_ids or []
    stopped = bool(ids) and ids[-1] in stop_ids
    if any(one in stop_ids for one in ids[:-1]) or (choice.finish_reason == "stop") > stopped:
        raise DataError(f"{item(request)}: a stop id must end a response, and does not: {ids}")
    return Sample(
        prompt_id=request.prompt_id,
        sample_index=request.sample_index,
        text=None,
        token_ids=choice.token_ids,
        finish_reason="stop" if stopped else choice.finish_reason,
        token_logps=choice.token_logps,
    )


VARIANT = VLLM
