import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.journal import Journal
from infra.openai_client import Call, Client, api_key
from tasks.errors import ConfigError
from tests.infra.chat_server import (
    Server,
    answer,
    running_server,
    send,
)
from tests.infra.client_calls import SECRET, calls, replies


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)


def test_every_call_gets_its_own_reply_with_its_cost(server: Server) -> None:
    got = replies(server, "a", "b", "c")
    assert {name: reply.text for name, reply in got.items()} == {n: f"re: {n}" for n in "abc"}
    assert (got["a"].prompt_tokens, got["a"].completion_tokens) == (3, 2)
    assert (got["a"].finish_reason, got["a"].error) == ("stop", None)
    assert server.keys == {f"Bearer {SECRET}"}


@pytest.mark.parametrize("body", ['{"choices": [', "{}", "[1]", '"text"'])
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


@pytest.mark.parametrize(
    "body",
    [
        '{"choices": []}',
        '{"choices": null}',
        '{"choices": [null]}',
        '{"choices": [{"message": null}]}',
        '{"choices": [{"message": {"content": [1]}}]}',
        '{"choices": {"message": {"content": "a"}}}',
    ],
)
def test_a_completion_without_a_usable_choice_is_asked_for_again_and_then_lost_by_name(
    server: Server, body: str, tmp_path: Path
) -> None:
    def play(handler: Any, number: int, text: str) -> None:
        send(handler, 200, body) if text == "bad" or number == 1 else answer(handler, text)

    server.play = play
    got = replies(server, "a", "bad", journal=Journal(tmp_path / "journal"))
    assert (got["a"].text, server.asked["a"]) == ("re: a", 2)
    assert (got["bad"].error, got["bad"].text) == (None, "")
    assert (got["bad"].finish_reason, server.asked["bad"]) == ("malformed", 3)


def test_a_server_that_sends_no_completions_at_all_is_given_up_on(server: Server) -> None:
    server.play = lambda handler, number, text: send(handler, 200, '{"choices": []}')
    got = replies(server, *map(str, range(9)), concurrency=1, give_up_after=3)
    assert sum("sends no chat completions" in (reply.error or "") for reply in got.values()) == 6
    assert sum(server.asked.values()) == 9


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


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "PREFECT_API_AUTH_STRING", "aws_session_token", "PGPASSWORD"]
)
def test_keys_of_the_store_and_the_server_are_sent_to_no_endpoint(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "very-secret")
    with pytest.raises(ConfigError, match="are sent to no endpoint") as caught:
        replies(server, "a", api_key_env=name)
    assert "very-secret" not in str(caught.value) and not server.asked


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


def test_other_settings_or_another_id_are_another_call() -> None:
    client = Client(base_url="http://x/v1", model="m")
    messages: Any = [{"role": "user", "content": "a"}]
    asked = [
        Call(id="1", messages=messages),
        Call(id="2", messages=messages),
        Call(id="1", messages=messages, settings={"temperature": 1}),
    ]
    assert len({client.call_digest(call) for call in asked}) == 3


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
