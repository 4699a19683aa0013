"""The tokenizer and the untaught models of the quickstart: made here, taught by the trainer."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from flows.quickstart.data import World
from flows.quickstart.world import CASES, CATEGORIES, in_case

SPECIAL_TOKENS = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
PIECES = r"\p{L}+ ?|\p{N}+ ?|[^\p{L}\p{N}]+"
"""Words keep the space after them, so a word is the same token at the start of an answer."""
VOCABULARY = 960
"""Upper limit; training ends earlier, when all words are tokens."""
WORD_REPEATS = 900
"""How often each word of a list is shown to the tokenizer, so that it becomes one token."""
SHAPE: dict[str, Any] = {
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 256,
    "max_position_embeddings": 256,
    "initializer_range": 0.06,
    "tie_word_embeddings": True,
}
"""A Llama of 0.6 million parameters; the wide initial range learns faster than the usual 0.02.

Not Qwen2: for that type transformers 5 replaces the pieces of any tokenizer by Qwen's own.
"""
INIT_SEEDS = {"policy": 11, "large": 12, "other": 113}
"""Initial weights; models that start differently stay different."""


def make_tokenizer(world: World) -> PreTrainedTokenizerFast:
    """Byte-level BPE trained on the world's prompts and words; equal worlds give equal ones."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(_texts(world), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _texts(world: World) -> Iterable[str]:
    yield from (one.text for one in world.splits["train"])
    yield from (one.text for one in world.taught)
    for words in CATEGORIES.values():
        for word in words.split():
            for case in CASES:
                yield from [f"{in_case(word, case)}, "] * WORD_REPEATS


def save_untaught(folder: Path, tokenizer: PreTrainedTokenizerFast, model: str) -> None:
    """A folder with the random initial weights of `model` and with `tokenizer`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        **SHAPE,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(INIT_SEEDS[model])
        untaught: Any = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    untaught.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
