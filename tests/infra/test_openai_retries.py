"""Failed attempts: which are tried again, when, and what becomes of the others."""

import json
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from infra.journal import Journal
from infra.ledger import Ledger, Purse
from infra.openai_retries import retry_after, wait_before_retry
from tasks.canonical import canonical_json
from tests.infra.chat_server import (
    Server,
    answer,
    cut_in_the_body,
    first_time,
    running_server,
    send,
)
from tests.infra.client_calls import SECRET, replies


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)


@pytest.mark.parametrize(
    "trouble",
    [
        lambda handler: send(handler, 429, "{}", Retry_After="0.1"),
        lambda handler: send(handler, 500, "{}"),
        lambda handler: time.sleep(2.5),
        lambda handler: handler.connection.close(),
        cut_in_the_body,
        lambda handler: send(handler, 200, '{"choices": ['),
    ],
    ids=["429", "500", "timeout", "no answer", "cut body", "cut without length"],
)
def test_passing_trouble_is_tried_again(server: Server, trouble: Callable[[Any], None]) -> None:
    server.play = first_time(trouble)
    got = replies(server, "a", timeout_seconds=2.0)
    assert got["a"].text == "re: a"
    assert server.asked["a"] == 2


@pytest.mark.parametrize(
    ("trouble", "kind", "charged"),
    [
        (lambda handler: send(handler, 503, "{}", Retry_After_Ms="1"), "503", False),
        (lambda handler: send(handler, 429, "{}", Retry_After_Ms="1"), "429", False),
        (lambda handler: handler.connection.close(), "connection", True),
        (cut_in_the_body, "connection", True),
        (lambda handler: time.sleep(1.5), "timeout", True),
    ],
    ids=["503", "429", "no answer", "cut body", "timeout"],
)
def test_a_failure_has_its_name_and_says_whether_it_may_have_been_charged(
    server: Server, tmp_path: Path, trouble: Callable[[Any], None], kind: str, charged: bool
) -> None:
    server.play = first_time(trouble)
    heard: list[Any] = []
    with Ledger(tmp_path / "spent") as ledger:
        purse = Purse(ledger=ledger, round_index=0, verb="judge", who="main", price=(1.0, 1.0))
        replies(server, "a", timeout_seconds=0.75, watch=heard.append, purse=purse)
        assert [one["failed"] for one in heard if "failed" in one] == [kind]
        assert ledger.spent().calls == 1 + charged


def test_a_server_that_is_not_there_charges_nothing_and_is_named(tmp_path: Path) -> None:
    with Ledger(tmp_path / "spent") as ledger:
        purse = Purse(ledger=ledger, round_index=0, verb="judge", who="main", price=(1.0, 1.0))
        away: Any = SimpleNamespace(url="http://127.0.0.1:9/v1")
        got = replies(away, "a", max_retries=1, purse=purse)
        assert ledger.spent().calls == 0
    assert "127.0.0.1:9" in (got["a"].error or "") and "timed out" not in (got["a"].error or "")


def test_retry_after_is_waited_for(server: Server) -> None:
    server.play = first_time(lambda handler: send(handler, 429, "{}", Retry_After="1"))
    started = time.monotonic()
    assert replies(server, "a")["a"].error is None
    assert time.monotonic() - started >= 1


def test_retry_after_counts_in_seconds_milliseconds_and_dates() -> None:
    def asked(**headers: str) -> float | None:
        response = SimpleNamespace(headers={k.replace("_", "-"): v for k, v in headers.items()})
        return retry_after(SimpleNamespace(response=response))  # type: ignore[arg-type]

    assert asked(retry_after="150") == 150
    assert asked(retry_after_ms="250", retry_after="9") == 0.25
    in_an_hour = formatdate(time.time() + 3600, usegmt=True)
    assert 3590 < (asked(retry_after=in_an_hour) or 0) <= 3600
    assert asked() is None and asked(retry_after="soon") is None


def test_the_wait_is_never_shorter_than_the_server_asks_and_doubles_otherwise() -> None:
    def wait(failed: int, **headers: str) -> float | None:
        response: Any = SimpleNamespace(status_code=429, headers=headers, request=None)
        error = openai.RateLimitError("slow down", response=response, body=None)
        return wait_before_retry(error, failed, first=0.5, longest=600)

    assert 150 <= (wait(1, **{"retry-after": "150"}) or 0) <= 165
    assert wait(1, **{"retry-after": "601"}) is None
    for failed, longest in ((1, 0.5), (2, 1), (3, 2), (9, 30)):
        assert 0.75 * longest <= (wait(failed) or 0) <= longest


def test_a_server_that_asks_for_too_long_a_wait_is_given_up_on(server: Server) -> None:
    server.play = lambda handler, number, text: send(handler, 429, "{}", Retry_After="601")
    assert "RateLimitError" in (replies(server, "a")["a"].error or "")
    assert server.asked["a"] == 1


def test_no_credit_left_is_not_waited_for(server: Server) -> None:
    body = json.dumps({"error": {"message": "pay", "code": "insufficient_quota"}})
    server.play = lambda handler, number, text: send(handler, 429, body)
    reply = replies(server, "a")["a"]
    assert reply.hopeless and "the account has no credit" in (reply.error or "")
    assert server.asked["a"] == 1


def test_failed_attempts_are_told_and_kept_by_kind(server: Server, tmp_path: Path) -> None:
    server.play = first_time(lambda handler: send(handler, 500, "{}"))
    heard: list[Any] = []
    replies(server, "a", "b", journal=Journal(tmp_path / "journal"), watch=heard.append)
    assert [entry["failed"] for entry in heard if "failed" in entry] == ["500", "500"]
    again: list[Any] = []
    replies(server, "a", journal=Journal(tmp_path / "journal"), watch=again.append)
    assert sorted(again, key=canonical_json) == sorted(heard, key=canonical_json)


def test_retries_have_one_layer_and_an_end(server: Server) -> None:
    server.play = lambda handler, number, text: send(handler, 503, "{}", Retry_After_Ms="1")
    got = replies(server, "a", max_retries=3)
    assert server.asked["a"] == 4
    assert "InternalServerError" in (got["a"].error or "")
    assert not got["a"].hopeless


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 512 tokens.", "param": "max_tokens"},
        {"message": "Too long.", "code": "context_length_exceeded"},
    ],
    ids=["by its words", "by its code"],
)
def test_a_prompt_that_is_too_long_concerns_no_other(server: Server, error: Any) -> None:
    """Its 400 may name max_tokens, a field of every request: the rest is asked all the same."""
    refused = json.dumps({"error": {"type": "invalid_request_error", **error}})

    def play(handler: Any, number: int, text: str) -> None:
        send(handler, 400, refused) if text == "long" else answer(handler, text)

    server.play = play
    got = replies(server, "long", "short")
    assert (got["long"].text, got["long"].finish_reason) == ("", "too_long")
    assert (got["short"].text, server.asked["long"]) == ("re: short", 1)
