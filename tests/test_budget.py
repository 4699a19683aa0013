"""Budgets through the judge door, against a server that counts what it charges."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from infra.place import counts_of, side_of, spent_by, store_of
from tasks.errors import BudgetError
from tasks.records import Place, Verdict
from tasks.spending import Budget, EndpointLimits, Terms
from tasks.variants import load_variant
from tests.infra.chat_server import Server, running_server, send
from tests.judged import judged, number_of, say, verdicts
from tests.small_config import small_place

PRICE = (1.0, 10.0)
READ, WRITTEN = 600, 20
COST = (READ * PRICE[0] + WRITTEN * PRICE[1]) / 1e6
"""What the server charges for a call (USD)."""


class Charging:
    """The `play` of a server that counts what it charges, and how much it has in hand."""

    def __init__(self, server: Server, reply: str = "Verdict: tie", seconds: float = 0.0) -> None:
        self.calls = self.in_hand = self.most_in_hand = 0
        self._reply = reply
        self._seconds = seconds
        self._lock = threading.Lock()
        server.play = self.play

    def play(self, handler: Any, number: int, text: str) -> None:
        with self._lock:
            self.calls += 1
            self.in_hand += 1
            self.most_in_hand = max(self.most_in_hand, self.in_hand)
        time.sleep(self._seconds)
        with self._lock:
            self.in_hand -= 1
        usage = {"prompt_tokens": READ, "completion_tokens": WRITTEN, "total_tokens": 0}
        say(handler, self._reply, usage=usage)

    @property
    def usd(self) -> float:
        return self.calls * COST


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


def place_with(tmp_path: Any, **budget: Any) -> Place:
    terms = Terms(budget=Budget(**budget), prices={"m": PRICE})
    return small_place(root=f"file://{tmp_path}/store", round_index=0, strengths={}, terms=terms)


def spent(place: Place) -> float:
    return spent_by(store_of(place), place.run).spent(place.round_index).usd


def test_a_budget_stops_before_it_is_exceeded_and_a_raised_one_goes_on(server, tmp_path):
    charging = Charging(server, seconds=0.01)
    place = place_with(tmp_path, usd_per_round=0.02)
    with pytest.raises(BudgetError, match=r"usd_per_round = 0.0200 USD are spent.*raise the budg"):
        judged(place, server, 40, max_tokens=50, concurrency=4)
    assert 0.015 < charging.usd <= 0.02
    assert spent(place) == pytest.approx(charging.usd)
    calls = charging.calls
    place = place_with(tmp_path, usd_per_round=1)
    artifact = judged(place, server, 40, max_tokens=50, concurrency=4)
    assert counts_of(place, artifact) == {"verdicts": 80, "tie": 80}
    assert charging.calls == 80 and side_of(place, artifact)["calls"] == 80
    assert 0 < calls < 80


def test_calls_wait_for_what_others_in_flight_leave_over(server, tmp_path):
    """Reserved is an upper estimate, four times the cost here: the budget is used all the same."""
    charging = Charging(server, seconds=0.02)
    place = place_with(tmp_path, usd_per_round=10.5 * COST + 0.004)
    with pytest.raises(BudgetError):
        judged(place, server, 40, max_tokens=200, concurrency=16)
    assert 8 <= charging.calls <= 15
    assert charging.usd <= 10.5 * COST + 0.004


def test_two_judges_at_a_time_share_one_budget(server, tmp_path):
    charging = Charging(server, seconds=0.02)
    place = place_with(tmp_path, usd_per_run=0.02)
    errors: list[Any] = []

    def work(name: str) -> None:
        try:
            judged(place, server, 30, name=name, max_tokens=50, concurrency=4)
        except BudgetError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("main", "second")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(errors) == 2
    assert charging.usd <= 0.02 and charging.most_in_hand > 4


def test_a_limit_of_calls_needs_no_price(server, tmp_path):
    charging = Charging(server)
    place = place_with(tmp_path, calls_per_round=7)
    with pytest.raises(BudgetError, match=r"7 calls of budget.calls_per_round = 7 calls"):
        judged(place, server, 10)
    assert charging.calls == 7


def test_what_may_have_been_charged_without_an_answer_counts_as_spent(server, tmp_path):
    def play(handler: Any, number: int, text: str) -> None:
        handler.connection.close()

    server.play = play
    place = place_with(tmp_path, usd_per_round=0.01)
    with pytest.raises(BudgetError):
        judged(place, server, 10, max_tokens=200, concurrency=1)
    assert 0 < spent(place) <= 0.01
    assert sum(server.asked.values()) <= 4


def test_refused_calls_cost_nothing(server, tmp_path):
    def play(handler: Any, number: int, text: str) -> None:
        send(handler, 429, "{}", Retry_After_Ms="1") if number == 1 else say(handler, "Verdict: A")

    server.play = play
    place = place_with(tmp_path, calls_per_round=6)
    judged(place, server, 3)
    assert spent_by(store_of(place), place.run).spent().calls == 6


def strong_and_weak(place: Place) -> Place:
    return replace(place, strengths={"large": 2.0, "small": 1.0})


def the_large_one(handler: Any, number: int, text: str) -> None:
    """Prompts below 10 are clear: the large cell's response wins; the others are ties."""
    first = "A" if text.index("large ") < text.index("small ") else "B"
    usage = {"prompt_tokens": READ, "completion_tokens": WRITTEN, "total_tokens": 0}
    say(handler, f"Verdict: {first if number_of(text) < 10 else 'tie'}", usage=usage)


