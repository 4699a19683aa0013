"""Which pairs of earlier rounds may join a round's own, and what they weigh."""

from dataclasses import replace

import pytest

from tasks.pair_examples import pair_examples, response_examples
from tasks.pairs import prompt_weights, reweigh
from tasks.replaying import allowed, remembered, stale_pairs
from tasks.training_data import Tokenised
from tasks.unpaired import unpaired_examples
from tests.opinion_makers import pair
from tests.test_supplies import scored

OLD = [pair("a", "b", prompt_id="p"), pair("a", "c", prompt_id="p"), pair("d", "e", prompt_id="q")]


def known(pairs, round_index=0):
    return remembered(pairs, round_index)


def test_a_prompt_that_left_the_pool_or_is_near_a_measured_one_is_not_replayed():
    memory = known([*OLD, pair("f", "g", prompt_id="s")])
    may, counts = allowed(memory, [], {"p": "group1", "q": "group2"}, {"group2"})
    assert {one.prompt_id for one in may} == {"p"}
    assert counts == {"dropped_held_out_now": 1, "dropped_left_the_pool": 1}


def test_two_responses_that_the_round_compares_itself_are_left_to_its_own_pair():
    reversed_now = known([pair("b", "a", prompt_id="p")], 1)
    may, counts = allowed(known(OLD), reversed_now, {"p": "p", "q": "q"}, ())
    assert [one.pair_id for one in may] == ["p-a-c", "q-d-e"]
    assert counts == {"dropped_compared_anew": 1}


def test_the_pairs_of_a_replayed_prompt_share_the_decay_to_the_power_of_its_age():
    drawn = known(OLD[:2], 1) + known(OLD[2:], 3)
    weighed = stale_pairs(OLD, drawn, 0.5, 4)
    assert [(one.pair_id, one.weight) for one in weighed] == [
        ("p-a-b", 1 / 16), ("p-a-c", 1 / 16), ("q-d-e", 1 / 2),
    ]  # fmt: skip


TOKENS = {one: [1, 2] for one in "abcde"}
IDS = Tokenised(prompts={"p": [1], "q": [2]}, responses=TOKENS)


def test_the_weight_of_a_stale_prompt_is_kept_when_some_of_its_pairs_are_dropped():
    stale = stale_pairs(OLD, known(OLD, 2), 0.5, 3)
    scores = scored(*"abcde", tokens=TOKENS)
    made = pair_examples(stale, IDS, [scores], {"p-a-c": "already_solved"})
    assert [(one.example_id, one.weight) for one in made.examples] == [
        ("p-a-b", 0.5), ("q-d-e", 0.5),
    ]  # fmt: skip


def test_single_responses_of_stale_pairs_share_the_same_weight():
    stale = stale_pairs(OLD, known(OLD, 2), 0.5, 3)
    imitated = response_examples(stale, IDS, 9, {}).examples
    assert [(one.prompt_id, one.weight) for one in imitated] == [("p", 0.5), ("q", 0.5)]
    scores = scored(*"abcde", tokens=TOKENS)
    labelled = unpaired_examples(stale, IDS, scores, {}, others=()).examples
    weights = [(one.prompt_id, round(one.weight, 9)) for one in labelled]
    assert weights == [("p", 0.166666667)] * 3 + [("q", 0.25)] * 2


@pytest.mark.parametrize("number", [1, 3, 6, 7, 49, 98, 107])
def test_the_weight_of_a_fresh_prompt_is_exactly_1_whatever_the_number_of_its_pairs(number):
    pairs = [pair("a", f"r{index}") for index in range(number)]
    weighed = reweigh(pairs)
    assert prompt_weights(weighed) == {"p": 1.0}
    assert reweigh(weighed, prompt_weights(weighed)) == weighed
    half = [replace(one, weight=one.weight / 2) for one in weighed]
    assert prompt_weights(half) == {"p": 0.5}
