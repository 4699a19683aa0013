import dataclasses

import pytest
from tiny_models import tiny_model
from training_jobs import opened, pair_examples, response_examples

from tasks.errors import DataError


@pytest.fixture(scope="module")
def pairs():
    return pair_examples(tiny_model(), num_prompts=3)


def changed(examples, **fields):
    return [dataclasses.replace(examples[0], **fields), *examples[1:]]


def test_lists_are_read_from_every_record_batch(pairs, tmp_path):
    examples = opened(tmp_path, pairs)
    for index, record in enumerate(pairs):
        assert examples.response("chosen", index)[0].tolist() == record.chosen_ids
        assert examples.response("rejected", index)[1].tolist() == [record.rejected_logps]
    assert [rows.tolist() for rows in examples.prompts] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"chosen_ids": [], "chosen_logps": []}, "no token in chosen_ids"),
        ({"rejected_ids": None}, "no token in rejected_ids"),
        ({"prompt_ids": []}, "empty prompt"),
        ({"prompt_ids": [9] * 300}, "longer .* than max_tokens 200"),
        ({"chosen_logps": None}, "not one number in chosen_logps"),
        ({"rejected_logps": [-1.0]}, "not one number in rejected_logps"),
        ({"kind": "response_only"}, "trains on 'pair' examples"),
    ],
)
def test_an_example_that_cannot_be_trained_on_is_named(pairs, fields, message, tmp_path):
    with pytest.raises(DataError, match=message):
        opened(tmp_path, changed(pairs, **fields))


def test_supervised_examples_need_no_reference(tmp_path):
    tokens, reference = opened(tmp_path, response_examples(), "sft").response("chosen", 0)
    assert len(tokens) and reference is None


def test_no_examples_are_an_error(tmp_path):
    with pytest.raises(DataError, match="no examples"):
        opened(tmp_path, [])
