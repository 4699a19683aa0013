"""Reads the preference from the log-probabilities of the verdict's token: one token is written."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.errors import ConfigError
from tasks.judges._answers import OneOf, Structured
from tasks.judges._asking import Asking
from tasks.opinions import Opinion, Tokens
from tasks.records import Message, Prompt
from tasks.templates import render_template

ROUNDING = 0.01
"""Servers round: the log-probability of a sure token may be a little above 0 (nats)."""


@dataclass(frozen=True, kw_only=True)
class Logprob(Asking):
    """P(second is better) is the share of the second letter in the mass of both letters."""

    FORMS: ClassVar[tuple[Structured, ...]] = ("none", "choice")
    READS_CUT_REPLIES: ClassVar[bool] = True

    template: str = "logprob"
    """A template of this package, or the path of a .j2 file."""
    letters: tuple[str, str] = ("A", "B")
    """What the template calls the first and the second response; each must be one token."""
    top_logprobs: Annotated[int, Field(ge=2, le=20)] = 20
    """Likeliest tokens that the server is asked for; OpenAI and vLLM give up to 20."""
    least_mass: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Probability that both letters must have together; below it, the reply is unparsed."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """|2 p - 1| up to which it is a tie."""
    max_tokens: Annotated[int, Field(ge=1, le=1)] = 1
    """Longest reply (tokens): the letter."""
    both_orders: bool = True
    """Ask each question with either response first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.letters[0] == self.letters[1] or not all(map(str.strip, self.letters)):
            raise ConfigError(f"logprob judge: letters are {self.letters}; write two different")

    def form(self) -> dict[str, Any]:
        """Asks for log-probabilities, and holds the reply to its form."""
        held = OneOf(name="verdict", values=self.letters).request(self.structured)
        return {"logprobs": True, "top_logprobs": self.top_logprobs, **held}

    def render(self, prompt: Prompt, first: str, second: str = "") -> list[Message]:
        """The conversation that asks for one letter."""
        question = render_template(
            self.template,
            prompt.messages,
            {"first": first, "second": second},
            letters=self.letters,
            structured=self.structured,
        )
        return [{"role": "user", "content": question}]

    def parse(self, reply: str, tokens: Tokens = ()) -> Opinion:
        """From the likeliest first `tokens`; unparsed unless both letters are among them."""
        first, second = (_log_mass(letter, tokens) for letter in self.letters)
        if first is None or second is None or math.exp(first) + math.exp(second) < self.least_mass:
            return Opinion(outcome="unparsed", reply=reply)
        p = (1 + math.tanh((second - first) / 2)) / 2  # the sigmoid, without overflow
        if abs(2 * p - 1) <= self.tolerance:
            return Opinion(outcome="tie", p_second_wins=p, reply=reply)
        return Opinion(outcome="second" if p > 0.5 else "first", p_second_wins=p, reply=reply)


def _log_mass(letter: str, tokens: Tokens) -> float | None:
    """Log-probability (nats) of `letter`, white space around it or not; None if it is not there."""
    found = [logp for text, logp in tokens if text.strip() == letter]
    if not found or not all(math.isfinite(logp) and logp <= ROUNDING for logp in found):
        return None
    most = max(found)
    return most + math.log(math.fsum(math.exp(logp - most) for logp in found))


VARIANT = Logprob
