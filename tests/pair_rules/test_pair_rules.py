import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import DataError
from tasks.pairs import PromptPreferences, make_pair, reweigh
from tasks.variants import kinds, load_variant
from tests.opinion_makers import candidate, preference

KINDS = kinds("tasks.pair_rules")
RULES = {kind: load_variant("tasks.pair_rules", kind) for kind in KINDS}


def believed(*preferences, policy=()):
    """One prompt's preferences; responses named in `policy` are the policy's."""
    ids = {one for p in preferences for one in (p.a_id, p.b_id)}
    candidates = {one: candidate(one, origin="policy" if one in policy else "model") for one in ids}
    return PromptPreferences(preferences=preferences, candidates=candidates)


def sides(pairs):
    return [(pair.chosen_id, pair.rejected_id) for pair in pairs]


def test_a_pair_carries_the_probability_of_its_chosen_side():
    pair = make_pair(preference("r1", "r2", "b", margin=0.5), "some_rule")
    assert (pair.chosen_id, pair.rejected_id, pair.p_chosen) == ("r2", "r1", 0.75)
    assert make_pair(preference("r1", "r2", "a", margin=0.5), "some_rule").p_chosen == 0.75


def test_the_rule_is_part_of_the_pair_id():
    one = preference("r1", "r2")
    assert make_pair(one, "x").pair_id != make_pair(one, "y").pair_id


def test_a_dropped_preference_makes_no_pair():
    with pytest.raises(DataError, match="is dropped \\(tie\\) and makes no pair"):
        make_pair(preference("r1", "r2", "dropped"), "x")


def test_the_pairs_of_a_prompt_share_its_weight():
    pairs = [make_pair(preference("r1", f"r{i}"), "x") for i in (2, 3, 4)]
    pairs.append(make_pair(preference("q1", "q2", prompt_id="q"), "x"))
    assert [pair.weight for pair in reweigh(pairs)] == [1 / 3, 1 / 3, 1 / 3, 1.0]


def test_all_above_margin_takes_the_margin_itself():
    rule = load_variant("tasks.pair_rules", "all_above_margin", min_margin=0.5)
    some = believed(preference("r1", "r2", margin=0.5), preference("r1", "r3", margin=0.4))
    assert sides(rule({"p": some}, 0)) == [("r1", "r2")]


def test_best_vs_worst_takes_the_ends():
    full = believed(preference("r1", "r2"), preference("r1", "r3"), preference("r2", "r3"))
    assert sides(RULES["best_vs_worst"]({"p": full}, 0)) == [("r1", "r3")]


def test_best_vs_worst_invents_no_comparison():
    chain = believed(preference("r1", "r2"), preference("r2", "r3"), preference("r3", "r4"))
    (pair,) = RULES["best_vs_worst"]({"p": chain}, 0)
    # Net margins 1, 0, 0, -1: r1 > r2 and r3 > r4 lie 1 apart, r2 > r3 lies 0 apart.
    assert sides([pair]) == [("r1", "r2")]


def test_best_vs_worst_makes_no_pair_of_a_tie():
    tied = believed(preference("r1", "r2", "dropped"))
    assert RULES["best_vs_worst"]({"p": tied}, 0) == []


def test_policy_first_fills_up_to_its_share():
    rule = load_variant("tasks.pair_rules", "policy_first", share=0.75)
    with_policy = believed(preference("r1", "r2"), preference("r1", "r3"), policy=["r1"])
    more = believed(preference("s1", "s2", prompt_id="q"), policy=["s2"])
    others = believed(*(preference("t1", f"t{i}", prompt_id="r") for i in range(2, 8)))
    pairs = rule({"p": with_policy, "q": more, "r": others}, 0)
    # 3 pairs of the policy leave room for 3 * 0.25 / 0.75 = 1 other.
    assert len(pairs) == 4
    assert sum("t1" in one for one in sides(pairs)) == 1


def test_policy_first_draws_the_others_by_seed():
    rule = load_variant("tasks.pair_rules", "policy_first", share=0.5)
    own = believed(preference("r1", "r2"), policy=["r1"])
    others = believed(*(preference("t1", f"t{i}", prompt_id="q") for i in range(2, 6)))
    drawn = {tuple(sides(rule({"p": own, "q": others}, seed))) for seed in range(60)}
    assert len(drawn) == 4


@pytest.mark.parametrize(("share", "expected"), [(0.0, 9), (1.0, 0)])
def test_policy_first_at_its_limits(share, expected):
    rule = load_variant("tasks.pair_rules", "policy_first", share=share)
    others = believed(*(preference("t1", f"t{i}") for i in range(2, 11)))
    assert len(rule({"p": others}, 0)) == expected


@st.composite
def prompts(draw):
    """Preferences made from scores with ties, missing scores, single and no responses."""
    by_prompt = {}
    for name in draw(st.lists(st.sampled_from("pqr"), unique=True)):
        scores = draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, math.nan]), max_size=5))
        rows = []
        for i in range(len(scores)):
            for j in range(i + 1, len(scores)):
                gap = scores[i] - scores[j]
                outcome = "dropped" if gap == 0 or math.isnan(gap) else "ab"[gap < 0]
                margin = 0.0 if outcome == "dropped" else abs(gap)
                rows.append(
                    preference(f"{name}{i}", f"{name}{j}", outcome, margin=margin, prompt_id=name)
                )
        by_prompt[name] = believed(*rows, policy=[f"{name}0"])
    return by_prompt


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(by_prompt=prompts(), seed=st.integers(0, 9))
def test_pairs_are_pairs_of_kept_preferences(kind, by_prompt, seed):
    kept = {
        (name, frozenset((one.a_id, one.b_id)))
        for name, prompt in by_prompt.items()
        for one in prompt.kept()
    }
    pairs = RULES[kind](by_prompt, seed)
    assert len({pair.pair_id for pair in pairs}) == len(pairs)
    for pair in pairs:
        assert pair.chosen_id != pair.rejected_id
        assert (pair.prompt_id, frozenset((pair.chosen_id, pair.rejected_id))) in kept
        assert pair.p_chosen > 0.5
        assert pair.margin > 0
        assert pair.rule == kind


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(by_prompt=prompts(), shuffler=st.randoms(use_true_random=False))
def test_input_order_does_not_matter(kind, by_prompt, shuffler: random.Random):
    expected = RULES[kind](by_prompt, 0)
    names = list(by_prompt)
    shuffler.shuffle(names)
    mixed = {}
    for name in names:
        rows = list(by_prompt[name].preferences)
        shuffler.shuffle(rows)
        mixed[name] = PromptPreferences(preferences=rows, candidates=by_prompt[name].candidates)
    assert RULES[kind](mixed, 0) == expected
