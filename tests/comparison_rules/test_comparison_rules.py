import random

import pytest

from tasks.variants import kinds, load_variant
from tests.opinion_makers import candidate, waves_of


def rule(kind, **settings):
    return load_variant("tasks.comparison_rules", kind, **settings)


def asked(one, members, seed=0):
    """All that a rule asks for where the later id is always better."""
    return sorted(ids for wave in waves_of(one, members, seed, lambda a, b: 1.0) for ids in wave)


FOUR = [
    candidate("r1", 1.0),
    candidate("r2", 2.0, origin="policy"),
    candidate("r3", 2.0, origin="policy"),
    candidate("r4", 0.0, origin="human"),
]


def test_all_compares_every_two():
    assert rule("all")(FOUR, 0) == [
        ("r1", "r2"),
        ("r1", "r3"),
        ("r1", "r4"),
        ("r2", "r3"),
        ("r2", "r4"),
        ("r3", "r4"),
    ]


def test_policy_against_rest_leaves_out_policy_against_policy():
    pairs = rule("policy_against_rest")(FOUR, 0)
    assert pairs == [("r1", "r2"), ("r1", "r3"), ("r2", "r4"), ("r3", "r4")]


def test_neighbours_are_a_line_from_weak_to_human():
    pairs = rule("neighbours")(FOUR, 0)
    assert len(pairs) == 3
    assert ("r2", "r3") in pairs
    assert ("r1", "r4") not in pairs


def test_a_longer_reach_takes_the_closest_first():
    near = set(rule("neighbours")(FOUR, 0))
    assert near < set(rule("neighbours", reach=2, budget=4)(FOUR, 0))
    assert len(rule("neighbours", reach=2, budget=4)(FOUR, 0)) == 4
    assert len(rule("neighbours", reach=3)(FOUR, 0)) == 6


@pytest.mark.parametrize("kind", kinds("tasks.comparison_rules"))
def test_equal_texts_are_never_compared(kind):
    twins = [candidate("r1", 1.0, text="x"), candidate("r2", 2.0, text="x", origin="policy")]
    assert asked(rule(kind), twins) == []


@pytest.mark.parametrize("kind", kinds("tasks.comparison_rules"))
@pytest.mark.parametrize("budget", [1, 2, None])
def test_input_order_does_not_matter(kind, budget):
    expected = asked(rule(kind, budget=budget), FOUR, 7)
    for seed in range(20):
        shuffled = random.Random(seed).sample(FOUR, 4)
        assert asked(rule(kind, budget=budget), shuffled, 7) == expected
    assert expected == sorted(set(expected))
    assert all(a_id < b_id for a_id, b_id in expected)
    assert budget is None or len(expected) <= budget


def test_the_seed_decides_what_a_budget_keeps():
    kept = {rule("all", budget=1)(FOUR, seed)[0] for seed in range(60)}
    assert len(kept) == 6


@pytest.mark.parametrize("kind", kinds("tasks.comparison_rules"))
@pytest.mark.parametrize("few", [[], FOUR[:1]])
def test_fewer_than_two_responses_make_no_comparison(kind, few):
    assert asked(rule(kind), few) == []
    assert rule(kind).most(len(few)) == rule(kind).least(len(few)) == 0


@pytest.mark.parametrize("kind", kinds("tasks.comparison_rules"))
def test_a_budget_is_the_most_that_is_forecast(kind):
    assert rule(kind, budget=2).most(6) == 2
    assert rule(kind, budget=1000).most(6) <= 15
