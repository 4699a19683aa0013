"""Answers that exist already: responses of people or of models that ran elsewhere."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from infra.engines._contract import Job, Sample
from infra.rows import Row, read_rows
from tasks.canonical import canonical_json
from tasks.errors import DataError

FIELDS = {"prompt_id", "messages", "prompt", "response", "finish_reason", "annotator", "source"}
FINISH_REASONS = ("stop", "length", "unknown")


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Responses from a JSON Lines file; prompts without one stay unanswered."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"file": "human.jsonl"}
    SEMANTICS: ClassVar[int] = 1
    NEEDS_WEIGHTS: ClassVar[bool] = False
    TAKES_TOKENS: ClassVar[bool] = False

    file: str
    """Rows with messages (or prompt, or prompt_id), response, and finish_reason (default stop)."""

    def fingerprint(self, model: str) -> str:
        """The sha256 of the file: other rows are another cell. DataError names a bad row."""
        for row in read_rows(self.file):
            _key(row)
            _sample(row, "", 0)
        return hashlib.sha256(Path(self.file).read_bytes()).hexdigest()

    def sample(self, job: Job) -> Iterator[tuple[int, list[Sample]]]:
        """The recorded responses of each shard's prompts, at most as many as are asked for."""
        by_prompt: dict[str, list[Row]] = {}
        for row in read_rows(self.file):
            by_prompt.setdefault(_key(row), []).append(row)
        for index, requests in job.shards.items():
            samples = []
            for request in requests:
                rows = by_prompt.get(request.prompt_id)
                rows = rows or by_prompt.get(canonical_json(list(request.messages)), [])
                if request.sample_index < len(rows):
                    samples.append(
                        _sample(rows[request.sample_index], request.prompt_id, request.sample_index)
                    )
            job.on_progress(len(requests))
            yield index, samples


def _key(row: Row) -> str:
    """prompt_id if the row has one, else its canonical conversation."""
    if unknown := sorted(row.fields.keys() - FIELDS):
        raise DataError(f"{row.where}: unknown field {unknown[0]!r}; allowed: {sorted(FIELDS)}")
    if "prompt_id" in row.fields:
        return str(row.fields["prompt_id"])
    if "messages" in row.fields:
        return canonical_json(row.fields["messages"])
    if "prompt" in row.fields:
        return canonical_json([{"role": "user", "content": row.fields["prompt"]}])
    raise DataError(f"{row.where}: needs messages, prompt or prompt_id to say what it answers")


def _sample(row: Row, prompt_id: str, sample_index: int) -> Sample:
    text = row.fields.get("response")
    if not isinstance(text, str):
        raise DataError(f"{row.where}: response is {text!r:.80}, needs a text")
    finish = row.fields.get("finish_reason", "stop")
    if finish not in FINISH_REASONS:
        raise DataError(f"{row.where}: finish_reason is {finish!r}; allowed: {FINISH_REASONS}")
    return Sample(
        prompt_id=prompt_id,
        sample_index=sample_index,
        text=text,
        token_ids=None,
        finish_reason=finish,
    )


VARIANT = Recorded
