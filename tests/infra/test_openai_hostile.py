"""Servers that mean harm: calls go nowhere else, and no answer fills the memory."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra import openai_transport
from tests.infra.chat_server import Server, answer, running_server, send
from tests.infra.client_calls import SECRET, replies


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def other() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: Server, other: Server, status: int) -> None:
    place = f"{other.url}/chat/completions"
    server.play = lambda handler, number, text: send(handler, status, "", Location=place)
    [reply] = replies(server, "a").values()
    assert reply.hopeless and "it redirects" in (reply.error or "")
    assert other.bodies == [] and server.asked["a"] == 1


def endless(handler: Any, number: int, text: str) -> None:
    """A chunk after the other until nobody listens."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    handler.wfile.write(b'{"choices": "')
    block = b"x" * 65_536
    try:
        while True:
            handler.wfile.write(block)
    except OSError:
        handler.close_connection = True


def test_an_answer_that_does_not_end_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_transport, "MOST_BYTES", 2**20)
    server.play = endless
    [reply] = replies(server, "a").values()
    assert "the server's reply has more than 1,048,576 bytes" in (reply.error or "")
    assert server.asked["a"] == 3


def bomb(handler: Any, number: int, text: str) -> None:
    """16 MB of blanks in 16 kB."""
    body = gzip.compress(b" " * 2**24)
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_a_compressed_answer_is_not_unpacked(server: Server) -> None:
    server.play = bomb
    [reply] = replies(server, "a").values()
    assert "compressed ('gzip')" in (reply.error or "")


def test_an_answer_within_the_limit_is_read(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_transport, "MOST_BYTES", 2**20)
    text = "é" * 100_000
    server.play = lambda handler, number, asked: answer(handler, text)
    assert replies(server, "a")["a"].text == f"re: {text}"


DEEP = '{"choices": ' + "[" * 200_000 + "]" * 200_000 + "}"
ODD = {
    "deep": DEEP,
    "huge number": '{"choices": [{"index": 1' + "0" * 5000 + "}]}",
    "lone surrogate": json.dumps(
        {"choices": [{"message": {"content": "\ud800 ok"}, "finish_reason": "stop"}]}
    ),
    "no list": '{"choices": {"message": {"content": "x"}}}',
    "negative usage": json.dumps(
        {"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": -5}}
    ),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_an_odd_body_ends_in_a_reply_or_an_error_and_never_in_a_crash(
    server: Server, body: str
) -> None:
    server.play = lambda handler, number, text: send(handler, 200, body)
    [reply] = replies(server, "a").values()
    assert (reply.error is None) == (reply.text is not None)
