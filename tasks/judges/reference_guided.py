"""Asks which of two responses is better in the light of a reference answer of the prompt."""

import json
from dataclasses import dataclass
from typing import ClassVar, Literal

from tasks.errors import DataError
from tasks.judges.pairwise import Pairwise
from tasks.records import Message, Prompt

HOLDERS = {"reference": "answer", "final_number": "expected"}
"""Kinds of checks that hold an answer, and where in them it stands; the first comes first."""


@dataclass(frozen=True, kw_only=True)
class ReferenceGuided(Pairwise):
    """As pairwise, with the answer that the prompt's checks hold shown beside the responses."""

    SEMANTICS: ClassVar[int] = 1

    template: str = "reference_guided"
    """A template of this package, or the path of a .j2 file."""
    without_reference: Literal["refuse", "ask"] = "refuse"
    """What to do about a prompt that has no reference answer: stop, or ask without one."""

    def render(self, prompt: Prompt, first: str, second: str = "") -> list[Message]:
        """The conversation that shows the reference answer besides; DataError without one."""
        answer = reference_answer(prompt)
        if answer is None and self.without_reference == "refuse":
            raise DataError(
                f"prompt {prompt.prompt_id} has no reference answer; give it a check of kind "
                f"{' or '.join(HOLDERS)}, or set without_reference: ask"
            )
        return self._question(prompt, first, second, reference=answer or "")


def reference_answer(prompt: Prompt) -> str | None:
    """The answer that a check of `prompt` holds, None if none does."""
    checks = [json.loads(one) for one in prompt.checks]
    answers = (
        str(check[place])
        for kind, place in HOLDERS.items()
        for check in checks
        if check["kind"] == kind
    )
    return next(answers, None)


VARIANT = ReferenceGuided
