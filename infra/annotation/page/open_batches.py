"""The batches that are being answered, each opened when somebody first asks for it."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infra.annotation.batch_rounds import rounds_with_batches
from infra.annotation.batches import Batch, open_batch
from infra.annotation.page.desk import Desk
from infra.annotation.page.leases import Leases
from infra.annotation.page.shown import shown
from infra.annotation.page.writer import Writer
from infra.run_tree import RunTree
from infra.storage import Store
from infra.work import work_root
from tasks.annotation_items import Answer, Item
from tasks.errors import ConfigError

LOOK_SECONDS = 5.0
"""How old what is known of a batch's closing may be."""
REFRESH_SECONDS = 30.0
"""How old what is known of the answers of other front ends may be."""
MOST_OPEN = 8
FRONT_END = "page"


class OpenBatch:
    """A batch with its desk and its writer."""

    def __init__(self, batch: Batch, clock: Callable[[], float] = time.time) -> None:
        self.batch = batch
        self._clock = clock
        self._leases = Leases(_leases_file(batch), clock())
        self.desk = Desk(batch.items(), batch.answers(), self._leases)
        self.writer = Writer(batch.append, self.desk.register)
        batch.texts(0, 1)  # copies the tables now, so that nobody waits for it
        self.is_closed = batch.closed is not None
        self.is_replaced = False
        self._looked = self._refreshed = clock()

    async def refresh(self) -> None:
        """Learn whether the batch was closed or replaced, and what other front ends brought."""
        now = self._clock()
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            self.is_closed, self.is_replaced = await asyncio.to_thread(self._look)
        if now - self._refreshed > REFRESH_SECONDS:
            self._refreshed = now
            for answer in await asyncio.to_thread(self._news):
                self.desk.register(answer)

    def _look(self) -> tuple[bool, bool]:
        return self.batch.closed is not None, not self.batch.current

    def _news(self) -> list[Answer]:
        known = self.desk.revisions
        return [
            one
            for one in self.batch.answers()
            if one.revision not in known(one.item_id, one.annotator)
        ]

    async def shown(self, items: Sequence[Item], annotator: str) -> list[dict[str, Any]]:
        """What the page shows of `items`."""
        said = [dict(self.desk.revisions(item.item_id, annotator)) for item in items]

        def pages() -> list[dict[str, Any]]:
            texts = self.batch.texts_of(items)
            return [shown(one, annotator, known) for one, known in zip(texts, said, strict=True)]

        return await asyncio.to_thread(pages)

    async def close(self) -> None:
        """Wait for what is being written."""
        await self.writer.finish()
        self._leases.close()


class OpenBatches:
    """Batches of one store by run and round, opened once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[tuple[str, int], OpenBatch] = {}
        self._lock = asyncio.Lock()

    async def newest(self, run: str) -> int:
        """The newest round of a run that asks people; ConfigError if there is none."""
        found = await asyncio.to_thread(rounds_with_batches, RunTree(self._store, run))
        if not found:
            raise ConfigError(f"run {run!r} asks people nothing")
        return found[-1]

    async def get(self, run: str, round_index: int) -> OpenBatch:
        """The batch of a round; ConfigError if there is none."""
        key = (run, round_index)
        async with self._lock:
            if key not in self._open:
                self._open[key] = await asyncio.to_thread(self._opened, *key)
                await self._forget_the_oldest()
        found = self._open[key]
        await found.refresh()
        if found.is_replaced:
            self._open.pop(key, None)
            await found.close()
            return await self.get(run, round_index)
        return found

    def _opened(self, run: str, round_index: int) -> OpenBatch:
        return OpenBatch(open_batch(self._store, run, round_index, writer=FRONT_END))

    async def _forget_the_oldest(self) -> None:
        while len(self._open) > MOST_OPEN:
            oldest = next(iter(self._open))
            await self._open.pop(oldest).close()

    async def close(self) -> None:
        """Wait for what is being written."""
        for one in self._open.values():
            await one.close()


def _leases_file(batch: Batch) -> Path:
    """Where this machine keeps who looks at what."""
    store = hashlib.sha256(batch.store.root.encode()).hexdigest()[:12]
    facts = batch.facts
    name = f"{facts.run}-{facts.round_index:05d}-{facts.generation}.jsonl"
    return work_root() / "annotation" / store / name
