"""Engine that samples with transformers in a child process: any machine, reproducible tokens."""

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field

from infra.engines._contract import Job, Request, Sample
from infra.processes import Limits, child_events
from infra.processes.room import Needs
from tasks import child
from tasks.errors import ChildError, DataError
from tasks.tables import from_table
from tasks.variants import NotInKey

CHILD = "infra.engines._transformers_child"
REQUESTS = "requests.arrow"
REQUEST_SCHEMA = pa.schema(
    [
        pa.field("shard", pa.int64(), nullable=False),
        pa.field("prompt_id", pa.string(), nullable=False),
        pa.field("sample_index", pa.int64(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("prompt_ids", pa.list_(pa.int64()), nullable=False),
    ]
)
"""What the child reads: the requests of all shards, one after another."""
SMALLEST_BATCH = 512
"""Tokens below which an out-of-memory error is final."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Transformers:
    """Samples safetensors weights with its own loop and one generator per response.

    In float32 the drawn tokens do not depend on what else is in the batch.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"dtype": "float32", "threads": 1}
    SEMANTICS: ClassVar[int] = 1
    NEEDS_WEIGHTS: ClassVar[bool] = True
    TAKES_TOKENS: ClassVar[bool] = True
    ASKS: ClassVar[bool] = False
    READS_FILES: ClassVar[bool] = False

    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number format of weights and activations; probabilities are float64 always."""
    batch_tokens: Annotated[Annotated[int, Field(ge=1)], NotInKey] = 32_768
    """Prompt and response tokens held at once; halved and tried again when memory runs out."""
    threads: Annotated[Annotated[int, Field(ge=1)] | None, NotInKey] = None
    """CPU threads; None leaves it to torch."""
    device: Annotated[Literal["auto", "cpu", "cuda"], NotInKey] = "auto"
    """auto takes a GPU if there is one."""
    deadline_seconds: Annotated[float, NotInKey] = 86_400.0
    """Longest run of the process that samples (s)."""
    stalled_seconds: Annotated[float, NotInKey] = 1_800.0
    """Longest silence of that process (s); loading the model counts."""

    def fingerprint(self, model: str) -> str:
        """The name alone: the weights' digest says what answers."""
        return model

    def needs(self, weight_bytes: int, model: str) -> Needs:
        """All cores: cells of this engine have the machine one after another."""
        return Needs(alone=True)

    def sample(self, job: Job) -> Iterator[tuple[int, list[Sample]]]:
        """Yield each shard as soon as the child process has finished it."""
        waiting = dict(job.shards)
        batch_tokens = self.batch_tokens
        while waiting:
            attempt = self._attempt(job, waiting, batch_tokens)
            try:
                for index, samples in attempt:
                    del waiting[index]
                    yield index, samples
            except ChildError as error:
                if error.exit_code != child.OUT_OF_MEMORY or batch_tokens < 2 * SMALLEST_BATCH:
                    raise
                batch_tokens //= 2
                _log.warning("out of memory: trying again with batch_tokens=%d", batch_tokens)
            finally:
                attempt.close()

    def _attempt(
        self, job: Job, waiting: Mapping[int, Sequence[Request]], batch_tokens: int
    ) -> Generator[tuple[int, list[Sample]], None, None]:
        """One child process for the shards in `waiting`."""
        _write_job(self, job, waiting, batch_tokens)
        limits = Limits(
            deadline_seconds=self.deadline_seconds, stalled_seconds=self.stalled_seconds
        )
        local = Path(job.model).is_dir()
        environment = {"HF_HUB_OFFLINE": "1"} if local else {}
        done = 0
        events = child_events(CHILD, job.workdir, limits=limits, environment=environment)
        try:
            for event in events:
                if event["event"] == "progress":
                    job.on_progress(event["done"] - done)
                    done = event["done"]
                elif event["event"] == "shard":
                    yield event["index"], _read_samples(job.workdir / event["file"])
        finally:
            events.close()
        self._all_there(waiting)

    def _all_there(self, waiting: Mapping[int, Any]) -> None:
        if waiting:
            raise ChildError(f"{CHILD} ended without shards {sorted(waiting)}", child.BUG)


def _write_job(
    engine: Transformers, job: Job, waiting: Mapping[int, Sequence[Request]], batch_tokens: int
) -> None:
    """Write spec.json and the requests of the `waiting` shards into the job's folder."""
    columns: dict[str, list[Any]] = {name: [] for name in REQUEST_SCHEMA.names}
    for index, requests in sorted(waiting.items()):
        for request in requests:
            if not request.prompt_ids:
                raise DataError(
                    f"request {request.prompt_id}:{request.sample_index} has no token ids; "
                    "the transformers engine needs the rendered prompt"
                )
            columns["shard"].append(index)
            for name in REQUEST_SCHEMA.names[1:]:
                columns[name].append(getattr(request, name))
    job.workdir.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pydict(columns, schema=REQUEST_SCHEMA)
    path = str(job.workdir / REQUESTS)
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    child.write_json(
        job.workdir / child.SPEC,
        {
            "job": "sample",
            "stage": job.stage,
            "model": str(Path(job.model).resolve()) if Path(job.model).is_dir() else job.model,
            "decoding": asdict(job.decoding),
            "stop_ids": list(job.stop_ids),
            "requests": REQUESTS,
            "batch_tokens": batch_tokens,
            "dtype": engine.dtype,
            "device": engine.device,
            "threads": engine.threads,
            "item_log": None if job.item_log is None else str(job.item_log.resolve()),
        },
    )


def _read_samples(path: Path) -> list[Sample]:
    with pa.memory_map(str(path)) as file:
        return list(from_table(Sample, pa.ipc.open_file(file).read_all()))


VARIANT = Transformers
