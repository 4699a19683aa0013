"""What the server does for a window: hand items out, take answers in, go back."""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from infra.annotation.page.access import Pass
from infra.annotation.page.desk import WITHDRAWN
from infra.annotation.page.leases import Holder
from infra.annotation.page.open_batches import OpenBatch
from infra.annotation.page.shown import AnswerIn, answer_of, is_equal
from tasks.annotation_items import TAGS, Answer, Item, check_answer
from tasks.errors import DataError

MOST_AHEAD = 5
"""Items that a window gets at once."""
MOST_HELD = 20
"""Items that a window may hold: the one that is looked at, those that come next, those undone."""
SHARED_OUT = 10
"""Near the end of a queue nobody holds more than this part of what is left."""
MOST_ANSWERS = 50
SAVED, CONFLICT, REFUSED = "saved", "conflict", "refused"

ItemId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Clock = Callable[[], float]


class Asked(BaseModel):
    """Who asks, beside the person: each window holds items of its own."""

    model_config = ConfigDict(extra="forbid")

    window: Annotated[str, Field(pattern=r"^[0-9a-z]{8,32}$")]


class Wanted(Asked):
    """What a window has, and how many items more it wants."""

    have: Annotated[list[ItemId], Field(max_length=MOST_HELD)]
    want: Annotated[int, Field(ge=0, le=MOST_AHEAD)]


class Given(Asked):
    """Answers of a window, oldest first."""

    answers: Annotated[list[AnswerIn], Field(min_length=1, max_length=MOST_ANSWERS)]


class Answering:
    """One person at one window of one batch."""

    def __init__(self, batch: OpenBatch, who: Pass, window: str, clock: Clock = time.time) -> None:
        self._batch = batch
        self._desk = batch.desk
        self._who = who
        self._holder = Holder(who.annotator, window)
        self._clock = clock

    def state(self) -> dict[str, Any]:
        """How far this person and everybody are, and whether the round has gone on."""
        progress = self._desk.progress(self._who.annotator)
        return {"progress": dataclasses.asdict(progress), "closed": self._batch.is_closed}

    async def more(self, have: Sequence[str], want: int) -> dict[str, Any]:
        """New items, and which of those that the window had are not its any more."""
        now = self._clock()
        lost = self._desk.renew(self._holder, have, now)
        kept = set(have) - set(lost)
        may_hold = 1 + self._desk.progress(self._who.annotator).left // SHARED_OUT
        count = 0 if self._batch.is_closed else max(0, min(want, may_hold - len(kept)))
        found = self._desk.next(self._holder, count, now, without=kept)
        items = await self._batch.shown(found, self._who.annotator)
        return {**self.state(), "items": items, "lost": lost}

    async def back(self) -> dict[str, Any]:
        """The item that this person answered last, to be answered anew."""
        last = self._desk.last(self._who.annotator)
        item = self._desk.item(last.item_id) if last else None
        items = await self._batch.shown([item], self._who.annotator) if item else []
        return {**self.state(), "items": items}

    async def take(self, answers: Sequence[AnswerIn]) -> dict[str, Any]:
        """Keep answers; each is durable when it is called saved."""
        results = await asyncio.gather(*map(self._take, answers))
        return {**self.state(), "results": results}

    async def _take(self, given: AnswerIn) -> dict[str, Any]:
        item = self._desk.item(given.item_id)
        if item is None:
            return _result(given, REFUSED, "this batch has no such item")
        answer = answer_of(given, item, self._who, datetime.fromtimestamp(self._clock(), UTC))
        if problem := _problem(answer, item):
            return _result(given, REFUSED, problem)
        known = self._known(answer)
        if known is not None and not is_equal(known, answer):
            return _result(given, CONFLICT, "you answered this in another window")
        await self._keep(answer)
        return _result(given, SAVED)

    def _known(self, answer: Answer) -> Answer | None:
        """What is known of this item, person and revision, be it durable or under way."""
        said = self._desk.revisions(answer.item_id, answer.annotator)
        key = (answer.item_id, answer.annotator, answer.revision)
        return said.get(answer.revision) or self._batch.writer.pending(key)

    async def _keep(self, answer: Answer) -> None:
        if answer.revision not in self._desk.revisions(answer.item_id, answer.annotator):
            await self._batch.writer.write(answer)
        if answer.outcome == WITHDRAWN:
            self._desk.hold(answer.item_id, self._holder, self._clock())


def _problem(answer: Answer, item: Item) -> str:
    """What of an answer cannot be, or nothing."""
    if unknown := [tag for tag in answer.tags if tag not in TAGS]:
        return f"no such tag: {unknown[0]!r:.60}"
    try:
        check_answer(answer, item)
    except DataError as error:
        return str(error)
    return ""


def _result(given: AnswerIn, status: str, why: str = "") -> dict[str, Any]:
    return {"item_id": given.item_id, "revision": given.revision, "status": status, "why": why}
