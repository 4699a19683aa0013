"""What the client keeps of its calls: every answer before anybody sees it, and none twice."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.journal import Journal
from infra.openai_client import Client
from tasks.errors import StorageError
from tests.infra.chat_server import Server, first_time, running_server, send
from tests.infra.client_calls import SECRET, calls, replies


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)


def test_what_the_journal_has_is_not_called_again(server: Server, tmp_path: Path) -> None:
    log = tmp_path / "items.jsonl"
    first = replies(server, "a", "b", journal=Journal(tmp_path / "journal"), item_log=log)
    again = replies(server, "a", "b", "c", journal=Journal(tmp_path / "journal"), item_log=log)
    assert server.asked == {"a": 1, "b": 1, "c": 1}
    assert (again["a"].text, again["a"].from_journal) == (first["a"].text, True)
    assert not again["c"].from_journal
    items = [json.loads(line)["item"] for line in log.read_text().splitlines()]
    assert sorted(items) == ["a", "b", "c"]


def test_answers_that_come_together_are_written_down_together(
    server: Server, tmp_path: Path
) -> None:
    written: list[int] = []

    class Slow(Journal):
        def append_all(self, replies: Any) -> None:
            time.sleep(0.05)
            super().append_all(replies)
            written.append(len(replies))

    names = list(map(str, range(60)))
    got = replies(server, *names, journal=Slow(tmp_path / "journal"), concurrency=20)
    assert sum(written) == len(got) == 60
    assert len(written) < 30
    again = replies(server, *names, journal=Journal(tmp_path / "journal"))
    assert all(reply.from_journal for reply in again.values())


def test_no_answer_is_handed_over_before_it_is_on_disk(server: Server, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    with Client(base_url=server.url, model="m", journal=journal, concurrency=8) as client:
        for call, _ in client.complete(calls(*map(str, range(30)))):
            kept = (tmp_path / "journal").read_text(encoding="utf-8")
            assert client.call_digest(call) in kept


def test_failures_are_not_journalled(server: Server, tmp_path: Path) -> None:
    server.play = first_time(lambda handler: send(handler, 400, "{}"))
    assert replies(server, "a", journal=Journal(tmp_path / "journal"))["a"].error
    assert replies(server, "a", journal=Journal(tmp_path / "journal"))["a"].text == "re: a"


def test_a_reply_that_cannot_be_kept_ends_the_batch(server: Server, tmp_path: Path) -> None:
    class Full(Journal):
        def append_all(self, replies: Any) -> None:
            raise StorageError("disk full")

    with pytest.raises(StorageError, match="disk full"):
        replies(server, *map(str, range(50)), journal=Full(tmp_path / "j"), concurrency=2)
    assert sum(server.asked.values()) <= 4
