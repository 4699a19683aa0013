"""Asks a language model which of two responses is better. Pure: it calls nobody."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tasks.judges._connection import Connection
from tasks.judges._template import render_template, template_text
from tasks.judges._version import judge_version
from tasks.opinions import Opinion
from tasks.records import Message, Prompt

_VERDICT_LINE = re.compile(r"[\s*#>]*verdict\s*:", re.IGNORECASE)
_VERDICT = re.compile(r"(?i:\**verdict:\**)\s*\**(A|B|(?i:tie))\**\.?\**")
_OUTCOMES: dict[str, Literal["first", "second", "tie"]] = {"A": "first", "B": "second"}


@dataclass(frozen=True, kw_only=True)
class Pairwise(Connection):
    """A model behind an OpenAI-compatible server that ends its reply with `Verdict: A|B|tie`."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "base_url": "http://127.0.0.1:8000/v1",
        "model": "org/judge",
    }
    SEMANTICS: ClassVar[int] = 1
    SHAPE: ClassVar[str] = "asks"

    template: str = "pairwise"
    """A template of this package, or the path of a .j2 file."""
    both_orders: bool = True
    """Ask each question with either response first."""

    def version(self) -> str:
        """Digest of the settings and of the template's text."""
        return judge_version(self, template_text(self.template))

    def render(self, prompt: Prompt, first: str, second: str) -> list[Message]:
        """The conversation that asks about the texts `first` (A) and `second` (B)."""
        question = render_template(self.template, prompt.messages, first, second)
        return [{"role": "user", "content": question}]

    def parse(self, reply: str) -> Opinion:
        """The opinion in `reply`: its one verdict line, which must be the last line.

        Whatever else comes back is `unparsed`; nothing is guessed from it.
        """
        lines = [line.strip() for line in reply.splitlines() if line.strip()]
        verdict_lines = [line for line in lines if _VERDICT_LINE.match(line)]
        match = _VERDICT.fullmatch(lines[-1]) if len(verdict_lines) == 1 else None
        if match is None:
            return Opinion(outcome="unparsed", reply=reply)
        return Opinion(outcome=_OUTCOMES.get(match[1], "tie"), reply=reply)


VARIANT = Pairwise
