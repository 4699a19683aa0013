"""The event loop that makes one batch of calls, and what it does about those that fail."""

import asyncio
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from infra.openai_calls import Call, Reply, Secret
from tasks.child import ItemLog

if TYPE_CHECKING:
    from infra.openai_client import Client

USELESS_STATUS = {401: "the key is refused", 403: "access is denied", 404: "model or path unknown"}
"""HTTP statuses after which no other call of the batch would fare better."""

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
                max_retries=client.max_retries,
            ) as api,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(client.concurrency):
                group.create_task(self._worker(api))

    async def _worker(self, api: Any) -> None:
        for call in self._calls:
            self._answers.put((call, await self._answered(api, call)))

    async def _answered(self, api: Any, call: Call) -> Reply:
        journal, key = self._client.journal, self._client.call_digest(call)
        if journal is not None and (known := journal.get(key)) is not None:
            return Reply(**known, from_journal=True)
        if self._given_up is not None:
            return self._given_up
        self._log.starting([call.id])
        reply = await self._asked(api, call)
        self._weigh(reply)
        if journal is not None and reply.error is None:
            await asyncio.to_thread(journal.append, key, _kept(reply))
        return reply

    async def _asked(self, api: Any, call: Call) -> Reply:
        started = time.monotonic()
        try:
            completion = await api.chat.completions.create(
                model=self._client.model, messages=call.messages, **call.settings
            )
            return _read(completion, time.monotonic() - started)
        except Exception as error:
            return self._failure(error, time.monotonic() - started)

    def _failure(self, error: Exception, seconds: float) -> Reply:
        status = getattr(error, "status_code", None)
        name, server = type(error).__name__, f"{self._client.model} at {self._client.base_url}"
        why = f": {USELESS_STATUS[status]}" if status in USELESS_STATUS else ""
        said = self._key.hidden(str(error) or repr(error.__cause__))[:500]
        return Reply(
            error=f"{server}{why} ({name} after {seconds:.1f} s): {said}",
            hopeless=status in USELESS_STATUS,
            seconds=seconds,
        )

    def _weigh(self, reply: Reply) -> None:
        """Give up on the rest of the batch where it can only fail, and slowly."""
        self._failed_in_a_row = 0 if reply.error is None else self._failed_in_a_row + 1
        if reply.hopeless or self._failed_in_a_row >= self._client.give_up_after:
            error = f"not sent, because calls before it failed: {reply.error}"
            self._given_up = Reply(error=error, hopeless=reply.hopeless)


def _read(completion: Any, seconds: float) -> Reply:
    """The first choice of `completion`; ValueError if the server sent something else."""
    choices = getattr(completion, "choices", None)
    if not choices or getattr(choices[0], "message", None) is None:
        raise ValueError(f"the server's reply is no chat completion: {str(completion)[:200]!r}")
    usage = completion.usage
    return Reply(
        text=choices[0].message.content or "",
        finish_reason=choices[0].finish_reason or "unknown",
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        seconds=round(seconds, 3),
    )


def _kept(reply: Reply) -> dict[str, Any]:
    """What the journal keeps of a reply without error."""
    return {
        name: value
        for name, value in asdict(reply).items()
        if name not in ("error", "hopeless", "from_journal")
    }


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
