import json
import logging
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from infra.journal import Journal
from infra.openai_client import Call, Client, Reply, api_key
from infra.openai_retries import retry_after, wait_before_retry
from tasks.canonical import canonical_json
from tasks.errors import ConfigError, StorageError
from tests.infra.chat_server import (
    Server,
    answer,
    cut_in_the_body,
    first_time,
    running_server,
    send,
)

SECRET = "sk-very-secret-0123456789"


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)


def calls(*texts: str) -> list[Call]:
    return [Call(id=text, messages=[{"role": "user", "content": text}]) for text in texts]


def replies(server: Server, *texts: str, **settings: Any) -> dict[str, Reply]:
    quick = {"api_key_env": "TEST_KEY", "timeout_seconds": 5.0, "first_wait_seconds": 0.02}
    options = quick | settings
    with Client(base_url=server.url, model="m", **options) as client:
        return {call.id: reply for call, reply in client.complete(calls(*texts))}


def test_every_call_gets_its_own_reply_with_its_cost(server: Server) -> None:
    got = replies(server, "a", "b", "c")
    assert {name: reply.text for name, reply in got.items()} == {n: f"re: {n}" for n in "abc"}
    assert (got["a"].prompt_tokens, got["a"].completion_tokens) == (3, 2)
    assert (got["a"].finish_reason, got["a"].error) == ("stop", None)
    assert server.keys == {f"Bearer {SECRET}"}


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


@pytest.mark.parametrize("body", ['{"choices": [', "{}", '{"choices": []}', "[1]", '"text"'])
def test_a_reply_that_is_no_completion_is_an_error_of_its_call_only(
    server: Server, body: str
) -> None:
    def play(handler: Any, number: int, text: str) -> None:
        send(handler, 200, body) if text == "bad" else answer(handler, text)

    server.play = play
    got = replies(server, "a", "bad", "b")
    assert got["bad"].text is None
    assert got["bad"].error
    assert {got["a"].text, got["b"].text} == {"re: a", "re: b"}


def test_a_web_page_instead_of_json_is_an_error(server: Server) -> None:
    def play(handler: Any, number: int, text: str) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        handler.wfile.write(b"<html>maintenance</html>")

    server.play = play
    assert "maintenance" in (replies(server, "a")["a"].error or "")


def test_a_reply_without_text_is_empty_not_an_error(server: Server) -> None:
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": None}}]}
    server.play = lambda handler, number, text: send(handler, 200, json.dumps(body))
    reply = replies(server, "a")["a"]
    assert (reply.text, reply.error, reply.finish_reason) == ("", None, "unknown")


def test_a_refused_key_stops_the_batch_and_is_never_shown(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    complaint = json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET}"}})
    server.play = lambda handler, number, text: send(handler, 401, complaint)
    with caplog.at_level(logging.DEBUG):
        got = replies(server, *map(str, range(50)), concurrency=2)
    assert sum(server.asked.values()) <= 2
    assert all(reply.hopeless and "key is refused" in (reply.error or "") for reply in got.values())
    shown = caplog.text + "".join(map(repr, got.values()))
    assert "Incorrect API key provided: <key>" in shown
    assert SECRET not in "".join(map(repr, got.values()))
    assert f"Bearer {SECRET}" not in caplog.text


def test_the_key_is_in_no_log_of_a_working_call(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        client = Client(base_url=server.url, model="m", api_key_env="TEST_KEY")
        with client:
            assert [reply.error for _, reply in client.complete(calls("a"))] == [None]
            assert SECRET not in repr(client) + repr(vars(client))
    assert SECRET not in caplog.text


def test_a_dead_server_is_given_up_on_after_some_calls() -> None:
    with Client(base_url="http://127.0.0.1:9/v1", model="m", max_retries=0,
                concurrency=1, give_up_after=3) as client:  # fmt: skip
        got = [reply for _, reply in client.complete(calls(*"abcdef"))]
    assert len(got) == 6
    assert all(reply.error for reply in got)
    assert sum("not sent" in (reply.error or "") for reply in got) == 3


def test_a_key_that_is_not_set_is_an_error_before_the_first_call(server: Server) -> None:
    with pytest.raises(ConfigError, match="'NO_SUCH_KEY', which is not set"):
        replies(server, "a", api_key_env="NO_SUCH_KEY")
    assert not server.asked


def test_a_key_with_odd_characters_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-sécret")
    with pytest.raises(ConfigError) as caught:
        api_key("TEST_KEY")
    assert "sécret" not in str(caught.value)


def test_at_most_concurrency_calls_are_under_way(server: Server) -> None:
    def play(handler: Any, number: int, text: str) -> None:
        time.sleep(0.05)
        answer(handler, text)

    server.play = play
    assert len(replies(server, *map(str, range(30)), concurrency=5)) == 30
    assert 1 < server.most <= 5


def test_what_the_journal_has_is_not_called_again(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "items.jsonl"
    first = replies(server, "a", "b", journal=Journal(tmp_path / "journal"), item_log=log)
    again = replies(server, "a", "b", "c", journal=Journal(tmp_path / "journal"), item_log=log)
    assert server.asked == {"a": 1, "b": 1, "c": 1}
    assert (again["a"].text, again["a"].from_journal) == (first["a"].text, True)
    assert not again["c"].from_journal
    items = [json.loads(line)["item"] for line in log.read_text().splitlines()]
    assert sorted(items) == ["a", "b", "c"]


def test_failures_are_not_journalled(server: Server, tmp_path: Path) -> None:
    server.play = first_time(lambda handler: send(handler, 400, "{}"))
    assert replies(server, "a", journal=Journal(tmp_path / "journal"))["a"].error
    assert replies(server, "a", journal=Journal(tmp_path / "journal"))["a"].text == "re: a"


def test_other_settings_or_another_id_are_another_call() -> None:
    client = Client(base_url="http://x/v1", model="m")
    messages: Any = [{"role": "user", "content": "a"}]
    asked = [
        Call(id="1", messages=messages),
        Call(id="2", messages=messages),
        Call(id="1", messages=messages, settings={"temperature": 1}),
    ]
    assert len({client.call_digest(call) for call in asked}) == 3


def test_a_reply_that_cannot_be_kept_ends_the_batch(server: Server, tmp_path: Path) -> None:
    class Full(Journal):
        def append(self, call: str, reply: dict[str, Any]) -> None:
            raise StorageError("disk full")

    with pytest.raises(StorageError, match="disk full"):
        replies(server, *map(str, range(50)), journal=Full(tmp_path / "j"), concurrency=2)
    assert sum(server.asked.values()) <= 4


def test_an_error_in_the_callers_iterator_comes_back(server: Server) -> None:
    def broken() -> Iterator[Call]:
        yield from calls("a")
        raise ZeroDivisionError

    with (
        Client(base_url=server.url, model="m", concurrency=1) as client,
        pytest.raises(ZeroDivisionError),
    ):
        list(client.complete(broken()))


def test_closing_early_abandons_calls_under_way_at_once(server: Server) -> None:
    def play(handler: Any, number: int, text: str) -> None:
        if text != "quick":
            time.sleep(1.5)
        answer(handler, text)

    server.play = play
    with Client(base_url=server.url, model="m", concurrency=4) as client:
        running = iter(client.complete(calls("quick", *map(str, range(20)))))
        assert next(running)[0].id == "quick"
        started = time.monotonic()
        running.close()  # type: ignore[attr-defined]
        assert time.monotonic() - started < 1
    assert sum(server.asked.values()) <= 6
