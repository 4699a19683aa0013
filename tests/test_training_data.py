from dataclasses import replace

import pytest

from tasks.pair_examples import pair_examples, response_examples
from tasks.records import ReferenceScore, TrainingExample
from tasks.responses import Tokens
from tasks.tables import to_table
from tasks.tokens import load_tokenizer, render
from tasks.training_data import (
    Tokenised,
    score_rows,
    tokenised,
    used_responses,
)
from tests.opinion_makers import pair, prompt, response
from tests.tiny_models import tiny_model

IDS = Tokenised(
    prompts={"p": [1, 2], "q": [3]},
    responses={"c": [4, 5], "d": [6], "r": [7, 8, 9], "s": [10], "void": []},
)
OWNER = {"c": "p", "d": "p", "r": "p", "s": "q", "void": "p"}
RESPONSES = {name: response(name, name, prompt_id=owner) for name, owner in OWNER.items()}


def scored(*names):
    return {
        name: ReferenceScore(
            response_id=name,
            reference="ref",
            logp=-1.0,
            num_tokens=len(IDS.responses[name]),
            token_logps=[-1.0] * len(IDS.responses[name]),
        )
        for name in names
    }


def examples(*pairs, dropped=(), names=("c", "d", "r", "s", "void")):
    reasons = dict.fromkeys(dropped, "already_solved")
    return pair_examples(pairs, IDS, [scored(*names)], reasons)


def test_only_responses_that_pairs_use_are_tokenised():
    folder = tiny_model()
    tokens = Tokens(load_tokenizer(folder), "tok", "tem")
    asked = prompt(text="Name a fruit.")
    rows = {name: replace(response(name, name), origin="model") for name in ("fig", "nut", "pear")}
    used = used_responses([pair("fig", "nut")])
    made = tokenised({"p": asked}, rows, used, tokens)
    assert used == {"fig", "nut"} == set(made.responses)
    assert made.prompts == {"p": render(tokens.tokenizer, asked.messages)}


def test_score_rows_are_sorted_and_what_does_not_fit_is_counted():
    table, counts = score_rows(RESPONSES, IDS, max_tokens=4)
    assert table.column("response_id").to_pylist() == ["c", "d", "void", "s"]
    assert table.column("prompt_ids").to_pylist()[-1] == [3]
    assert counts == {"longer_than_max_tokens": 1, "cut_prompts": 0}


def test_a_pair_becomes_an_example_with_both_sides_and_their_reference_scores():
    made = examples(pair("c", "r", margin=0.5))
    [one] = made.examples
    assert (one.prompt_ids, one.chosen_ids, one.rejected_ids) == ([1, 2], [4, 5], [7, 8, 9])
    assert (one.chosen_logps, one.rejected_logps) == ([-1.0] * 2, [-1.0] * 3)
    assert (one.weight, one.p_chosen, one.margin, one.kind) == (1.0, 0.75, 0.5, "pair")
    assert made.counts == {}
    to_table(TrainingExample, made.examples)


@pytest.mark.parametrize(
    ("bad", "names", "reason"),
    [
        (pair("c", "void"), ("c", "void"), "dropped_empty_response"),
        (pair("c", "r"), ("c", "d"), "dropped_longer_than_max_tokens"),
    ],
)
def test_an_empty_or_long_side_drops_the_pair_with_its_reason(bad, names, reason):
    made = examples(bad, names=names)
    assert (made.examples, made.counts) == ([], {reason: 1})


def test_the_weight_of_a_prompt_is_shared_by_the_examples_that_are_left():
    three = [pair("c", "d"), pair("c", "r"), pair("d", "r")]
    made = examples(*three, pair("s", "s", prompt_id="q"), dropped=[three[0].pair_id])
    assert [one.weight for one in made.examples] == [0.5, 0.5, 1.0]
    assert made.counts == {"dropped_already_solved": 1}


def test_each_chosen_response_is_imitated_once_and_they_share_the_weight():
    pairs = [pair("c", "d"), pair("c", "r"), pair("d", "r"), pair("s", "s", prompt_id="q")]
    made = response_examples(pairs, IDS, 9, {})
    assert [(one.example_id, one.weight) for one in made.examples] == [
        *(("c", 0.5), ("d", 0.5), ("s", 1.0)),
    ]
    assert {one.kind for one in made.examples} == {"response_only"}
    to_table(TrainingExample, made.examples)


def test_what_is_too_long_or_empty_to_imitate_leaves_its_weight_to_the_others():
    pairs = [pair("c", "d"), pair("r", "d"), pair("void", "d")]
    made = response_examples(pairs, IDS, 4, {})
    assert [(one.example_id, one.weight) for one in made.examples] == [("c", 1.0)]
    assert made.counts == {"dropped_empty_response": 1, "dropped_longer_than_max_tokens": 1}
