import shutil

import pytest
from tiny_models import TEMPLATE, tiny_model
from transformers import GenerationConfig

from tasks.errors import ConfigError, DataError
from tasks.tokens import (
    end_of_turn,
    load_tokenizer,
    render,
    response_ids,
    stop_ids,
    template_digest,
    tokenizer_digest,
)

FOX = [{"role": "user", "content": "Name a fox."}]
EOS = 5


@pytest.fixture
def tokenizer():
    return load_tokenizer(tiny_model("llama"))


def test_a_prompt_ends_where_the_answer_begins(tokenizer):
    text = tokenizer.decode(render(tokenizer, FOX))
    assert text == "<|user|>Name a fox.<|end|>\n<|assistant|>"


@pytest.mark.parametrize("kind", ["qwen2", "llama", "gpt2"])
def test_there_is_exactly_one_bos_where_template_and_tokenizer_add_one(kind):
    tokenizer = load_tokenizer(tiny_model(kind, bos=True))
    assert render(tokenizer, FOX).count(tokenizer.bos_token_id) == 1


def test_there_is_one_bos_where_only_the_tokenizer_adds_one():
    tokenizer = load_tokenizer(tiny_model("llama", bos=True))
    tokenizer.chat_template = TEMPLATE.replace("{BOS}", "")
    assert render(tokenizer, FOX)[0] == tokenizer.bos_token_id


def test_there_is_no_bos_where_neither_adds_one(tokenizer):
    assert render(tokenizer, FOX)[0] == tokenizer.convert_tokens_to_ids("<|user|>")


def test_a_template_that_writes_bos_twice_is_refused():
    tokenizer = load_tokenizer(tiny_model("llama", bos=True))
    tokenizer.chat_template = TEMPLATE.replace("{BOS}", "{{ bos_token }}{{ bos_token }}")
    with pytest.raises(ConfigError, match="BOS token twice"):
        render(tokenizer, FOX)


def test_words_of_templates_inside_a_prompt_are_kept(tokenizer):
    content = "None of the user answers: assistant, add_generation_prompt"
    text = tokenizer.decode(render(tokenizer, [{"role": "user", "content": content}]))
    assert content in text


def test_eos_is_added_only_to_a_response_that_finished(tokenizer):
    cut, whole = (
        response_ids(tokenizer, "A red fox", False),
        response_ids(tokenizer, "A red fox", True),
    )
    assert whole == [*cut, EOS] and EOS not in cut


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_a_response_that_spells_out_eos_gets_none(kind):
    tokenizer = load_tokenizer(tiny_model(kind))
    ids = response_ids(tokenizer, "Say <|end|> now", False)
    assert EOS not in ids and tokenizer.decode(ids) == "Say <|end|> now"


def test_eos_stays_where_pad_is_eos():
    tokenizer = load_tokenizer(tiny_model("llama", pad_is_eos=True))
    assert tokenizer.pad_token_id == EOS
    assert response_ids(tokenizer, "fox", True)[-1] == EOS


def test_the_boundary_is_not_tokenised_jointly(tokenizer):
    prompt, response = tokenizer("The wa", add_special_tokens=False)["input_ids"], "ter"
    joint = tokenizer("The water", add_special_tokens=False)["input_ids"]
    apart = [*prompt, *response_ids(tokenizer, response, False)]
    assert apart != joint and tokenizer.decode(apart) == tokenizer.decode(joint)


def test_the_end_of_turn_is_read_from_the_template_not_from_eos(tokenizer):
    tokenizer.chat_template = TEMPLATE.replace("{BOS}", "").replace("<|end|>", "<|pad|>")
    assert end_of_turn(tokenizer) == tokenizer.convert_tokens_to_ids("<|pad|>") != EOS


def test_a_template_without_a_closing_token_falls_back_to_eos(tokenizer):
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    assert end_of_turn(tokenizer) == EOS


def test_stop_ids_join_template_model_and_tokenizer(tokenizer):
    assert stop_ids(tokenizer) == [EOS]
    assert stop_ids(tokenizer, GenerationConfig(eos_token_id=[7, EOS])) == [EOS, 7]
    assert stop_ids(tokenizer, GenerationConfig(eos_token_id=9)) == [EOS, 9]


def test_a_prompt_beyond_the_limit_is_refused_with_numbers(tokenizer):
    length = len(render(tokenizer, FOX))
    assert render(tokenizer, FOX, max_tokens=length)
    with pytest.raises(DataError, match=f"{length} tokens, more than the {length - 1} allowed"):
        render(tokenizer, FOX, max_tokens=length - 1)


def test_messages_that_the_template_refuses_are_named_by_role(tokenizer):
    tokenizer.chat_template = "{{ raise_exception('no tools here') }}"
    with pytest.raises(DataError, match=r"roles \['user'\]: no tools here"):
        render(tokenizer, FOX)


def test_a_tokenizer_without_chat_template_is_refused(tmp_path):
    folder = shutil.copytree(tiny_model("llama"), tmp_path / "bare")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="no chat template"):
        load_tokenizer(folder)


def test_a_folder_without_tokenizer_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot load a tokenizer"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("kind", ["qwen2", "llama", "gpt2"])
def test_digests_survive_saving_and_use(kind, tmp_path):
    tokenizer = load_tokenizer(tiny_model(kind))
    before = tokenizer_digest(tokenizer), template_digest(tokenizer)
    tokenizer(["a", "b c"], padding=True, truncation=True, max_length=3)
    tokenizer.save_pretrained(tmp_path)
    for used in (tokenizer, load_tokenizer(tmp_path)):
        assert (tokenizer_digest(used), template_digest(used)) == before


def test_the_tokenizer_digest_changes_with_a_token_and_the_template_digest_with_a_letter(tokenizer):
    before = tokenizer_digest(tokenizer), template_digest(tokenizer)
    tokenizer.add_tokens(["foxes"])
    tokenizer.chat_template += " "
    assert tokenizer_digest(tokenizer) != before[0]
    assert template_digest(tokenizer) != before[1]
