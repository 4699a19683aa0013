"""The event loop that makes one batch of calls, and what it does about those that fail."""

import asyncio
import queue
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.openai_calls import Call, Choice, Reply, Secret, reply_of
from infra.openai_retries import (
    kind_of,
    refused_prompt,
    wait_before_retry,
    what_to_do,
    why_useless,
)
from tasks.child import ItemLog
from tasks.errors import DataError

if TYPE_CHECKING:
    from infra.openai_client import Client

Create = Callable[..., Awaitable[Any]]
"""The `openai` package's function that makes one HTTP request."""
Answers = queue.SimpleQueue[tuple[Call, Reply] | BaseException | None]


class Batch:
    """The calls of one `complete`, made by `concurrency` workers in an event loop of its own."""

    def __init__(
        self, client: "Client", calls: Iterator[Call], answers: Answers, key: Secret
    ) -> None:
        self._client = client
        self._calls = calls
        self._answers = answers
        self._key = key
        self._log = ItemLog(client.item_log, client.stage)
        self._failed_in_a_row = 0
        self._given_up: Reply | None = None
        self._loop = asyncio.new_event_loop()
        self._main: asyncio.Task[None] | None = None
        self._cancelled = threading.Event()

    def run(self) -> None:
        """Make the calls; the last thing put into the queue is None or the error that ended it."""
        end: BaseException | None = None
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._all())
        except BaseExceptionGroup as group:
            end = _first(group)
        except BaseException as error:
            end = error
        self._answers.put(end)

    def cancel(self) -> None:
        """Abandon what is under way; nothing happens if all is done."""
        self._cancelled.set()
        if self._main is not None and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._main.cancel)
            except RuntimeError:  # closed in between: all is done
                return

    async def _all(self) -> None:
        import openai  # a second of import time that pure judges do not pay

        self._main = asyncio.current_task()
        if self._cancelled.is_set():
            return
        client = self._client
        async with (
            openai.AsyncOpenAI(
                base_url=client.base_url,
                api_key=self._key.value,
                timeout=client.timeout_seconds,
                max_retries=0,  # infra/openai_retries.py is the one layer
            ) as api,
            asyncio.TaskGroup() as group,
        ):
            # Naming them loads half the package: in no call's time.
            chat, completion = api.chat.completions.create, api.completions.create
            for _ in range(client.concurrency):
                group.create_task(self._worker(chat, completion))

    async def _worker(self, chat: Create, completion: Create) -> None:
        for call in self._calls:
            create = completion if call.prompt_ids else chat
            self._answers.put((call, await self._whole(create, call)))

    async def _whole(self, create: Create, call: Call) -> Reply:
        """A reply with all choices: a server may give fewer than it is asked for."""
        reply = await self._answered(create, call)
        have = len(reply.choices)
        if reply.error is not None or have >= call.choices:
            return reply
        return reply.followed_by(await self._whole(create, call.rest(have)))

    async def _answered(self, create: Create, call: Call) -> Reply:
        journal, key = self._client.journal, self._client.call_digest(call)
        if journal is not None and (known := journal.get(key)) is not None:
            return reply_of(known)
        if self._given_up is not None:
            return self._given_up
        self._log.starting([call.id])
        reply = await self._asked(create, call, key)
        self._weigh(reply)
        if reply.error is None:
            await self._keep(key, reply.kept(call))
        return reply

    async def _keep(self, key: str, entry: dict[str, Any]) -> None:
        """Write `entry` down, then tell who watches."""
        if self._client.journal is not None:
            await asyncio.to_thread(self._client.journal.append, key, entry)
        self._client.watch(entry)

    async def _asked(self, create: Create, call: Call, key: str) -> Reply:
        """Try until there is an answer, or another attempt is of no use."""
        started, failed, client = time.monotonic(), 0, self._client
        while True:
            try:
                completion = await self._attempt(create, call)
                return _read(completion, call, time.monotonic() - started)
            except Exception as error:
                if reason := refused_prompt(error):
                    return _refused(call, reason)
                failed += 1
                await self._keep(f"{key}!{uuid.uuid4().hex}", {"failed": kind_of(error)})
                wait = wait_before_retry(
                    error, failed, client.first_wait_seconds, client.longest_wait_seconds
                )
                over = self._given_up is not None or not client.is_there()
                if wait is None or failed > client.max_retries or over:
                    return self._failure(error, call, failed, time.monotonic() - started)
            await asyncio.sleep(wait)

    async def _attempt(self, create: Create, call: Call) -> Any:
        """One HTTP request; its timeout counts from here, however slowly bytes drip in."""
        async with asyncio.timeout(self._client.timeout_seconds):
            return await create(model=self._client.model, **call.content, **call.request)

    def _failure(self, error: Exception, call: Call, failed: int, seconds: float) -> Reply:
        client = self._client
        useless = why_useless(error, call.request)
        key = client.api_key_env or "no variable (api_key_env is empty)"
        why = f", key from {key}: {useless}" if useless else ""
        tries = f"{failed} attempts in {seconds:.1f} s"
        said = self._key.hidden(str(error) or repr(error.__cause__ or error))[:500]
        return Reply(
            error=f"{client.model} at {client.base_url}{why} ({type(error).__name__}, {tries}): "
            f"{said}{what_to_do(error, call.request)}",
            hopeless=bool(useless),
            seconds=seconds,
        )

    def _weigh(self, reply: Reply) -> None:
        """Give up on the rest of the batch where it can only fail, and slowly."""
        self._failed_in_a_row = 0 if reply.error is None else self._failed_in_a_row + 1
        if reply.hopeless or self._failed_in_a_row >= self._client.give_up_after:
            error = f"not sent, because calls before it failed: {reply.error}"
            self._given_up = Reply(error=error, hopeless=reply.hopeless)


def _read(completion: Any, call: Call, seconds: float) -> Reply:
    """The choices of `completion`; ValueError if the server sent something else."""
    choices = getattr(completion, "choices", None)
    part = "token_ids" if call.prompt_ids else "message"
    if not choices or any(getattr(one, part, None) is None for one in choices):
        raise ValueError(f"the server's reply is no completion: {str(completion)[:200]!r}")
    usage = completion.usage
    read = partial(_drawn, call) if call.prompt_ids else _choice
    return Reply(
        choices=[read(one) for one in choices[: call.choices]],
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        seconds=round(seconds, 3),
    )


def _choice(choice: Any) -> Choice:
    if getattr(choice.message, "refusal", None):
        return Choice(text="", finish_reason="refusal")
    return Choice(
        text=choice.message.content or "", finish_reason=choice.finish_reason or "unknown"
    )


def _drawn(call: Call, choice: Any) -> Choice:
    """The ids that were drawn; DataError if they continue another prompt than that of `call`."""
    seen = choice.prompt_token_ids
    if seen != list(call.prompt_ids):
        raise DataError(f"call {call.id} gave {list(call.prompt_ids)[:20]}…, it read {seen[:20]}…")
    return Choice(
        text="",
        finish_reason=choice.finish_reason or "unknown",
        token_ids=choice.token_ids,
        token_logps=choice.logprobs and choice.logprobs.token_logprobs,
    )


def _refused(call: Call, reason: str) -> Reply:
    """The reply of a server that answers this prompt by refusing it."""
    nothing = Choice(text="", finish_reason=reason)
    return Reply(choices=[nothing] * call.choices, prompt_tokens=0, completion_tokens=0)


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
