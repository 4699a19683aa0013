"""How long responses are: the first thing to drift when a judge likes length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from tasks.check_results import checks_of
from tasks.checks._items import items_of
from tasks.checks.number_of_items import NumberOfItems
from tasks.evaluation_view import EvaluationView, Slices
from tasks.records import Prompt, Response
from tasks.statistics import mean_of
from tasks.words import num_words


@dataclass(frozen=True, kw_only=True)
class Length:
    """Words of a response, and items it lists over items that were asked for."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1
    NEEDS_VERDICTS: ClassVar[bool] = False
    HIGHER_IS_BETTER: ClassVar[bool | None] = None

    def __call__(self, view: EvaluationView) -> Slices:
        """Mean words in all and tags, and the slice `items_over_asked`, where 1 is as asked.

        That slice has the prompts with a check of the number of items, if there are any.
        """
        words: dict[str, float] = {}
        over_asked: dict[str, float] = {}
        for prompt, responses in view.answered():
            words[prompt.prompt_id] = mean_of(num_words(row.text) for row in responses).value
            if asked := _items_asked(prompt):
                over_asked[prompt.prompt_id] = _mean_items(responses) / asked
        slices = view.with_tags(words)
        return slices | {"items_over_asked": over_asked} if over_asked else slices


def _items_asked(prompt: Prompt) -> int:
    counts = [check.count for check in checks_of(prompt) if isinstance(check, NumberOfItems)]
    return counts[0] if counts else 0


def _mean_items(responses: Sequence[Response]) -> float:
    return mean_of(len(items_of(row.text)) for row in responses).value


VARIANT = Length
