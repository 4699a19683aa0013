"""Engine that answers from its settings: for tests and examples, without a model."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict

from infra.engines._contract import Job, Request, Sample, item
from infra.processes.room import Needs
from tasks.canonical import short_id
from tasks.child import ItemLog


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """Answers each prompt with the responses written down for it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"responses": {"Name a fruit.": ["pear", "plum"]}}
    SEMANTICS: ClassVar[int] = 1
    NEEDS_WEIGHTS: ClassVar[bool] = False
    TAKES_TOKENS: ClassVar[bool] = False
    ASKS: ClassVar[bool] = False
    READS_FILES: ClassVar[bool] = False

    responses: dict[str, list[str]] = field(default_factory=dict)
    """Answers by the text of the last message; sample k is number k modulo their count."""
    default: str = "Answer {index} to: {prompt}"
    """The answer to any other prompt; {prompt}, {index} and {seed} are filled in."""

    def fingerprint(self, model: str) -> str:
        """Digest of the script, so that another script is another generator."""
        return short_id("scripted", model, self.responses, self.default)

    def needs(self, weight_bytes: int, model: str) -> Needs:
        """Next to nothing."""
        return Needs()

    def sample(self, job: Job) -> Iterator[tuple[int, list[Sample]]]:
        """Yield the shards of `job` in order of their index."""
        log = ItemLog(job.item_log, job.stage)
        for index, requests in sorted(job.shards.items()):
            log.starting(item(request) for request in requests)
            samples = [self._answer(request, job.decoding.max_tokens) for request in requests]
            job.on_progress(len(samples))
            yield index, samples

    def _answer(self, request: Request, max_tokens: int) -> Sample:
        prompt = request.messages[-1]["content"]
        written = self.responses.get(prompt)
        if written:
            text = written[request.sample_index % len(written)]
        else:
            text = self.default.format(prompt=prompt, index=request.sample_index, seed=request.seed)
        words = text.split(" ")
        return Sample(
            prompt_id=request.prompt_id,
            sample_index=request.sample_index,
            text=" ".join(words[:max_tokens]),
            token_ids=None,
            finish_reason="stop" if len(words) <= max_tokens else "length",
        )


VARIANT = Scripted
