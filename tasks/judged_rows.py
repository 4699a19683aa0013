"""Responses as the token rows that a judge's own models score."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from tasks.errors import ConfigError
from tasks.records import Checkpoint, Place, Prompt, Response
from tasks.references import place_model
from tasks.scales import Scale
from tasks.tokens import render, response_ids
from tasks.training_data import SCORE_ROWS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer


def judged_rows(
    batch: Iterable[tuple[Prompt, Response]], tokenizer: "Tokenizer", judge: Any
) -> pa.Table:
    """The rows of `batch`, by response; those longer than the judge's max_tokens are left out.

    Every text is tokenised by the judge's own tokenizer, ids sampled by us or not. For a reward
    model the end of turn closes it, where it was trained to give its number; for log-probabilities
    only if the response ended by itself.
    """
    columns: dict[str, list[object]] = {name: [] for name in SCORE_ROWS.names}
    prompts: dict[str, list[int]] = {}
    for prompt, response in sorted(batch, key=lambda one: one[1].response_id):
        if prompt.prompt_id not in prompts:
            prompts[prompt.prompt_id] = render(tokenizer, prompt.messages)
        asked = prompts[prompt.prompt_id]
        closed = judge.JOB == "reward" or response.finish_reason == "stop"
        answer = response_ids(tokenizer, response.text, closed)
        if judge.max_tokens is None or len(asked) + len(answer) <= judge.max_tokens:
            for name, value in zip(
                SCORE_ROWS.names, (response.response_id, asked, answer), strict=True
            ):
                columns[name].append(value)
    return pa.Table.from_pydict(columns, schema=SCORE_ROWS)


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """A judge with models whose numbers are known: it scores like one that needs nobody."""

    SHAPE: ClassVar[str] = "scores"

    both_orders: bool
    """Whether each comparison is shown in both orders, as the judge says."""
    scale: Scale
    """What the scores mean."""
    score_of: Callable[[dict[str, float]], float]
    """The score of a response, from the number of each model."""
    numbers: Mapping[str, Mapping[str, float]]
    """By model and response."""

    def scores(self, batch: Sequence[tuple[Prompt, Response]]) -> list[float | None]:
        """The score of each response; None for one that a model could not read."""
        found = [self._numbers_of(response.response_id) for _, response in batch]
        whole = len(self.numbers)
        return [self.score_of(one) if len(one) == whole else None for one in found]

    def _numbers_of(self, response_id: str) -> dict[str, float]:
        return {
            name: numbers[response_id]
            for name, numbers in self.numbers.items()
            if response_id in numbers
        }


def models_of(
    judge: Any, place: Place, describe: Callable[[str], Checkpoint]
) -> dict[str, Checkpoint]:
    """The weights of a judge's models in this round; none for a judge without.

    Raises ConfigError for models that are compared and do not read texts alike.
    """
    if not hasattr(judge, "models"):
        return {}
    named = judge.models()
    found = {
        role: place_model(f"a judge's {role}", name, place, describe)
        for role, name in named.items()
    }
    readers = {(one.tokenizer, one.template) for one in found.values()}
    if judge.SAME_TOKENS and len(readers) > 1:
        names = " and ".join(repr(name) for name in named.values())
        raise ConfigError(
            f"{names} have other tokenizers or chat templates, so that their log-probabilities are "
            "not of the same tokens; take models of one family"
        )
    return found
