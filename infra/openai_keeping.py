"""Answers are written down together: one fsync serves all that came while the last one ran."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from infra.openai_calls import CallJournal, Purse
from tasks.spending import NOTHING, Amount

Waiting = tuple[str, dict[str, Any], Amount, asyncio.Future[None]]


class Keeper:
    """Keeps entries of one batch; all methods run in its event loop."""

    def __init__(
        self,
        journal: CallJournal | None,
        purse: Purse | None,
        watch: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._journal = journal
        self._purse = purse
        self._watch = watch
        self._waiting: list[Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, key: str, entry: dict[str, Any], spent: Amount) -> None:
        """Write `entry` down with what it cost, then tell who watches; durable on return."""
        if self._journal is not None or self._purse is not None:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((key, entry, spent, done))
            if self._writer is None or self._writer.done():
                self._writer = asyncio.create_task(self._write_all())
            await done
        self._watch(entry)

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._write, batch)
            except BaseException as error:
                self._end(batch, error)
                if not isinstance(error, Exception):
                    raise
            else:
                self._end(batch, None)

    def _end(self, batch: list[Waiting], error: BaseException | None) -> None:
        for *_, done in batch:
            if done.done():  # its caller was cancelled
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    def _write(self, batch: list[Waiting]) -> None:
        """Money first: a death in between overstates what is spent, and never understates it."""
        if self._purse is not None:
            self._purse.book(sum((spent for _, _, spent, _ in batch), NOTHING))
        if self._journal is not None:
            self._journal.append_all([(key, entry) for key, entry, _, _ in batch])
