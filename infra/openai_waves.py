"""Calls in chains of waves: each wave depends on the replies to the one before it.

A chain is a generator that yields the calls of a wave and is sent their replies. The chains of all
shards go on side by side: the client's workers take what chains that have begun want next, else
the first wave of another chain, so they are idle only where nothing can be asked yet.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from infra.openai_calls import Call, Reply, failure
from infra.openai_client import Client

Result = TypeVar("Result")
Chain = Generator[Sequence[Call], list[Reply], Result]


def completed_waves(
    client: Client,
    shards: Iterable[tuple[int, Sequence[Chain[Result]]]],
    who: str,
    on_reply: Callable[[int], None],
) -> Iterator[tuple[int, list[Result]]]:
    """Yield each shard's index with what its chains returned, in their order, once all have ended.

    `on_reply` is told the number of choices of each reply. A call that fails ends its chain.
    Raises, after all that could be answered, ConnectionError if some calls got no reply, or
    ConfigError if none can; shards without failed calls are yielded all the same.
    """
    under_way = _UnderWay(shards)
    failed: list[Reply] = []
    with closing(client.complete(under_way)) as answers:
        for call, reply in answers:
            if reply.error is None:
                on_reply(len(reply.choices))
            else:
                failed.append(reply)
            under_way.answered(call, reply)
            yield from under_way.complete()
    yield from under_way.complete()
    if failed:
        raise failure(who, failed, under_way.total)


@dataclass
class _Shard(Generic[Result]):
    """The chains of one shard and what those that ended returned."""

    index: int
    chains: int
    results: dict[int, Result] = field(default_factory=dict)


@dataclass
class _Wave(Generic[Result]):
    """Calls of one chain that are under way."""

    shard: _Shard[Result]
    position: int
    chain: Chain[Result]
    calls: Sequence[Call]
    replies: dict[str, Reply] = field(default_factory=dict)


class _UnderWay(AsyncIterator[Call], Generic[Result]):
    """The calls that can be made now. The client's workers take them; `answered` makes new ones.

    Two threads: chains are begun by the client's, and go on in the caller's.
    """

    def __init__(self, shards: Iterable[tuple[int, Sequence[Chain[Result]]]]) -> None:
        self.total = 0
        self._lock = threading.Lock()
        self._first = self._first_waves(shards)
        self._next: deque[Call] = deque()
        self._wave_of: dict[str, _Wave[Result]] = {}
        self._open = 0
        self._shards: dict[int, _Shard[Result]] = {}
        self._waiting: list[asyncio.Future[None]] = []

    async def __anext__(self) -> Call:
        while True:
            with self._lock:
                call = self._next.popleft() if self._next else next(self._first, None)
                if call is not None:
                    return call
                if not self._open:
                    raise StopAsyncIteration
                turn = asyncio.get_running_loop().create_future()
                self._waiting.append(turn)
            await turn

    def _first_waves(self, shards: Iterable[tuple[int, Sequence[Chain[Result]]]]) -> Iterator[Call]:
        for index, chains in shards:
            shard = self._shards[index] = _Shard(index, len(chains))
            for position, chain in enumerate(chains):
                wave = _after(_Wave(shard, position, chain, []))
                if wave is not None:
                    self._open += 1
                    yield from self._begun(wave)

    def _begun(self, wave: _Wave[Result]) -> Sequence[Call]:
        self.total += len(wave.calls)
        self._wave_of |= {call.id: wave for call in wave.calls}
        return wave.calls

    def answered(self, call: Call, reply: Reply) -> None:
        """Go on with the call's chain, if this reply ends its wave."""
        with self._lock:
            wave = self._wave_of.pop(call.id)
        wave.replies[call.id] = reply
        if len(wave.replies) < len(wave.calls):
            return
        broken = any(one.error is not None for one in wave.replies.values())
        further = None if broken else _after(wave)
        with self._lock:
            if further is None:
                self._open -= 1
            else:
                self._next.extend(self._begun(further))
            waiting, self._waiting = self._waiting, []
        _wake(waiting)

    def complete(self) -> Iterator[tuple[int, list[Result]]]:
        """The shards that are complete now, each once."""
        with self._lock:
            done = [one for one in self._shards.values() if len(one.results) == one.chains]
            for one in done:
                del self._shards[one.index]
        for one in done:
            yield one.index, [one.results[position] for position in range(one.chains)]


def _after(wave: _Wave[Result]) -> _Wave[Result] | None:
    """The next wave of the same chain that has calls, None where the chain has ended."""
    replies: Any = [wave.replies[call.id] for call in wave.calls] if wave.calls else None
    try:
        calls = wave.chain.send(replies)
        while not calls:
            calls = wave.chain.send([])
    except StopIteration as end:
        wave.shard.results[wave.position] = end.value
        return None
    return _Wave(wave.shard, wave.position, wave.chain, calls)


def _wake(waiting: Iterable["asyncio.Future[None]"]) -> None:
    """Let workers look again; those of a client that has ended need not."""
    for turn in waiting:
        try:
            turn.get_loop().call_soon_threadsafe(_resolve, turn)
        except RuntimeError:  # the loop is closed
            return


def _resolve(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
