import pytest

from flows.quickstart.data import make_world, messages
from flows.quickstart.models import make_tokenizer, save_untaught
from flows.quickstart.world import CASES, CATEGORIES, in_case
from tasks.tokens import load_tokenizer, render, response_ids


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def tokenizer(world):
    return make_tokenizer(world)


def test_every_word_of_a_list_is_one_token_in_every_case(tokenizer):
    words = [in_case(word, case) for some in CATEGORIES.values() for word in some.split()
             for case in CASES]  # fmt: skip
    assert [word for word in words if len(response_ids(tokenizer, word, False)) > 1] == []


def test_prompts_are_short_and_texts_come_back(tokenizer, world):
    for one in world.splits["sealed"]:
        ids = render(tokenizer, messages(one.text))
        assert len(ids) <= 60
        assert tokenizer.decode(ids) == f"<|user|>{one.text}<|end|><|assistant|>"


def test_equal_worlds_make_equal_tokenizers(tokenizer, world):
    assert make_tokenizer(world).backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_an_untaught_model_can_be_loaded_and_is_small(tokenizer, tmp_path):
    from transformers import AutoModelForCausalLM

    save_untaught(tmp_path, tokenizer, "policy")
    model = AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True)
    assert 300_000 < model.num_parameters() < 2_000_000
    asked = messages("Name three birds.")
    assert render(load_tokenizer(tmp_path), asked) == render(tokenizer, asked)
