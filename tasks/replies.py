"""What becomes of a model's replies to a judge's questions: verdicts, or losses with a reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from tasks.errors import DataError
from tasks.opinions import Opinion, Tokens
from tasks.spending import OVER_BUDGET, Price
from tasks.usage import cost_usd

LOST = ("left_out_", "reply_")
"""Beginnings of the counts that say why questions have no verdict that can be read."""
WHOLE = ("stop", "unknown")
"""How replies end that the model ended itself."""


class Said(Protocol):
    """A reply (`infra.openai_calls.Reply`)."""

    @property
    def text(self) -> str | None:
        """What the model wrote."""
        ...

    @property
    def tokens(self) -> Tokens:
        """The likeliest first tokens, if they were asked for."""
        ...

    @property
    def finish_reason(self) -> str:
        """How it ended, or why there is no text."""
        ...

    @property
    def prompt_tokens(self) -> int | None:
        """Tokens read."""
        ...

    @property
    def completion_tokens(self) -> int | None:
        """Tokens written."""
        ...


def opinions_of(judge: Any, replies: Sequence[Said], price: Price | None) -> list[Opinion | None]:
    """What `judge` reads in each reply, with what it cost; None where the budget allowed none."""
    return [
        None
        if reply.finish_reason == OVER_BUDGET
        else _priced(opinion_of(judge, reply), reply, price)
        for reply in replies
    ]


def _priced(opinion: Opinion, reply: Said, price: Price | None) -> Opinion:
    cost = cost_usd(price, reply.prompt_tokens, reply.completion_tokens)
    return replace(opinion, cost_usd=cost)


def opinion_of(judge: Any, reply: Said) -> Opinion:
    """What `judge` reads in `reply`; a reply that was cut at max_tokens is unparsed."""
    if reply.finish_reason == "length" and not judge.READS_CUT_REPLIES:
        # What looks like its verdict may be its reasoning.
        return Opinion(outcome="unparsed", reply=reply.text)
    opinion = judge.parse(reply.text or "", reply.tokens)
    if not isinstance(opinion, Opinion):
        raise DataError(f"judge {type(judge).__name__}.parse returned {opinion!r}, not an Opinion")
    return opinion


def losses(replies: Sequence[Said]) -> Counter[str]:
    """Questions left out, and replies without text or whole text, by their reason."""
    return Counter(name for name in map(_loss, replies) if name)


def _loss(reply: Said) -> str:
    """Why nothing can be read in the reply; empty where there is a whole text."""
    if reply.finish_reason == OVER_BUDGET:
        return f"left_out_{OVER_BUDGET}"
    if reply.finish_reason not in WHOLE:
        return f"reply_{reply.finish_reason}"
    return "" if (reply.text or "").strip() else "reply_empty"
