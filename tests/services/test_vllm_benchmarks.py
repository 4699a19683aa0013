"""The benchmark of throughput and the soak with kills, at a size that fits the suite."""

import pytest

from benchmarks.sampling_throughput import __main__ as throughput
from benchmarks.sampling_throughput import bare
from benchmarks.soak.vllm_kills import Soak, counted, is_exact, soak


@pytest.mark.slow
@pytest.mark.service
def test_both_doors_and_the_bare_client_do_the_same_work(tmp_path, monkeypatch):
    monkeypatch.setattr(bare, "CONCURRENCIES", (4, 8))
    result = throughput.measured(
        tmp_path / "bench", prompts=20, samples=2, comparisons=20, repetitions=2
    )
    for door in ("sampling", "judging"):
        seconds = result[door]["seconds"]
        assert len(seconds["door"]) == len(seconds["bare"]) == 2
        assert result[door]["ratio_of_medians"] > 0 and result[door]["bare_concurrency"] in (4, 8)


@pytest.mark.slow
@pytest.mark.service
def test_a_killed_process_repeats_what_was_in_flight_and_nothing_else(tmp_path):
    given = Soak(prompts=40, samples=2, kills=1, seed=1)
    result = soak(tmp_path / "soak", given)
    assert result["kills"] == 1 and result["different_calls"] == result["calls_needed"] == 80
    assert is_exact(result, 20)
    assert result["sampled"]["responses"] == 80 and result["judged"]["verdicts"] == 40


SMALL = Soak(prompts=2, samples=1, kills=2, seed=1)


def test_calls_at_a_kill_that_are_in_no_journal_were_in_flight():
    # Two kills: after 3 calls 2 were kept, after 5 in all 3 were; 4 different calls are needed.
    result = counted(SMALL, [(3, 2), (5, 3)], ["a", "b", "c", "c", "d", "d"])
    assert result["in_flight_at_kills"] == [1, 1]
    assert (result["different_calls"], result["repeated"], result["too_many"]) == (4, 2, 0)
    assert is_exact(result, 1)


def test_a_call_too_many_or_more_in_flight_than_were_allowed_is_not_exact():
    result = counted(SMALL, [(3, 2)], ["a", "b", "c", "c", "d", "a"])
    assert result["too_many"] == 1 and not is_exact(result, 9)
    assert not is_exact(counted(SMALL, [(4, 2)], ["a", "b", "c", "d", "c", "d"]), 1)


def test_moments_are_within_the_work():
    moments = Soak(prompts=50, samples=1, kills=10, seed=3).moments()
    assert moments == sorted(set(moments)) and moments[0] > 0 and moments[-1] < 100
