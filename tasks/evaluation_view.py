"""What metrics look at: one checkpoint's answers, those of its opponents, and verdicts on both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.records import Prompt, Response, Verdict

Slices = dict[str, dict[str, float]]
"""Slice name to prompt_id to value; `all` is the whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationView:
    """One checkpoint's evaluation."""

    prompts: Mapping[str, Prompt]
    """Evaluation prompts by id."""
    responses: Mapping[str, Sequence[Response]]
    """The checkpoint's responses by prompt_id."""
    opponents: Mapping[str, Mapping[str, Sequence[Response]]] = field(default_factory=dict)
    """By name (sft, reference): responses by prompt_id."""
    verdicts: Sequence[Verdict] = ()
    """Of the evaluation judges, on the checkpoint's responses against opponents'."""

    def answered(self) -> list[tuple[Prompt, Sequence[Response]]]:
        """The prompts that have responses, with them, sorted by prompt_id."""
        return [
            (self.prompts[prompt_id], rows)
            for prompt_id, rows in sorted(self.responses.items())
            if rows
        ]

    def with_tags(self, values: dict[str, float]) -> Slices:
        """`values` by prompt_id as the slice `all` and one slice for each tag of the prompts."""
        slices: Slices = {"all": values}
        for prompt_id, value in values.items():
            for tag in self.prompts[prompt_id].tags:
                slices.setdefault(tag, {})[prompt_id] = value
        return slices
