"""Several endpoints, and what callers of one endpoint share: limits, pauses, failures."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from infra.openai_client import Client
from infra.openai_endpoints import FAILURES, Endpoint, endpoint_at
from tasks.spending import RateLimits
from tests.infra.chat_server import Server, answer, first_time, running_server, send
from tests.infra.client_calls import calls


@pytest.fixture
def two() -> Iterator[tuple[Server, Server]]:
    with running_server() as one, running_server() as other:
        yield one, other


def asked(server: Server) -> int:
    return sum(server.asked.values())


def complete(urls: Any, *texts: str, **settings: Any) -> dict[str, str | None]:
    quick = {"timeout_seconds": 5.0, "first_wait_seconds": 0.02, **settings}
    with Client(base_url=urls, model="m", **quick) as client:
        return {call.id: reply.text for call, reply in client.complete(calls(*texts))}


NAMES = [str(number) for number in range(40)]


def test_calls_are_spread_and_none_goes_to_two_endpoints(two: tuple[Server, Server]) -> None:
    def play(handler: Any, number: int, text: str) -> None:
        time.sleep(0.01)
        answer(handler, text)

    for server in two:
        server.play = play
    got = complete([server.url for server in two], *NAMES, concurrency=8)
    assert got == {name: f"re: {name}" for name in NAMES}
    assert [asked(server) >= 10 for server in two] == [True, True]
    assert two[0].asked + two[1].asked == dict.fromkeys(NAMES, 1)


def test_the_slower_endpoint_gets_fewer_calls(two: tuple[Server, Server]) -> None:
    def slow(handler: Any, number: int, text: str) -> None:
        time.sleep(0.2)
        answer(handler, text)

    two[0].play = slow
    complete([server.url for server in two], *NAMES, concurrency=4)
    assert asked(two[0]) < asked(two[1])


def test_an_endpoint_that_fails_is_left_out_and_its_calls_go_elsewhere(
    two: tuple[Server, Server],
) -> None:
    two[0].play = lambda handler, number, text: send(handler, 500, "{}")
    got = complete([server.url for server in two], *NAMES, concurrency=2)
    assert set(got.values()) == {f"re: {name}" for name in NAMES}
    assert asked(two[0]) <= FAILURES + 2


def test_an_endpoint_that_is_back_is_used_again() -> None:
    now = [0.0]
    endpoint = Endpoint("http://x/v1", RateLimits(), lambda: now[0])
    for _ in range(FAILURES):
        endpoint.failed()
    assert endpoint.is_out
    now[0] += 2.5
    assert not endpoint.is_out
    assert endpoint.take(1)
    assert endpoint.is_out  # one call tries it, no other does
    endpoint.ended(1, None)
    endpoint.answered()
    assert not endpoint.is_out


def test_breaks_of_an_endpoint_that_stays_away_grow() -> None:
    now = [0.0]
    endpoint = Endpoint("http://x/v1", RateLimits(), lambda: now[0])
    for _ in range(FAILURES + 2):
        endpoint.failed()
    now[0] += 7.9
    assert endpoint.is_out
    now[0] += 0.2
    assert not endpoint.is_out


def test_a_429_pauses_the_endpoint_for_all_who_use_it(two: tuple[Server, Server]) -> None:
    server, times = two[0], list[float]()

    def play(handler: Any, number: int, text: str) -> None:
        times.append(time.monotonic())
        first_time(lambda one: send(one, 429, "{}", Retry_After="0.5"))(handler, number, text)

    server.play = play
    other = threading.Thread(target=complete, args=(server.url, "b"))
    with Client(base_url=server.url, model="m", concurrency=1) as client:
        answers = client.complete(calls("a"))
        reader = threading.Thread(target=list, args=(answers,))
        reader.start()
        while not times:
            time.sleep(0.005)
        time.sleep(0.1)
        other.start()
        reader.join()
        other.join()
    assert times[1] - times[0] >= 0.45


def test_requests_per_minute_hold_over_the_clients_of_an_endpoint(
    two: tuple[Server, Server],
) -> None:
    limits = {"limits": lambda url: RateLimits(requests_per_minute=120), "concurrency": 8}
    started = time.monotonic()
    threads = [
        threading.Thread(target=complete, args=(two[0].url, *names), kwargs=limits)
        for names in (NAMES[:7], NAMES[7:14])
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    seconds = time.monotonic() - started
    assert asked(two[0]) == 14
    assert seconds >= 4 * 0.545 - 0.1  # 10 at once, then 110 a minute


def test_tokens_per_minute_count_what_was_used_not_what_was_reserved(
    two: tuple[Server, Server],
) -> None:
    # A call reserves some 43 tokens and uses 5: 12 of them would wait without what comes back.
    limits = {"limits": lambda url: RateLimits(tokens_per_minute=1200), "concurrency": 1}
    started = time.monotonic()
    complete(two[0].url, *NAMES[:12], **limits)
    assert asked(two[0]) == 12
    assert time.monotonic() - started < 8


def test_one_address_with_one_key_is_one_endpoint() -> None:
    unlimited = RateLimits()
    one = endpoint_at("http://127.0.0.1:1/v1", "k", unlimited)
    assert endpoint_at("http://127.0.0.1:1/v1/", "k", unlimited) is one
    assert endpoint_at("http://127.0.0.1:1/v1", "other", unlimited) is not one
