"""Chains of calls where each wave depends on the replies to the one before."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.journal import Journal
from infra.openai_calls import Call
from infra.openai_client import Client
from infra.openai_waves import completed_waves
from tests.infra.chat_server import Server, answer, running_server, send


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


def call(name: str) -> Call:
    return Call(id=name, messages=[{"role": "user", "content": name}])


def chain(name: str, widths: list[int]) -> Any:
    """Waves of so many calls; the names of a wave repeat what the one before brought."""
    said: list[str] = []
    for number, width in enumerate(widths):
        seen = len("".join(said))
        replies = yield [call(f"{name}.{number}.{one}.{seen}") for one in range(width)]
        said += [reply.text for reply in replies]
    return said


def done(server: Server, shards: dict[int, list[Any]], **settings: Any) -> dict[int, list[Any]]:
    with Client(base_url=server.url, model="m", max_retries=0, **settings) as client:
        found = list(completed_waves(client, shards.items(), "who", lambda count: None))
    assert len(found) == len(dict(found))
    return dict(found)


def test_each_wave_sees_the_replies_to_the_one_before_in_their_order(server):
    found = done(server, {7: [chain("a", [2, 1])]})
    first = ["re: a.0.0.0", "re: a.0.1.0"]
    assert found == {7: [[*first, f"re: a.1.0.{len(''.join(first))}"]]}


def test_shards_without_calls_and_chains_without_waves_are_complete(server):
    assert done(server, {}) == {}
    found = done(server, {0: [], 1: [chain("a", [])], 2: [chain("b", [1]), chain("c", [])]})
    assert found == {0: [], 1: [[]], 2: [["re: b.0.0.0"], []]}
    assert sum(server.asked.values()) == 1


def test_an_empty_wave_is_passed_over(server):
    assert done(server, {0: [chain("a", [0, 1, 0])]}) == {0: [["re: a.1.0.0"]]}


def test_a_slow_call_holds_up_its_own_chain_only(server):
    """While the first call of one chain waits, all waves of the others are asked and complete."""
    others_done = threading.Event()

    def play(handler, number, text):
        if text.startswith("slow"):
            assert others_done.wait(20)
        answer(handler, text)

    server.play = play
    shards = {0: [chain("slow", [1, 1])], 1: [chain(f"c{n}", [1, 1, 1]) for n in range(4)]}
    with Client(base_url=server.url, model="m", concurrency=2) as client:
        for index, _ in completed_waves(client, shards.items(), "who", lambda count: None):
            if index == 1:
                others_done.set()
    assert sum(server.asked.values()) == 2 + 12


def test_workers_are_busy_as_long_as_any_chain_has_calls(server):
    server.play = lambda handler, number, text: (time.sleep(0.02), answer(handler, text))
    done(server, {n: [chain(f"{n}", [2, 2, 2])] for n in range(8)}, concurrency=8)
    assert server.most == 8


def test_a_failed_call_ends_its_chain_and_loses_nothing_else(server, tmp_path):
    def play(handler, number, text):
        bad = number == 1 and text.startswith("bad.1.0")
        send(handler, 400, "{}") if bad else answer(handler, text)

    def asked(path: Path) -> dict[int, list[Any]]:
        shards = {0: [chain("bad", [1, 2, 1])], 1: [chain("good", [1, 1])]}
        return done(server, shards, journal=Journal(path))

    server.play = play
    with pytest.raises(ConnectionError, match="who: 1 of 5 calls failed"):
        asked(tmp_path / "calls.jsonl")
    found = asked(tmp_path / "calls.jsonl")
    assert len(found[0][0]) == 4 and len(found[1][0]) == 2
    assert sorted(server.asked.values()) == [1, 1, 1, 1, 1, 2]


def test_what_fails_in_a_chain_comes_back_and_ends_the_calls(server):
    def broken():
        yield [call("one")]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        done(server, {0: [broken()], 1: [chain("b", [1])]})

    def broken_at_once():
        raise ZeroDivisionError
        yield

    with pytest.raises(ZeroDivisionError):
        done(server, {0: [broken_at_once()]})
