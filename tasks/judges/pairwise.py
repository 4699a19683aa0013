"""Asks a language model which of two responses is better. Pure: it calls nobody."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.judges._template import render_template, template_text
from tasks.judges._version import judge_version
from tasks.opinions import Opinion
from tasks.records import Message, Prompt
from tasks.serving import ServerSettings, check_place
from tasks.variants import NotInKey

Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_VERDICT_LINE = re.compile(r"[\s*#>]*verdict\s*:", re.IGNORECASE)
_VERDICT = re.compile(r"(?i:\**verdict:\**)\s*\**(A|B|(?i:tie))\**\.?\**")
_OUTCOMES: dict[str, Literal["first", "second", "tie"]] = {"A": "first", "B": "second"}


@dataclass(frozen=True, kw_only=True)
class Pairwise:
    """A model behind an OpenAI-compatible server that ends its reply with `Verdict: A|B|tie`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "base_url": "http://127.0.0.1:8000/v1",
        "model": "org/judge",
    }
    SEMANTICS: ClassVar[int] = 1
    SHAPE: ClassVar[str] = "asks"

    model: str
    """Name of the model, as the server knows it; with `server`, a local folder or a hub id."""
    base_url: Annotated[str, NotInKey, Field(pattern=r"^(https?://[^/\s]+.*)?$")] = ""
    """Address of the server, up to and including /v1; empty with `server`."""
    server: ServerSettings | None = None
    """How to serve the model ourselves, for as long as it is asked."""
    revision: str = ""
    """What you know of the model's version; change it when the provider changes the model."""
    api_key_env: Annotated[str, NotInKey] = ""
    """Environment variable that holds the key; empty if the server needs none."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 is greedy."""
    max_tokens: Annotated[int, Field(gt=0)] = 512
    """Longest reply (tokens)."""
    concurrency: Annotated[int, NotInKey, Field(gt=0)] = 8
    """Questions that are under way at a time."""
    price: Annotated[tuple[Usd, Usd] | None, NotInKey] = None
    """USD for a million prompt tokens and for a million completion tokens, e.g. [0.15, 0.60]."""
    template: str = "pairwise"
    """A template of this package, or the path of a .j2 file."""
    both_orders: bool = True
    """Ask each question with either response first."""

    def __post_init__(self) -> None:
        """Refuse a judge that is asked nowhere, or at two places."""
        check_place(self.base_url, self.server)

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
