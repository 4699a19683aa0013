"""How many responses meet all checks of their prompt."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from tasks.check_results import check_results
from tasks.evaluation_view import EvaluationView, Slices
from tasks.statistics import mean_of


@dataclass(frozen=True, kw_only=True)
class CheckPassRate:
    """Share of a prompt's responses that meet all its checks, and of each kind of check."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1
    NEEDS_VERDICTS: ClassVar[bool] = False
    HIGHER_IS_BETTER: ClassVar[bool | None] = True

    def __call__(self, view: EvaluationView) -> Slices:
        """Values 0 to 1 by slice and prompt_id; slices are all, tags, and `check:<kind>`.

        Prompts without checks are left out.
        """
        every: dict[str, float] = {}
        by_kind: Slices = {}
        for prompt, responses in view.answered():
            if not prompt.checks:
                continue
            results = [check_results(prompt, response.text) for response in responses]
            every[prompt.prompt_id] = mean_of(all(one.met for one in row) for row in results).value
            for kind in sorted({one.kind for one in results[0]}):
                met = [one.met for row in results for one in row if one.kind == kind]
                by_kind.setdefault(f"check:{kind}", {})[prompt.prompt_id] = mean_of(met).value
        return view.with_tags(every) | by_kind


VARIANT = CheckPassRate