def orders(found: list[Verdict]) -> dict[int, int]:
    """In how many orders each prompt's comparison was asked."""
    numbers = [int(one.prompt_id[1:]) for one in found]
    return {number: numbers.count(number) for number in sorted(set(numbers))}


def test_with_money_for_all_a_degrading_budget_changes_nothing(server, tmp_path):
    server.play = the_large_one
    place = strong_and_weak(place_with(tmp_path, calls_per_round=1000, when_spent="degrade"))
    artifact = judged(place, server, 20, concurrency=4)
    assert set(orders(verdicts(place, artifact)).values()) == {2}
    assert "left_out_over_budget" not in counts_of(place, artifact)


def test_clear_cases_lose_their_second_order_first(server, tmp_path):
    server.play = the_large_one
    place = strong_and_weak(place_with(tmp_path, calls_per_round=32, when_spent="degrade"))
    artifact = judged(place, server, 20, concurrency=4)
    asked = orders(verdicts(place, artifact))
    assert [asked[number] for number in range(10, 20)] == [2] * 10
    assert sum(asked[number] for number in range(10)) == 12
    assert counts_of(place, artifact)["left_out_over_budget"] == 8
    assert counts_of(place, artifact)["verdicts"] == 32


def test_then_whole_comparisons_are_left_out_and_counted(server, tmp_path):
    server.play = the_large_one
    place = strong_and_weak(place_with(tmp_path, calls_per_round=15, when_spent="degrade"))
    artifact = judged(place, server, 20, concurrency=4)
    assert sorted(orders(verdicts(place, artifact)).values()) == [1] * 15
    assert counts_of(place, artifact)["left_out_over_budget"] == 25


def test_both_orders_are_as_often_the_first_look(server, tmp_path):
    server.play = the_large_one
    place = strong_and_weak(place_with(tmp_path, calls_per_round=40, when_spent="degrade"))
    found = verdicts(place, judged(place, server, 40, concurrency=8))
    shown = [one.first_shown for one in found]
    assert 10 <= shown.count("a") <= 30


def test_what_one_rule_had_asked_another_does_not_pay_again(server, tmp_path):
    charging = Charging(server)
    place = place_with(tmp_path)
    some = load_variant("tasks.comparison_rules", "neighbours")
    judged(place, server, 10, comparisons=some, strengths={"large": 2.0, "small": 1.0})
    before = charging.calls
    artifact = judged(place, server, 12)
    assert before == 20 and charging.calls == 24
    assert counts_of(place, artifact)["verdicts"] == 24
    assert side_of(place, artifact)["calls"] == 4


def test_a_judge_of_another_name_or_one_that_is_redone_asks_for_itself(server, tmp_path):
    charging = Charging(server)
    place = place_with(tmp_path)
    judged(place, server, 2)
    judged(place, server, 2, name="second")
    assert charging.calls == 8
    judged(replace(place, redo={"judge": 1}), server, 2)
    assert charging.calls == 12


def test_an_endpoints_limits_reach_the_calls(server, tmp_path):
    Charging(server)
    limits = {"here": EndpointLimits(base_url=server.url, requests_per_minute=60)}
    place = place_with(tmp_path)
    place = replace(place, terms=replace(place.terms, endpoints=limits))
    started = time.monotonic()
    judged(place, server, 4, concurrency=8)
    assert time.monotonic() - started >= 2.5  # five at once, then 55 a minute
