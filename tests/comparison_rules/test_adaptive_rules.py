"""What holds for the rules that ask in waves, whatever is answered."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.comparison_rules._contract import Heard
from tasks.variants import load_variant
from tests.opinion_makers import candidate, waves_of

RULES = [
    ("swiss", {}),
    ("swiss", {"waves": 1}),
    ("swiss", {"waves": 9}),
    ("swiss", {"budget": 5}),
    ("active", {}),
    ("active", {"at_once": 1, "budget": 12}),
    ("active", {"settled": 0.2}),
    ("active", {"budget": 1000, "trust": 0.0}),
]
each_rule = pytest.mark.parametrize(("kind", "given_settings"), RULES)
few_examples = settings(max_examples=15, deadline=None)


def rule(kind, **given_settings):
    return load_variant("tasks.comparison_rules", kind, **given_settings)


def members(n, strengths=(0.0,)):
    return [candidate(f"r{i:02}", strengths[i % len(strengths)]) for i in range(n)]


@st.composite
def tournaments(draw):
    """Members, a seed, and what each comparison is answered: win, tie, loss, not understood."""
    n = draw(st.integers(0, 11))
    strengths = draw(st.lists(st.sampled_from([-9.0, -1.0, 0.0, 0.5, 2.0]), min_size=1))
    answers = draw(st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0, None]), min_size=55, max_size=55))
    pairs = [(f"r{i:02}", f"r{j:02}") for j in range(n) for i in range(j)]
    said = dict(zip(pairs, answers, strict=False))
    return members(n, strengths), draw(st.integers(0, 99)), said


@each_rule
@given(tournaments())
@few_examples
def test_none_meets_itself_or_the_same_twice_and_the_forecast_holds(kind, given_settings, played):
    among, seed, said = played
    one = rule(kind, **given_settings)
    asked = [ids for wave in waves_of(one, among, seed, lambda *ids: said[ids]) for ids in wave]
    assert len(asked) == len(set(asked))
    assert all(a_id < b_id for a_id, b_id in asked)
    assert one.least(len(among)) <= len(asked) <= one.most(len(among))


@each_rule
@given(tournaments())
@few_examples
def test_everybody_meets_somebody_in_the_first_wave(kind, given_settings, played):
    among, seed, said = played
    if len(among) < 2 or "budget" in given_settings:
        return
    first = waves_of(rule(kind, **given_settings), among, seed, lambda *ids: said[ids])[0]
    assert {one for ids in first for one in ids} == {one.response_id for one in among}
    assert len(first) == math.ceil(len(among) / 2)


@each_rule
@given(tournaments(), st.randoms())
@few_examples
def test_neither_the_order_of_members_nor_of_verdicts_matters(kind, given_settings, played, chance):
    among, seed, said = played
    one = rule(kind, **given_settings)
    waves = waves_of(one, among, seed, lambda *ids: said[ids])
    heard = []
    for wave in waves:
        chance.shuffle(heard)
        mixed = chance.sample(among, len(among))
        assert one.next(mixed, heard, seed).comparisons == wave
        heard += [Heard(*ids, said[ids]) for ids in wave]


def perfect(a_id, b_id):
    """The later id is better."""
    return 1.0


@given(st.integers(2, 40), st.integers(0, 9))
@few_examples
def test_a_perfect_judge_finds_the_best_in_log2_n_waves_of_swiss(n, seed):
    waves = waves_of(rule("swiss"), members(n), seed, perfect)
    assert len(waves) == math.ceil(math.log2(n))
    lost = {a_id for wave in waves for a_id, _ in wave}
    unbeaten = {f"r{i:02}" for i in range(n)} - lost
    assert unbeaten == {f"r{n - 1:02}"}


def test_in_swiss_winners_meet_winners_and_losers_losers():
    first, second = waves_of(rule("swiss"), members(4, (4.0, 3.0, 2.0, 1.0)), 0, perfect)
    assert first == [("r00", "r01"), ("r02", "r03")]
    assert second == [("r00", "r02"), ("r01", "r03")]


def test_swiss_makes_half_as_many_comparisons_as_members_in_each_wave():
    assert [rule("swiss").most(n) for n in (2, 3, 4, 8, 15, 16)] == [1, 3, 4, 12, 29, 32]
    assert rule("swiss", waves=100).most(6) == 15


def test_active_begins_with_those_that_are_presumed_to_be_close():
    among = members(4, (3.0, 2.9, -2.9, -3.0))
    first, _ = waves_of(rule("active", spread=0.5), among, 0, lambda *ids: 0.5)
    assert first == [("r00", "r01"), ("r02", "r03")]


def test_the_budget_of_active_may_exceed_what_it_takes_by_itself():
    assert [rule("active").most(n) for n in (2, 3, 4, 8, 15)] == [1, 3, 4, 12, 30]
    assert rule("active", budget=60).most(15) == 60
    among = members(15)
    waves = waves_of(rule("active", budget=60), among, 0, perfect)
    assert sum(map(len, waves)) == 60


def test_active_stops_where_the_order_is_settled():
    clear = members(4, (3.0, 1.0, -1.0, -3.0))
    settled = rule("active", settled=0.05, spread=0.3)
    assert [len(wave) for wave in waves_of(settled, clear, 0, lambda *ids: 0.0)] == [2]
    assert settled.least(4) == 2
    assert settled.most(4) == 4


def test_active_presumes_people_above_all_models():
    among = [*members(3, (0.0, -1.0, 1.0)), candidate("r99", -9.0, origin="human")]
    one = rule("active")
    assert one._presumed(["r00", "r01", "r02", "r99"], among).tolist() == [0.0, -1.0, 1.0, 3.0]


def test_a_strength_counts_no_further_than_its_limit():
    one = rule("active", furthest=2.0, trust=0.5)
    presumed = one._presumed(["r00", "r01", "r02"], members(3, (0.0, 90.0, -90.0)))
    assert presumed.tolist() == [0.0, 1.0, -1.0]
