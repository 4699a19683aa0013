"""The engine behind endpoints, alone and through the sampling door, against a real HTTP server."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.engines._contract import Decoding, Job, Request, Sample
from infra.engines.openai import OpenAI
from infra.journal import Journal
from tasks.errors import ConfigError
from tasks.variants import load_variant
from tests.infra.chat_server import Server, running_server, send
from tests.infra.flaky_endpoint import choices


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        running.play = numbered
        yield running


def numbered(handler: Any, number: int, text: str, body: dict[str, Any]) -> None:
    """As many choices as are asked for, each with its number and the call's seed."""
    wanted = range(body.get("n", 1))
    choices(handler, [f"{text} {index} of seed {body.get('seed')}" for index in wanted])


def requests(*texts: str, samples: int = 1) -> list[Request]:
    return [
        Request(
            prompt_id=f"id-{text}",
            sample_index=index,
            seed=100 * position + index,
            messages=[{"role": "user", "content": text}],
            prompt_ids=None,
        )
        for position, text in enumerate(texts)
        for index in range(samples)
    ]


def job(*shards: list[Request], **more: Any) -> Job:
    return Job(
        stage="sample",
        model="org/m",
        decoding=Decoding(temperature=0.7, top_p=0.9, max_tokens=5),
        shards=dict(enumerate(shards)),
        workdir=Path("unused"),
        stop_ids=[],
        item_log=None,
        **more,
    )


def samples(server: Server, *shards: list[Request], **settings: Any) -> list[Sample]:
    engine = OpenAI(base_url=server.url, **settings)
    return [one for _, drawn in sorted(engine.sample(job(*shards))) for one in drawn]


def texts_of(drawn: list[Sample]) -> list[str | None]:
    return [one.text for one in drawn]


def test_a_request_says_model_decoding_and_a_seed_of_its_own(server: Server) -> None:
    drawn = samples(server, requests("a", samples=2), concurrency=1)
    assert texts_of(drawn) == ["a 0 of seed 0", "a 0 of seed 1"]
    assert [one.finish_reason for one in drawn] == ["stop", "stop"]
    assert {key: server.bodies[1][key] for key in server.bodies[1] if key != "messages"} == {
        "model": "org/m", "temperature": 0.7, "top_p": 0.9, "max_tokens": 5, "seed": 1,
    }  # fmt: skip


def test_without_seeds_equal_requests_are_still_separate_calls(server: Server) -> None:
    samples(server, requests("a", samples=3), send_seed=False)
    assert server.asked["a"] == 3
    assert not any("seed" in body for body in server.bodies)


def test_several_samples_of_one_prompt_come_from_one_call(server: Server) -> None:
    drawn = samples(server, requests("a", "b", samples=5), per_request=2)
    assert server.asked == {"a": 3, "b": 3}
    assert texts_of(drawn)[:5] == [
        *("a 0 of seed 0", "a 1 of seed 0", "a 0 of seed 2", "a 1 of seed 2", "a 0 of seed 4")
    ]
    assert [(one.prompt_id, one.sample_index) for one in drawn[4:6]] == [("id-a", 4), ("id-b", 0)]


def test_what_a_server_leaves_out_is_asked_for_with_another_seed(
    server: Server, tmp_path: Path
) -> None:
    server.play = lambda handler, number, text, body: choices(
        handler, [f"seed {body['seed']}, {index}" for index in range(min(2, body.get("n", 1)))]
    )
    entries: list[Any] = []
    journal = Journal(tmp_path / "journal")
    engine = OpenAI(base_url=server.url, per_request=5)
    work = job(requests("a", samples=5), journal=journal, watch=entries.append)
    [(_, drawn)] = engine.sample(work)
    expected = ["seed 0, 0", "seed 0, 1", "seed 2, 0", "seed 2, 1", "seed 4, 0"]
    assert texts_of(drawn) == expected
    assert [len(one["choices"]) for one in entries] == [2, 2, 1]
    again = job(requests("a", samples=5), journal=Journal(tmp_path / "journal"))
    assert [texts_of(drawn) for _, drawn in engine.sample(again)] == [expected]
    assert server.asked["a"] == 3


