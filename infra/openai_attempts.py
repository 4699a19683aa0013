"""One attempt at a call: allowed by the budget, sent to an endpoint, read, written down."""

import asyncio
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.openai_calls import Call, Choice, Reply, Secret
from infra.openai_endpoints import Endpoint, Endpoints
from infra.openai_keeping import Keeper
from infra.openai_pace import Pace
from infra.openai_retries import (
    NoChoice,
    OddAnswer,
    kind_of,
    may_be_charged,
    odd_answer,
    refused_prompt,
    retry_after,
)
from tasks.errors import DataError
from tasks.spending import NOTHING, Amount

if TYPE_CHECKING:
    from infra.openai_client import Client

OVERLOAD = ("429", "503", "timeout")
"""Failures after which fewer calls are made at a time."""
LOOK_AGAIN_SECONDS = 0.02
"""How often a call looks whether those in flight left it something of the budget."""


class BudgetReached(Exception):
    """The budget does not allow the call; says which limit it is."""


class AttemptFailed(Exception):
    """No answer came, for what `error` says."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Attempts:
    """A context manager, for the event loop of one batch."""

    def __init__(
        self, client: "Client", endpoints: Endpoints, key: Secret, pace: Pace, keeper: Keeper
    ) -> None:
        self._client = client
        self._endpoints = endpoints
        self._key = key
        self._pace = pace
        self._keeper = keeper
        self._turn = asyncio.Lock()
        self._open = AsyncExitStack()
        self._apis: dict[str, Any] = {}

    async def __aenter__(self) -> "Attempts":
        # A second of import time that pure judges do not pay.
        import openai

        from infra.openai_transport import PLAIN, http_client

        for url in {one.url for one in self._endpoints.members}:
            api = openai.AsyncOpenAI(
                base_url=url,
                api_key=self._key.value,
                timeout=self._client.timeout_seconds,
                max_retries=0,  # infra/openai_retries.py is the one layer
                default_headers=PLAIN,
                http_client=http_client(),
            )
            self._apis[url] = await self._open.enter_async_context(api)
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self._open.aclose()

    async def make(self, call: Call, key: str, started: float) -> Reply:
        """The answer to `call`, written down; AttemptFailed, written down as well, if none came.

        Raises BudgetReached before anything is sent, and what the journal raises.
        """
        estimate = await self._allowed(call)
        try:
            endpoint = await self._endpoints.next(call.read_at_most + call.written_at_most)
            try:
                reply = await self._sent(endpoint, call, started)
            except Exception as error:
                reason = refused_prompt(error)
                if not reason:
                    await self._keep_failure(key, error, estimate)
                    raise AttemptFailed(error) from error
                reply = without_text(call, reason)
            spent = self._cost(reply, estimate)
            await self._keeper.keep(key, reply.kept(call, self._client.stage), spent)
            return reply
        finally:
            self._give_back(estimate)

    async def _allowed(self, call: Call) -> Amount:
        """Wait until the budget has room for `call`; what is set aside for it."""
        purse = self._client.purse
        if purse is None:
            return NOTHING
        estimate = purse.estimate(call)
        async with self._turn:  # one looks, the others wait in line
            while (answer := purse.reserve(estimate)) == "wait":
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
        if answer == "over":
            raise BudgetReached(purse.why(estimate))
        return estimate

    def _give_back(self, estimate: Amount) -> None:
        if self._client.purse is not None:
            self._client.purse.release(estimate)

    async def _sent(self, endpoint: Endpoint, call: Call, started: float) -> Reply:
        """One HTTP request; its timeout counts from here, however slowly bytes drip in."""
        reserved, used = call.read_at_most + call.written_at_most, None
        body = {"model": self._client.model, **call.content, **call.request}
        try:
            async with asyncio.timeout(self._client.timeout_seconds):
                answer = await self._apis[endpoint.url].post(call.path, body=body, cast_to=object)
            reply = read(answer, call, time.monotonic() - started)
            used = _counted(reply)
        except Exception as error:
            odd = odd_answer(error)
            self._note(endpoint, odd or error)
            if odd is None:
                raise
            raise odd from error
        else:
            endpoint.answered()
            self._pace.answered()
            return reply
        finally:
            endpoint.ended(reserved, used)

    def _note(self, endpoint: Endpoint, error: Exception) -> None:
        """Let others know what the failure says about the endpoint."""
        kind = kind_of(error)
        asked = retry_after(error)
        if asked is not None and asked <= self._client.longest_wait_seconds:
            endpoint.pause(asked)
        if kind in OVERLOAD:
            self._pace.overloaded()
        if kind in ("timeout", "connection", "cut") or kind.startswith("5"):
            endpoint.failed()

    def _cost(self, reply: Reply, estimate: Amount) -> Amount:
        return self._client.purse.cost(reply, estimate) if self._client.purse else NOTHING

    async def _keep_failure(self, key: str, error: Exception, estimate: Amount) -> None:
        """Write down a failed attempt; what may have been charged counts as spent."""
        spent = NOTHING
        if isinstance(error, NoChoice):
            spent = self._cost(_usage(error.usage), estimate)
        elif may_be_charged(error):
            spent = estimate
        entry = {"failed": kind_of(error), "stage": self._client.stage}
        await self._keeper.keep(f"{key}!{uuid.uuid4().hex}", entry, spent)


def without_text(call: Call, reason: str) -> Reply:
    """The reply to a call that brings no text for `reason`; nothing is paid for it."""
    nothing = Choice(text="", finish_reason=reason)
    return Reply(choices=[nothing] * call.choices, prompt_tokens=0, completion_tokens=0)


def _usage(usage: Any) -> Reply:
    """A reply without choices that says what the server counted."""
    return Reply(
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
    )


def _counted(reply: Reply) -> int | None:
    if reply.prompt_tokens is None or reply.completion_tokens is None:
        return None
    return reply.prompt_tokens + reply.completion_tokens


def read(answer: Any, call: Call, seconds: float) -> Reply:
    """The choices in a server's `answer`; OddAnswer if it is no completion, or has none."""
    if not isinstance(answer, dict) or "choices" not in answer:
        raise OddAnswer(f"the server's reply is no chat completion: {str(answer)[:200]!r}")
    listed, usage = answer["choices"], answer.get("usage")
    chosen = partial(_drawn, call) if call.prompt_ids else _choice
    choices = [chosen(one) for one in listed] if isinstance(listed, list) else []
    usable = [one for one in choices if one is not None]
    if not usable:
        raise NoChoice(f"a completion without a usable choice: {str(answer)[:200]!r}", usage)
    return replace(_usage(usage), choices=usable[: call.choices], seconds=round(seconds, 3))


