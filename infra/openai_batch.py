"""The event loop that makes one batch of calls, and what it does about those that fail."""

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from infra.openai_attempts import AttemptFailed, Attempts, BudgetReached, without_text
from infra.openai_calls import MALFORMED, Call, Reply, Secret, reply_of
from infra.openai_endpoints import Endpoints
from infra.openai_keeping import Keeper
from infra.openai_pace import Pace
from infra.openai_retries import NoChoice, in_words, wait_before_retry, what_to_do, why_useless
from tasks.child import ItemLog
from tasks.spending import OVER_BUDGET

if TYPE_CHECKING:
    from infra.openai_client import Client

Answers = queue.SimpleQueue[tuple[Call, Reply] | BaseException | None]


class AtHand(AsyncIterator[Call]):
    """Calls that nobody has to wait for."""

    def __init__(self, calls: Iterator[Call]) -> None:
        self._calls = calls

    async def __anext__(self) -> Call:
        for call in self._calls:
            return call
        raise StopAsyncIteration


class Batch:
    """The calls of one `complete`, made in an event loop of its own."""

    def __init__(
        self, client: "Client", calls: AsyncIterator[Call], answers: Answers, key: Secret
    ) -> None:
        self._client = client
        self._calls = calls
        self._answers = answers
        self._key = key
        self._log = ItemLog(client.item_log, client.stage)
        self._failed_in_a_row = 0
        self._given_up: Reply | None = None
        self._pace = Pace(client.concurrency, client.most)
        self._keeper = Keeper(client.journal, client.purse, client.watch)
        self._under_way = 0
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
        self._main = asyncio.current_task()
        if self._cancelled.is_set():
            return
        self._freed = asyncio.Event()
        async with AsyncExitStack() as stack:
            endpoints = Endpoints(self._client.endpoints())
            self._attempts = Attempts(self._client, endpoints, self._key, self._pace, self._keeper)
            await stack.enter_async_context(self._attempts)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            async for call in self._calls:
                reply = self._journalled(call) or self._given_up
                if reply is not None and _is_whole(reply, call):
                    self._answers.put((call, reply))
                    await asyncio.sleep(0)  # those under way go on
                else:
                    await self._room()
                    group.create_task(self._answer(call, reply))

    def _journalled(self, call: Call) -> Reply | None:
        if self._client.journal is None:
            return None
        kept = self._client.journal.get(self._client.call_digest(call))
        return None if kept is None else reply_of(kept)

    async def _room(self) -> None:
        """Wait until one more call may be under way, and count it."""
        while self._under_way >= self._pace.limit:
            self._freed.clear()
            await self._freed.wait()
        self._under_way += 1

    async def _answer(self, call: Call, begun: Reply | None) -> None:
        """Hand over the whole reply; `begun` is a part of it that is journalled."""
        try:
            reply = begun or self._given_up or await self._asked_and_kept(call)
            while not _is_whole(reply, call):
                rest = call.rest(len(reply.choices))
                more = self._journalled(rest) or self._given_up
                reply = reply.followed_by(more or await self._asked_and_kept(rest))
            self._answers.put((call, reply))
        finally:
            self._under_way -= 1
            self._freed.set()

    async def _asked_and_kept(self, call: Call) -> Reply:
        self._log.starting([call.id])
        try:
            reply = await self._asked(call)
        except BudgetReached as reached:
            return self._over(call, str(reached))
        self._weigh(reply)
        return reply

    async def _asked(self, call: Call) -> Reply:
        """Try until there is an answer, or another attempt is of no use."""
        started, failed, client = time.monotonic(), 0, self._client
        key = client.call_digest(call)
        while True:
            try:
                return await self._attempts.make(call, key, started)
            except AttemptFailed as raised:
                failed, error = failed + 1, raised.error
                wait = wait_before_retry(
                    error, failed, client.first_wait_seconds, client.longest_wait_seconds
                )
                over = self._given_up is not None or not client.is_there()
                if wait is None or failed > client.max_retries or over:
                    return self._failure(error, call, failed, time.monotonic() - started)
            await asyncio.sleep(wait)

    def _over(self, call: Call, why: str) -> Reply:
        """The reply to a call that the budget does not allow."""
        if self._client.purse is not None and self._client.purse.degrades:
            return without_text(call, OVER_BUDGET)
        self._given_up = self._given_up or Reply(error=why, over_budget=True)
        return self._given_up

    def _failure(self, error: Exception, call: Call, failed: int, seconds: float) -> Reply:
        if isinstance(error, NoChoice):
            return without_text(call, MALFORMED)
        client = self._client
        useless = why_useless(error, call.request)
        key = client.api_key_env or "no variable (api_key_env is empty)"
        why = f", key from {key}: {useless}" if useless else ""
        tries = f"{failed} attempts in {seconds:.1f} s"
        said = self._key.hidden(in_words(error))[:500]
        return Reply(
            error=f"{client.model} at {client.base_url}{why} ({type(error).__name__}, {tries}): "
            f"{said}{what_to_do(error, call.request)}",
            hopeless=bool(useless),
            seconds=seconds,
        )

    def _weigh(self, reply: Reply) -> None:
        """Give up on the rest of the batch where it can only fail, and slowly."""
        lost = reply.error or (MALFORMED if reply.finish_reason == MALFORMED else None)
        self._failed_in_a_row = 0 if lost is None else self._failed_in_a_row + 1
        if reply.hopeless or self._failed_in_a_row >= self._client.give_up_after:
            client = self._client
            what = reply.error or f"{client.model} at {client.base_url} sends no chat completions"
            error = f"not sent, because calls before it failed: {what}"
            self._given_up = self._given_up or Reply(error=error, hopeless=reply.hopeless)


def _is_whole(reply: Reply, call: Call) -> bool:
    """Whether there is nothing left to ask for: a server may give fewer choices than asked."""
    return reply.error is not None or len(reply.choices) >= call.choices


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
