"""Sampling behind a server that fails, killed once: every call that was received has a reason."""

import pytest

from benchmarks.soak.flaky_server import Soak, Struck, in_flight, is_exact, soak

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    given = Soak(prompts=120, fail=0.2, kills=1, seed=1, timeout_seconds=2.0)
    return soak(tmp_path_factory.mktemp("flaky") / "soak", given)


def test_calls_received_are_those_needed_those_failed_and_those_in_flight(result):
    failed, in_flight = sum(result["failed"].values()), sum(result["in_flight_at_kills"])
    assert result["calls_needed"] == result["responses"] == 120
    assert result["calls_received"] == 120 + failed + in_flight
    assert set(result["failed"]) == {"429", "500", "cut", "timeout"}
    assert is_exact(result)


def test_only_what_was_in_flight_is_repeated(result):
    assert result["repeated"] == sum(result["in_flight_at_kills"]) <= 16
    assert (result["paid_again"], result["repeated_without_need"]) == (0, 0)


def test_the_side_file_counts_the_calls_of_the_killed_process_too(result):
    usage = result["usage"]
    assert (usage["calls"], usage["prompt_tokens"], usage["completion_tokens"]) == (120, 360, 240)
    assert usage["cost_usd"] == pytest.approx((360 * 0.15 + 240 * 0.6) / 1e6)
    unseen = sum(result["failed"].values()) - sum(usage["failed_attempts"].values())
    assert 0 <= unseen <= 16  # failures that the killed process did not live to see


def test_an_answer_that_was_kept_or_that_failed_is_not_in_flight():
    received = [{"call": call, "outcome": how} for call, how in
                (("a", "ok"), ("b", "500"), ("c", "ok"), ("c", "ok"), ("d", "ok"))]  # fmt: skip
    struck = [Struck(received=3, answered={"a"}), Struck(received=5, answered={"a", "c"})]
    assert in_flight(received, struck) == [{"c": 1}, {"d": 1}]


@pytest.mark.parametrize("wrong", ["unaccounted", "repeated_without_need", "paid_again"])
def test_accounts_with_a_call_too_many_are_not_exact(result, wrong):
    assert not is_exact(result | {wrong: 1})
    assert not is_exact(result | {"responses": 119})
