"""Makes answers durable: all that wait at a time become one object of the store."""

import asyncio
from collections.abc import Callable, Sequence

from tasks.annotation_items import Answer

MOST_AT_ONCE = 500
Append = Callable[[Sequence[Answer]], None]
Key = tuple[str, str, int]


class Writer:
    """Writes answers one object at a time, in a thread; the desk hears of each when it is there."""

    def __init__(self, append: Append, is_durable: Callable[[Answer], None]) -> None:
        self._append = append
        self._is_durable = is_durable
        self._waiting: dict[Key, tuple[Answer, asyncio.Future[None]]] = {}
        self._writing: dict[Key, tuple[Answer, asyncio.Future[None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def pending(self, key: Key) -> Answer | None:
        """An answer with this key that is being written."""
        found = self._waiting.get(key) or self._writing.get(key)
        return found[0] if found else None

    async def write(self, answer: Answer) -> None:
        """Return when the answer is durable; raise what the store raised if it is not."""
        key = (answer.item_id, answer.annotator, answer.revision)
        found = self._waiting.get(key) or self._writing.get(key)
        if found is None:
            found = (answer, asyncio.get_running_loop().create_future())
            self._waiting[key] = found
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        await asyncio.shield(found[1])

    async def _drain(self) -> None:
        """Write until nothing waits."""
        while self._waiting:
            keys = list(self._waiting)[:MOST_AT_ONCE]
            self._writing = {key: self._waiting.pop(key) for key in keys}
            error: Exception | None = None
            try:
                answers = [answer for answer, _ in self._writing.values()]
                await asyncio.to_thread(self._append, answers)
            except Exception as raised:
                error = raised
            written, self._writing = self._writing, {}
            for answer, future in written.values():
                if error is None:
                    self._is_durable(answer)
                    future.set_result(None)
                else:
                    future.set_exception(error)
                    future.exception()  # whoever asked may be gone

    async def finish(self) -> None:
        """Wait for what is being written."""
        if self._task is not None:
            await self._task
