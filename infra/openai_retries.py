"""What went wrong with a call, whether another try may help, and how long to wait before it.

The one retry layer of calls: the `openai` package's own is switched off, because it does not say
how often it tried, gives up at a Retry-After above two minutes, and takes an answer that was cut
without a Content-Length for an error of its own.
"""

import json
import random
import re
import time
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from tasks.errors import DataError

LONGEST_BACKOFF = 30.0
"""Waits double up to this where the server does not say how long to wait (s)."""
RETRIED_STATUS = (408, 409, 429)
"""HTTP statuses that pass, beside 5xx."""
USELESS_STATUS = {
    401: "the key is refused",
    402: "the account has no credit",
    403: "access is denied",
    404: "model or path unknown",
}
"""HTTP statuses after which no other call of the batch would fare better."""
REDIRECTS = range(300, 400)
"""Not followed: nobody said that prompts may go there."""
NO_CREDIT = "insufficient_quota"
"""The code of a 429 that waiting does not mend."""
ODD_TRIES = 3
"""How often a call is made whose answers are no completions: chance may have made them."""
DISCONNECTED = "ServerDisconnectedError"
"""What aiohttp raises when a server closes the connection instead of answering."""
FILTERED = "content_filter"
"""The code of a 400 that is the server's answer to one prompt."""
TOO_LONG = "too_long"
"""Why a prompt that leaves the server's model no room is not answered."""
SWITCHES = {
    "n": "set per_request: 1 if it gives one choice per call",
    "seed": "set send_seed: false if it takes no seed",
    "max_tokens": "set token_limit: max_completion_tokens if it wants that name",
    "max_completion_tokens": "set token_limit: max_tokens if it wants that name",
}
"""What to do about fields of a request that some servers refuse."""


class OddAnswer(ValueError):
    """A server answered, but with something else than a chat completion."""

    kind = "odd"


class NoChoice(OddAnswer):
    """A completion without a usable choice; `usage` is what the server says that it counted."""

    kind = "malformed"

    def __init__(self, message: str, usage: Any) -> None:
        super().__init__(message)
        self.usage = usage


def kind_of(error: Exception) -> str:
    """Under what name a failed attempt is counted: an HTTP status, timeout, connection, cut, ..."""
    import openai

    if isinstance(error, OddAnswer):
        return error.kind
    if _is_unsent(error) or DISCONNECTED in _names(error):  # the package calls both timeouts
        return "connection"

    if isinstance(error, (TimeoutError, openai.APITimeoutError)):
        return "timeout"
    if isinstance(error, openai.APIStatusError):
        return str(error.status_code)
    if isinstance(error, openai.APIConnectionError):
        return "connection"
    return "cut" if isinstance(error, json.JSONDecodeError) else type(error).__name__


def odd_answer(error: Exception) -> OddAnswer | None:
    """What was odd about an answer that could not be read; the package calls it a connection."""
    return next((one for one in _chain(error) if isinstance(one, OddAnswer)), None)


def may_be_charged(error: Exception) -> bool:
    """Whether the server may have worked on the call: it was sent, and not refused."""
    import openai

    return not isinstance(error, openai.APIStatusError) and not _is_unsent(error)


def in_words(error: Exception) -> str:
    """What went wrong, as the one who knows says it: for a lost connection that is its cause."""
    if kind_of(error) != "connection":
        return str(error) or repr(error.__cause__ or error)
    causes = [str(one) for one in _chain(error) if str(one)]
    return causes[-1] if causes else repr(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """`error`, what caused it, and so on; a chain may come back to where it was."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def _names(error: Exception) -> list[str]:
    return [type(one).__name__ for one in _chain(error)]


def _is_unsent(error: Exception) -> bool:
    """Whether no connection came about."""
    names = _names(error)
    if "ConnectTimeout" in names and DISCONNECTED not in names:
        return True
    return any(name == "ConnectError" or name.startswith("ClientConnector") for name in names)


def why_useless(error: Exception, sent: Iterable[str]) -> str:
    """Why no other call would fare better; empty if one may. `sent` are the request's fields."""
    status = getattr(error, "status_code", None)
    if getattr(error, "code", None) == NO_CREDIT:
        return USELESS_STATUS[402]
    if isinstance(error, DataError):
        return "it continues other token ids than it is given"
    if status in USELESS_STATUS:
        return USELESS_STATUS[status]
    if status in REDIRECTS:
        return "it redirects, which is not followed; set base_url to where the model is served"
    fields = refused_fields(error, sent)
    return f"it refuses {' and '.join(fields)}" if fields else ""


def refused_fields(error: Exception, sent: Iterable[str]) -> list[str]:
    """Which of the fields in `sent` a 400 or 422 names, in quotes or as its parameter."""
    if getattr(error, "status_code", None) not in (400, 422):
        return []
    named = getattr(error, "param", None)
    said = str(error)
    return [one for one in sent if one == named or re.search(rf"[\"'`]{one}[\"'`]", said)]


def what_to_do(error: Exception, sent: Iterable[str]) -> str:
    """A hint where the server refuses a request with fields that not every server takes."""
    if getattr(error, "status_code", None) not in (400, 422):
        return ""
    optional = [one for one in sent if one in SWITCHES]
    hints = [SWITCHES[one] for one in refused_fields(error, optional) or optional]
    return f"; {', or '.join(hints)}" if hints else ""


def refused_prompt(error: Exception) -> str:
    """Why the server will not answer this one prompt: content_filter or too_long; else empty."""
    if getattr(error, "status_code", None) != 400:
        return ""
    code = getattr(error, "code", None)
    if code == FILTERED:
        return FILTERED
    long = code == "context_length_exceeded" or "maximum context length" in str(error)
    return TOO_LONG if long else ""


def wait_before_retry(error: Exception, failed: int, first: float, longest: float) -> float | None:
    """Seconds to wait after `failed` failed attempts; None if another one is of no use.

    The server's Retry-After is never undercut; None where it is above `longest`. Otherwise waits
    double from `first`. Chance spreads callers that failed at the same time.
    """
    if not _may_pass(error) or (isinstance(error, OddAnswer) and failed >= ODD_TRIES):
        return None
    asked = retry_after(error)
    if asked is not None:
        return None if asked > longest else asked * random.uniform(1, 1.1)
    return min(first * 2.0 ** (failed - 1), LONGEST_BACKOFF) * random.uniform(0.75, 1)


def _may_pass(error: Exception) -> bool:
    import openai

    if isinstance(error, openai.APIStatusError):
        passes = error.status_code in RETRIED_STATUS or error.status_code >= 500
        told = error.response.headers.get("x-should-retry")
        return passes and told != "false" and error.code != NO_CREDIT
    # The last one is an answer that ended early though its connection was closed in good order.
    passing = (TimeoutError, openai.APIConnectionError, json.JSONDecodeError, OddAnswer)
    return isinstance(error, passing)


def retry_after(error: Exception) -> float | None:
    """How long the server asks to wait (s), from its headers; None if it does not say."""
    headers: Any = getattr(getattr(error, "response", None), "headers", {})
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers.get(name, "")) * unit)
        except ValueError:
            continue
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return None
