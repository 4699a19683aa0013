"""Kinds of calls: conversations, token ids, calls that depend on replies, log-probabilities."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from infra.openai_client import Call, Client
from tests.infra.chat_server import Server, running_server, send
from tests.infra.client_calls import calls


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


def with_log_probabilities(handler: Any, number: int, text: str) -> None:
    alternatives = [{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -2.5}]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "A"},
        "finish_reason": "stop",
        "logprobs": {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": alternatives}]},
    }
    send(handler, 200, json.dumps({"choices": [choice]}))


def test_alternatives_to_the_first_token_come_with_the_reply(server: Server) -> None:
    server.play = with_log_probabilities
    with Client(base_url=server.url, model="m") as client:
        [(_, reply)] = client.complete(calls("a"))
    assert list(reply.tokens) == [("A", -0.1), ("B", -2.5)]


def test_calls_may_wait_for_replies(server: Server) -> None:
    class Following(AsyncIterator[Call]):
        """One call after another, each once the one before is answered."""

        def __init__(self) -> None:
            self.names = iter("abc")
            self.free = True

        async def __anext__(self) -> Call:
            while not self.free:
                await asyncio.sleep(0.005)
            self.free = False
            for name in self.names:
                return calls(name)[0]
            raise StopAsyncIteration

    following, got = Following(), []
    with Client(base_url=server.url, model="m") as client:
        for call, _ in client.complete(following):
            got.append(call.id)
            assert server.most == 1
            following.free = True
    assert got == ["a", "b", "c"]


def test_a_server_that_is_gone_for_good_is_not_tried_again(server: Server) -> None:
    server.play = lambda handler, number, text: send(handler, 500, "{}")
    with Client(base_url=server.url, model="m", is_there=lambda: False) as client:
        [(_, reply)] = client.complete(calls("a"))
    assert reply.error and server.asked["a"] == 1


def test_token_ids_are_another_request_and_bounded_by_their_number() -> None:
    call = Call(id="a", messages=[], prompt_ids=[5, 6, 7], settings={"max_tokens": 4}, choices=2)
    assert (call.path, call.content) == ("/completions", {"prompt": [5, 6, 7]})
    assert (call.read_at_most, call.written_at_most) == (3, 8)