def _choice(choice: Any) -> Choice | None:
    """One choice; None if it is none."""
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return None
    if message.get("refusal"):
        return Choice(text="", finish_reason="refusal")
    text = message.get("content") or ""
    if not isinstance(text, str):
        return None
    # JSON may hold halves of characters, which no file can: they become question marks.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return Choice(text=text, finish_reason=_ended(choice), tokens=_first_tokens(choice))


def _drawn(call: Call, choice: Any) -> Choice | None:
    """The ids that were drawn; DataError if they continue another prompt than that of `call`."""
    if not isinstance(choice, dict) or choice.get("token_ids") is None:
        return None
    seen = choice.get("prompt_token_ids") or []
    if seen != list(call.prompt_ids):
        raise DataError(f"call {call.id} gave {list(call.prompt_ids)[:20]}…, it read {seen[:20]}…")
    return Choice(
        text="",
        finish_reason=_ended(choice),
        token_ids=choice["token_ids"],
        token_logps=(choice.get("logprobs") or {}).get("token_logprobs"),
    )


def _ended(choice: Any) -> str:
    return str(choice.get("finish_reason") or "unknown")


def _first_tokens(choice: Any) -> list[tuple[str, float]]:
    """The alternatives to the first token, where the server gives log-probabilities."""
    content = (choice.get("logprobs") or {}).get("content") or []
    listed = (content[0].get("top_logprobs") or []) if content else []
    return [(one["token"], one["logprob"]) for one in listed]


def _count(usage: Any, name: str) -> int | None:
    """Tokens as the server counts them; None where it does not."""
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and count >= 0 else None