@pytest.mark.parametrize(
    ("complaint", "settings", "said"),
    [
        ({"message": "only one choice", "param": "n"}, {"per_request": 2}, "set per_request: 1 "),
        ({"message": "unknown field 'seed'"}, {}, "set send_seed: false "),
        ({"message": "use x, not 'max_tokens'"}, {}, "token_limit: max_completion_tokens"),
    ],
)
def test_a_refused_field_ends_it_at_once_and_the_error_says_what_to_set(
    server: Server, complaint: dict[str, str], settings: dict[str, Any], said: str
) -> None:
    server.play = lambda handler, number, text: send(handler, 400, json.dumps({"error": complaint}))
    with pytest.raises(ConfigError, match=said) as caught:
        samples(server, requests(*map(str, range(50)), samples=2), concurrency=2, **settings)
    assert server.url in str(caught.value) and "org/m" in str(caught.value)
    assert sum(server.asked.values()) <= 2


def test_a_refused_key_names_address_model_and_variable(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELL_KEY", "sk-very-secret")
    server.play = lambda handler, number, text: send(handler, 401, '{"error": "sk-very-secret"}')
    with pytest.raises(ConfigError, match="the key is refused") as caught:
        samples(server, requests("a"), api_key_env="CELL_KEY")
    assert all(part in str(caught.value) for part in (server.url, "org/m", "CELL_KEY"))
    assert "sk-very-secret" not in str(caught.value)


NO_RESPONSE = {
    "nothing": (lambda h: choices(h, [""]), "empty"),
    "white space": (lambda h: choices(h, [" \n"]), "empty"),
    "no content": (lambda h: choices(h, [None]), "empty"),
    "a refusal": (lambda h: choices(h, [None], refusal="I will not"), "refusal"),
    "a tool call": (lambda h: choices(h, [None], finish="tool_calls"), "tool_calls"),
    "a filtered answer": (lambda h: choices(h, [""], finish="content_filter"), "content_filter"),
    "a filtered prompt": (
        lambda h: send(h, 400, '{"error": {"message": "no", "code": "content_filter"}}'),
        "content_filter",
    ),
    "thoughts alone": (lambda h: choices(h, [""], finish="length"), "length"),
}


@pytest.mark.parametrize("case", NO_RESPONSE)
def test_what_has_no_text_is_no_response_and_says_why(server: Server, case: str) -> None:
    play, reason = NO_RESPONSE[case]
    server.play = lambda handler, number, text: play(handler)
    [drawn] = samples(server, requests("a"))
    assert (drawn.text, drawn.token_ids, drawn.finish_reason) == (None, None, reason)
    assert server.asked["a"] == 1


def test_a_shard_is_handed_over_while_calls_of_the_next_are_under_way(server: Server) -> None:
    handed_over = threading.Event()
    seen_in_time = []

    def play(handler: Any, number: int, text: str) -> None:
        if text == "second":
            seen_in_time.append(handed_over.wait(20))
        choices(handler, ["x"])

    server.play = play
    engine = OpenAI(base_url=server.url, concurrency=2)
    for index, _ in engine.sample(job(requests("first"), requests("second", "third"))):
        if index == 0:
            handed_over.set()
    assert seen_in_time == [True]


def test_calls_stay_at_full_concurrency_across_the_border_of_shards(server: Server) -> None:
    together = threading.Barrier(4, timeout=20)

    def play(handler: Any, number: int, text: str) -> None:
        together.wait()
        choices(handler, ["x"])

    server.play = play
    shards = [requests("a"), requests("b", "c"), requests("d")]
    assert len(samples(server, *shards, concurrency=4)) == 4


@pytest.mark.parametrize("model", ["", " ", "policy", "round:0"])
def test_a_model_that_no_server_knows_is_refused(model: str) -> None:
    with pytest.raises(ConfigError, match="write the name that the server"):
        OpenAI(base_url="http://h/v1").fingerprint(model)


@pytest.mark.parametrize("url", ["", "host/v1", "ftp://host/v1", "http://"])
def test_an_address_that_is_no_url_is_refused(url: str) -> None:
    for family, kind in (("infra.engines", "openai"), ("tasks.judges", "pairwise")):
        more = {"model": "m"} if kind == "pairwise" else {}
        with pytest.raises(ConfigError, match="base_url"):
            load_variant(family, kind, base_url=url, **more)
