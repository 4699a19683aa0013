from dataclasses import replace

import pytest

from infra.engines._contract import Sample
from tasks.errors import DataError
from tasks.responses import (
    SHARD_PROMPTS,
    Tokens,
    by_id,
    ids_for_training,
    response_of,
    row_seed,
    shards_of,
)
from tasks.tokens import load_tokenizer, stop_ids
from tests.opinion_makers import prompt, response
from tests.small_config import small_place
from tests.test_model_matrix import cells
from tests.tiny_models import tiny_model

POLICY = cells()["policy"]


@pytest.fixture(scope="module")
def tokens():
    return Tokens(load_tokenizer(tiny_model()), "tok", "tem")


def drawn(**changes):
    facts = {
        "prompt_id": "p", "sample_index": 0, "text": None, "token_ids": None,
        "finish_reason": "stop",
    }  # fmt: skip
    return Sample(**facts | changes)


def test_shards_have_fixed_boundaries_in_order_of_ids():
    prompts = [prompt(prompt_id=f"p{number:03}") for number in range(SHARD_PROMPTS + 2)]
    shards = shards_of(prompts[::-1])
    assert [len(shard) for shard in shards] == [SHARD_PROMPTS, 2]
    assert [one for shard in shards for one in shard] == prompts
    assert shards_of([]) == []


def test_every_response_has_a_seed_of_its_own_that_no_run_name_enters():
    other_run = cells(small_place(run="another"))["policy"]
    seeds = {row_seed(1, 2, POLICY, name, index) for name in "pq" for index in (0, 1)}
    assert len(seeds) == 4
    assert row_seed(1, 2, POLICY, "p", 0) == row_seed(1, 2, other_run, "p", 0)
    assert row_seed(1, 3, POLICY, "p", 0) not in seeds


def test_sampled_ids_become_text_without_special_tokens(tokens):
    ids = [*tokens.tokenizer.encode("a fox", add_special_tokens=False), *stop_ids(tokens.tokenizer)]
    made = response_of(drawn(token_ids=ids), POLICY, 5, tokens)
    assert (made.text, made.token_ids, made.seed) == ("a fox", ids, 5)
    assert (made.tokenizer, made.template, made.origin) == ("tok", "tem", "policy")


def test_a_text_without_ids_names_no_tokenizer(tokens):
    made = response_of(drawn(text="a fox"), cells()["large"], None, None)
    assert (made.text, made.token_ids, made.tokenizer, made.template) == ("a fox", None, None, None)


def test_the_id_tells_cells_samples_and_texts_apart():
    large = cells()["large"]
    made = [
        response_of(drawn(text=text, sample_index=index), cell, None, None).response_id
        for cell in (POLICY, large)
        for index in (0, 1)
        for text in ("x", "y")
    ]
    assert len(set(made)) == 8


def test_a_sample_with_neither_text_nor_ids_is_an_error():
    with pytest.raises(DataError, match="a sample of p is empty"):
        response_of(drawn(), POLICY, None, None)


def test_sampled_ids_are_trained_on_as_they_are(tokens):
    own = replace(response("r", "a fox"), token_ids=[5, 6], tokenizer="tok", template="tem")
    assert ids_for_training(own, tokens) == [5, 6]


def test_any_other_response_is_tokenised_from_its_text(tokens):
    plain = tokens.tokenizer.encode("a fox", add_special_tokens=False)
    other = replace(
        response("r", "a fox"), origin="model", token_ids=[5], tokenizer="x", template="tem"
    )
    assert ids_for_training(other, tokens) == [*plain, stop_ids(tokens.tokenizer)[0]]
    cut = replace(other, finish_reason="length")
    assert ids_for_training(cut, tokens) == plain


@pytest.mark.parametrize("stranger", [{"tokenizer": "x"}, {"template": "x"}, {"token_ids": None}])
def test_a_policy_response_with_another_tokenizer_stops_the_run(tokens, stranger):
    facts = {"token_ids": [5], "tokenizer": "tok", "template": "tem"} | stranger
    with pytest.raises(DataError, match="claims to be the policy's"):
        ids_for_training(replace(response("r", "a fox"), **facts), tokens)


def test_responses_by_id():
    rows = [response("r1", "x"), response("r2", "y")]
    assert by_id(rows) == {"r1": rows[0], "r2": rows[1]}
