"""The judge door against a real HTTP server that answers well, badly, late, or not at all."""

import json
from collections.abc import Iterator

import pytest

from infra.place import counts_of, side_of
from tasks.errors import ConfigError
from tasks.records import Place
from tests.infra.chat_server import Server, running_server, send
from tests.judged import judged, number_of, say, verdicts
from tests.small_config import small_place
from tests.whole_runs import items

MALFORMED = [
    "",
    "I cannot help with that.",
    "Verdict: 0 and 1",
    "Verdict: A or B",
    "```\nVerdict: A\n```",
    "Verdict: A\nVerdict: B",
    "Verdict: A\nOn second thought, B.",
    '{"verdict": "A"}',
    "Verdict: [[A]]",
    "\x00\u2028Verdict",
]


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def place(tmp_path) -> Place:
    return small_place(root=f"file://{tmp_path}/store", round_index=0, strengths={})


def test_malformed_replies_are_counted_as_unparsed_and_never_guessed(server, place):
    server.play = lambda handler, number, text: say(handler, MALFORMED[number_of(text)])
    artifact = judged(place, server, len(MALFORMED))
    assert {one.outcome for one in verdicts(place, artifact)} == {"unparsed"}
    assert counts_of(place, artifact) == {"verdicts": 20, "unparsed": 20, "reply_empty": 2}
    assert {one.reply for one in verdicts(place, artifact)} == set(MALFORMED)


def test_one_malformed_reply_costs_only_its_own_verdict(server, place):
    server.play = lambda handler, number, text: say(
        handler, "0 and 1" if number_of(text) == 3 else "Verdict: tie"
    )
    assert counts_of(place, judged(place, server, 6)) == {"verdicts": 12, "tie": 10, "unparsed": 2}


def test_a_judge_that_always_says_a_contradicts_itself_in_every_comparison(server, place):
    server.play = lambda handler, number, text: say(handler, "Verdict: A")
    for one in verdicts(place, judged(place, server, 4)):
        assert one.outcome == one.first_shown


def test_a_judge_that_knows_the_better_text_names_it_in_both_orders(server, place):
    def play(handler, number, text):
        say(handler, f"Verdict: {'A' if text.index('large ') < text.index('small ') else 'B'}")

    server.play = play
    for one in verdicts(place, judged(place, server, 4)):
        winner = {"a": one.a_id, "b": one.b_id}[one.outcome]
        assert winner.startswith("rlarge")


def test_a_reply_cut_at_max_tokens_is_unparsed_whatever_it_seems_to_say(server, place):
    server.play = lambda handler, number, text: say(handler, "Verdict: A", "length")
    assert counts_of(place, judged(place, server, 2)) == {
        "verdicts": 4, "unparsed": 4, "reply_length": 4,
    }  # fmt: skip


@pytest.mark.parametrize("status", [429, 500])
def test_passing_trouble_is_not_seen(server, place, status):
    def play(handler, number, text):
        if number == 1:
            send(handler, status, "{}", Retry_After_Ms="1")
        else:
            say(handler, "Verdict: tie")

    server.play = play
    assert counts_of(place, judged(place, server, 3)) == {"verdicts": 6, "tie": 6}
    assert set(server.asked.values()) == {2}


@pytest.mark.parametrize("machine", ["the same machine", "another machine"])
def test_a_failed_call_loses_only_itself_and_is_alone_asked_again(
    server, place, machine, tmp_path, monkeypatch
):
    def play(handler, number, text):
        bad = number == 1 and number_of(text) == 2 and text.index("small ") < text.index("large ")
        send(handler, 400, "{}") if bad else say(handler, "Verdict: tie")

    server.play = play
    with pytest.raises(ConnectionError, match=r"judge 'main': 1 of 10 calls failed, first: m at"):
        judged(place, server, 5)
    assert len(items()) == 10
    if machine == "another machine":
        monkeypatch.setenv("TSO_WORK", str(tmp_path / "elsewhere"))
    assert counts_of(place, judged(place, server, 5)) == {"verdicts": 10, "tie": 10}
    assert sorted(server.asked.values()) == [1] * 9 + [2]


def test_a_refused_key_is_a_wrong_configuration_at_once(server, place, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "sk-very-secret")
    complaint = json.dumps({"error": {"message": "no such key sk-very-secret"}})
    server.play = lambda handler, number, text: send(handler, 401, complaint)
    with pytest.raises(ConfigError, match="the key is refused") as caught:
        judged(place, server, 50, api_key_env="JUDGE_KEY", concurrency=2)
    assert sum(server.asked.values()) <= 2 and "sk-very-secret" not in str(caught.value)


def test_what_verdicts_cost_is_in_each_of_them_and_in_the_side_file(server, place):
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    server.play = lambda handler, number, text: say(handler, "Verdict: tie", usage=usage)
    artifact = judged(place, server, 3, price=[1.0, 10.0])
    assert {one.cost_usd for one in verdicts(place, artifact)} == {(100 + 10 * 10) / 1e6}
    side = side_of(place, artifact)
    assert (side["calls"], side["prompt_tokens"], side["completion_tokens"]) == (6, 600, 60)
    assert side["cost_usd"] == pytest.approx(6 * 200 / 1e6)


def test_finished_work_asks_nobody(server, place):
    server.play = lambda handler, number, text: say(handler, "Verdict: B")
    first = judged(place, server, 3)
    server.asked.clear()
    assert judged(place, server, 3) == first and not server.asked
