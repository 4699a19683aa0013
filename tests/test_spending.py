"""Accounts against budgets: whatever the order of calls and answers, no limit is exceeded."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.spending import Account, Amount, Budget, Terms, amount_of, upper_tokens
from tests.small_config import small_config

CENT = Amount(usd=0.01, calls=1, tokens=100)
ASKS = {"kind": "pairwise", "model": "m", "base_url": "http://127.0.0.1:1/v1"}


def test_a_call_costs_what_it_reads_and_writes() -> None:
    assert amount_of((1.0, 10.0), 1000, 100) == Amount(usd=0.002, calls=1, tokens=1100)
    assert amount_of(None, 1000, 100) == Amount(usd=0.0, calls=1, tokens=1100)


def test_no_text_has_more_tokens_than_bytes() -> None:
    assert upper_tokens([{"role": "user", "content": "äb"}]) == 3 + 20 + 20


def test_what_is_reserved_is_waited_for_and_what_is_spent_is_gone() -> None:
    account = Account(Budget(usd_per_round=0.02))
    for answer in ("go", "go"):
        assert account.ask(0, CENT) == answer
        account.reserve(0, CENT)
    assert account.ask(0, CENT) == "wait"
    account.spend(0, CENT)
    account.reserve(0, -CENT)
    assert account.ask(0, CENT) == "wait"
    account.spend(0, CENT)
    account.reserve(0, -CENT)
    assert account.ask(0, CENT) == "over"
    assert account.ask(1, CENT) == "go"


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(usd_per_round=0.01), "budget.usd_per_round = 0.0100 USD are spent"),
        (Budget(usd_per_run=0.01), "budget.usd_per_run = 0.0100 USD are spent"),
        (Budget(calls_per_run=1), "1 calls of budget.calls_per_run = 1 calls are spent"),
        (Budget(tokens_per_round=150), "100 tokens of budget.tokens_per_round = 150 tokens"),
    ],
)
def test_each_limit_ends_it_and_is_named(budget: Budget, said: str) -> None:
    account = Account(budget)
    assert account.ask(3, CENT) == "go"
    account.spend(3, CENT)
    assert account.ask(3, CENT) == "over"
    assert said in account.why(3, CENT)


Calls = st.lists(
    st.tuples(
        st.integers(0, 2),  # round
        st.integers(1, 50),  # estimate
        st.floats(0, 1),  # share of it that is spent
    ),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(Calls, st.integers(0, 200), st.integers(0, 400), st.randoms(use_true_random=False))
def test_no_limit_is_exceeded_in_any_order_of_answers(
    calls: list[tuple[int, int, float]], per_round: int, per_run: int, chance: Any
) -> None:
    account = Account(Budget(usd_per_round=per_round, usd_per_run=per_run))
    in_flight: list[tuple[int, Amount, float]] = []

    def settle() -> None:
        number, estimate, share = in_flight.pop(chance.randrange(len(in_flight)))
        account.spend(number, Amount(usd=estimate.usd * share, calls=1))
        account.reserve(number, -estimate)

    for number, size, share in calls:
        estimate = Amount(usd=float(size), calls=1)
        while (answer := account.ask(number, estimate)) == "wait":
            assert in_flight  # nobody waits for nothing
            settle()
        if answer == "go":
            account.reserve(number, estimate)
            in_flight.append((number, estimate, share))
        if in_flight and chance.random() < 0.3:
            settle()
        assert account.run.usd + account.all_reserved.usd <= per_run + 1e-6
        for index, spent in account.rounds.items():
            assert spent.usd + account.reserved[index].usd <= per_round + 1e-6
    while in_flight:
        settle()
    assert account.all_reserved.usd == pytest.approx(0)


def test_a_budget_in_money_needs_prices() -> None:
    with pytest.raises(ConfigError, match=r"what judges.main costs is not known.*prices: \{'m'"):
        small_config(budget={"usd_per_run": 1}, judges={"main": ASKS})
    small_config(budget={"calls_per_run": 1}, judges={"main": ASKS})
    small_config(budget={"usd_per_run": 1}, judges={"main": {**ASKS, "price": [1, 2]}})
    config = small_config(
        budget={"usd_per_run": 1}, judges={"main": ASKS}, prices={"m": [0.15, 0.6]}
    )
    assert config.terms.price_of(config.judges["main"], "m") == (0.15, 0.6)


def test_the_price_of_a_part_goes_before_the_table() -> None:
    config = small_config(judges={"main": {**ASKS, "price": [1, 2]}}, prices={"m": [3, 4]})
    assert config.terms.price_of(config.judges["main"], "m") == (1, 2)


def test_limits_are_found_by_address() -> None:
    given = {"base_url": "http://h/v1/", "requests_per_minute": 5}
    terms: Terms = small_config(endpoints={"mine": given}).terms
    assert terms.limits_at("http://h/v1").requests_per_minute == 5
    assert terms.limits_at("http://other/v1").requests_per_minute is None


@pytest.mark.parametrize("wrong", [{"usd_per_round": -1}, {"when_spent": "beg"}, {"usd": 1}])
def test_a_budget_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="budget"):
        small_config(budget=wrong)
