"""Answers that exist already: responses of people or of models that ran elsewhere."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from infra.engines._contract import Job, Request, Sample
from infra.processes.room import Needs
from infra.rows import read_tables
from tasks.canonical import digest_of_lines, short_id
from tasks.conversations import Key, asked_key, prompt_keys
from tasks.errors import DataError
from tasks.sources import Row, SourceIn
from tasks.variants import NotInKey

NAMES = {"prompt_id", "source_id", "source", "messages", "prompt"}
"""Fields by which a row says what it answers."""
FIELDS = NAMES | {"response", "finish_reason", "model", "annotator"}
FINISH_REASONS = ("stop", "length", "unknown")


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Responses from tables; prompts without one stay unanswered."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"files": ["human.jsonl"]}
    SEMANTICS: ClassVar[int] = 2
    NEEDS_WEIGHTS: ClassVar[bool] = False
    TAKES_TOKENS: ClassVar[bool] = False
    ASKS: ClassVar[bool] = False
    READS_FILES: ClassVar[bool] = True

    files: Annotated[list[SourceIn], NotInKey, Field(min_length=1)]
    """Tables with prompt (or messages, source_id, prompt_id), response, and finish_reason."""

    def fingerprint(self, model: str) -> str:
        """Digest of `model` and of all rows. DataError names a bad row."""
        lines = [short_id(*asked_key(row), _response(row)) for row in self._rows()]
        return digest_of_lines([model, *lines])

    def needs(self, weight_bytes: int, model: str) -> Needs:
        """Next to nothing."""
        return Needs()

    def sample(self, job: Job) -> Iterator[tuple[int, list[Sample]]]:
        """The recorded responses of each shard's prompts.

        Raises DataError if there are more of a prompt than are asked for: none is left out unsaid.
        """
        by_key: dict[Key, list[Row]] = {}
        for row in self._rows():
            by_key.setdefault(asked_key(row), []).append(row)
        for index, requests in job.shards.items():
            asked = Counter(request.prompt_id for request in requests)
            samples: list[Sample] = []
            for request in requests:
                rows = _rows_for(request, by_key, asked[request.prompt_id])
                samples += _sample(request, rows)
            job.on_progress(len(requests))
            yield index, samples

    def _rows(self) -> Iterator[Row]:
        for row in read_tables(self.files):
            row.check_fields(FIELDS)
            yield row


def _rows_for(request: Request, by_key: dict[Key, list[Row]], samples: int) -> list[Row]:
    """The rows about the prompt of `request`, at most `samples`."""
    keys = prompt_keys(request.prompt_id, request.messages, request.source, request.source_id)
    found = [row for key in keys for row in by_key.get(key, [])]
    if len(found) > samples:
        raise DataError(
            f"{found[samples].where} is response {samples + 1} of one cell to one prompt, and the "
            f"cell has samples: {samples}; write samples: {len(found)}, or choose rows by `where`"
        )
    return found


def _sample(request: Request, rows: list[Row]) -> Iterable[Sample]:
    """The row for this sample, or none."""
    for row in rows[request.sample_index : request.sample_index + 1]:
        text, finish_reason = _response(row)
        yield Sample(
            prompt_id=request.prompt_id,
            sample_index=request.sample_index,
            text=text,
            token_ids=None,
            finish_reason=finish_reason,
        )


def _response(row: Row) -> tuple[str, str]:
    """Text and finish reason of a row."""
    return row.text("response"), row.one_of("finish_reason", FINISH_REASONS, "stop")


VARIANT = Recorded
