"""Which responses stay: numbers that can be worked out by hand, and what holds for all scores."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.selections.rejection_sampling import acceptance
from tasks.variants import kinds, load_variant

KINDS = kinds("tasks.selections")
SCORES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.floats(-5, 5), min_size=0, max_size=12
)


def selection(kind, **more):
    return load_variant("tasks.selections", kind, **more)


def shares(scores, beta, number, draws=4000):
    """How often each response is among `number` accepted ones."""
    one = selection("rejection_sampling", number=number, beta=beta)
    kept = [name for seed in range(draws) for name in one(scores, "p", seed)]
    return {name: kept.count(name) / draws for name in scores}


def test_the_first_pass_accepts_as_the_exponent_says():
    accepted = [acceptance(score, 1.0, beta=0.5) for score in (1.0, 0.5, 0.0)]
    assert accepted == pytest.approx([1, 0.367879441, 0.135335283], abs=1e-9)


def test_acceptance_in_proportion_is_the_policy_that_is_best_for_the_rewards():
    accepted = [acceptance(score, 1.0, beta=0.5) for score in (1.0, 0.5, 0.0)]
    shares = [one / sum(accepted) for one in accepted]
    assert shares == pytest.approx([0.665240956, 0.244728471, 0.090030573], abs=1e-9)


def test_of_two_accepted_ones_the_best_is_always_there_unless_others_were_met_before():
    """Two of (1, .5, 0): the pass goes on in any order, and stops at the second one accepted."""
    found = shares({"a": 1.0, "b": 0.5, "c": 0.0}, beta=0.5, number=2)
    # Only when b and c are both accepted before a is met does a miss: 1/3 x .3679 x .1353 = .0166.
    assert found["a"] == pytest.approx(1 - 0.0166, abs=0.01)
    assert found["b"] > found["c"]


def test_a_small_beta_takes_the_best_and_a_large_one_draws_evenly():
    scores = {f"r{number}": float(number) for number in range(6)}
    sharp = selection("rejection_sampling", number=3, beta=1e-9)
    assert all(sharp(scores, "p", seed) == ["r3", "r4", "r5"] for seed in range(20))
    even = shares(scores, beta=1e9, number=3)
    assert all(share == pytest.approx(0.5, abs=0.04) for share in even.values())


def test_more_than_there_are_is_all_there_are():
    scores = {"a": 1.0, "b": -100.0}
    assert selection("rejection_sampling", number=9, beta=0.01)(scores, "p", 0) == ["a", "b"]


@given(scores=SCORES, seed=st.integers(0, 99), number=st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_rejection_sampling_stops_at_the_number_and_accepts_nobody_twice(scores, seed, number):
    kept = selection("rejection_sampling", number=number, beta=0.5)(scores, "p", seed)
    assert len(kept) == len(set(kept)) == min(number, len(scores))
    assert set(kept) <= scores.keys()


def test_the_two_best_and_the_two_worst_stay():
    scores = {"a": 0.1, "b": 0.9, "c": 0.4, "d": -0.3, "e": 0.5}
    assert selection("best_and_worst_k", k=2)(scores, "p", 0) == ["a", "b", "d", "e"]
    assert selection("best_and_worst_k", k=3)(scores, "p", 0) == sorted(scores)


@pytest.mark.parametrize("kind", KINDS)
@given(scores=SCORES, seed=st.integers(0, 9), data=st.data())
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_responses_is_irrelevant(kind, scores, seed, data):
    shuffled = dict(data.draw(st.permutations(list(scores.items()))))
    one = selection(kind)
    assert one(scores, "p", seed) == one(shuffled, "p", seed)


def test_another_seed_or_prompt_draws_others():
    scores = {f"r{number}": 0.0 for number in range(10)}
    one = selection("rejection_sampling", number=3)
    drawn = {tuple(one(scores, prompt, seed)) for prompt in "pq" for seed in range(5)}
    assert len(drawn) > 5 and math.comb(10, 3) > 5
