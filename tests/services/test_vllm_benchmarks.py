"""How the soak with kills counts; the soak itself and the throughput are commands."""

from benchmarks.soak.vllm_kills import Soak, counted, is_exact

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
