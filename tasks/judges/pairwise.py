"""Asks a language model which of two responses is better. Pure: it calls nobody."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from tasks.errors import ConfigError
from tasks.judges._answers import OneOf
from tasks.judges._asking import Asking
from tasks.opinions import Opinion, Tokens
from tasks.records import Message, Prompt
from tasks.templates import render_template

OUTCOMES = {"A": "first", "B": "second", "tie": "tie"}
_FORM = OneOf(name="verdict", values=tuple(OUTCOMES), any_case=("tie",))


@dataclass(frozen=True, kw_only=True)
class VerdictPattern:
    """How replies to a template with a form of its own say one verdict."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    verdict: Literal["A", "B", "tie"]
    """What is said: A is the response that was shown first."""
    pattern: str
    """Regular expression that is searched in the reply, outer white space left out."""

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ConfigError(f"pattern {self.pattern!r} is no regular expression: {error}") from (
                error
            )


@dataclass(frozen=True, kw_only=True)
class Pairwise(Asking):
    """A model behind an OpenAI-compatible server that ends its reply with `Verdict: A|B|tie`."""

    SEMANTICS: ClassVar[int] = 2

    template: str = "pairwise"
    """A template of this package, or the path of a .j2 file."""
    patterns: tuple[VerdictPattern, ...] = ()
    """For templates that ask for another form: a reply means what of these is found in it."""
    contradictory: Literal["unparsed", "first"] = "unparsed"
    """A reply in which patterns of several verdicts are found: unparsed, or the first in the list
    decides, as in some published evaluations."""
    both_orders: bool = True
    """Ask each question with either response first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patterns and self.structured != "none":
            raise ConfigError(
                f"patterns read free text, but structured is {self.structured!r}; leave one out"
            )

    def form(self) -> dict[str, Any]:
        """The part of each request that holds the reply to its form."""
        return _FORM.request(self.structured)

    def render(self, prompt: Prompt, first: str, second: str = "") -> list[Message]:
        """The conversation that asks about the texts `first` (A) and `second` (B)."""
        return self._question(prompt, first, second)

    def _question(self, prompt: Prompt, first: str, second: str, **texts: str) -> list[Message]:
        shown = {"first": first, "second": second, **texts}
        question = render_template(
            self.template, prompt.messages, shown, structured=self.structured
        )
        return [{"role": "user", "content": question}]

    def parse(self, reply: str, tokens: Tokens = ()) -> Opinion:
        """The opinion in `reply`: its one verdict line, which must be the last line.

        Whatever else comes back is `unparsed`; nothing is guessed from it.
        """
        said = self._found(reply) if self.patterns else _FORM.read(reply, self.structured)
        return Opinion(outcome=OUTCOMES.get(str(said), "unparsed"), reply=reply)

    def _found(self, reply: str) -> str | None:
        text = reply.strip()
        found = [one.verdict for one in self.patterns if re.search(one.pattern, text)]
        if self.contradictory == "unparsed" and len(set(found)) > 1:
            return None
        return found[0] if found else None


VARIANT = Pairwise
