"""Calls in shards: each shard is handed over when it is complete, and nobody waits at its end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from infra.openai_calls import Call, Reply, failure
from infra.openai_client import Client


def completed_shards(
    client: Client,
    shards: Iterable[tuple[int, Sequence[Call]]],
    who: str,
    on_reply: Callable[[int], None],
) -> Iterator[tuple[int, list[Reply]]]:
    """Yield each shard's index with the replies to its calls, in their order, once it is complete.

    Calls of later shards are under way meanwhile. `on_reply` is told the number of choices of
    each reply. Raises, after all that could be answered, ConnectionError if some calls got no
    reply, or ConfigError if none can; shards without failed calls are yielded all the same.
    """
    under_way = _UnderWay()
    failed: list[Reply] = []
    with closing(client.complete(under_way.calls(shards))) as answers:
        for call, reply in answers:
            if reply.error is None:
                on_reply(len(reply.choices))
                yield from under_way.answered(call, reply)
            else:
                failed.append(reply)
    for index in under_way.empty:
        yield index, []
    if failed:
        raise failure(who, failed, under_way.total)


@dataclass
class _UnderWay:
    """Replies of shards that are not complete yet; memory holds no others."""

    empty: list[int] = field(default_factory=list)
    total: int = 0
    _shard_of: dict[str, int] = field(default_factory=dict)
    _calls: dict[int, Sequence[Call]] = field(default_factory=dict)
    _replies: dict[int, dict[str, Reply]] = field(default_factory=dict)

    def calls(self, shards: Iterable[tuple[int, Sequence[Call]]]) -> Iterator[Call]:
        """All calls, one shard after another; the client's thread reads this."""
        for index, calls in shards:
            if not calls:
                self.empty.append(index)
            self.total += len(calls)
            self._calls[index], self._replies[index] = calls, {}
            self._shard_of |= {call.id: index for call in calls}
            yield from calls

    def answered(self, call: Call, reply: Reply) -> Iterator[tuple[int, list[Reply]]]:
        """The call's shard, if this reply completes it."""
        index = self._shard_of.pop(call.id)
        self._replies[index][call.id] = reply
        if len(self._replies[index]) == len(self._calls[index]):
            replies, calls = self._replies.pop(index), self._calls.pop(index)
            yield index, [replies[one.id] for one in calls]
