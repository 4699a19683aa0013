"""The model that both sides train: random weights and a tokenizer of the shared data's text."""

import shutil
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from benchmarks.trainer.groups import read_groups
from benchmarks.trainer.plan import Plan
from flows.quickstart.models import CHAT_TEMPLATE, SPECIAL_TOKENS


def make_model(folder: Path, plan: Plan) -> Path:
    """The model folder at `folder`, made unless it is there; equal plans make equal folders."""
    if not folder.exists():
        made = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(made, ignore_errors=True)
        save_model(made, make_tokenizer(_texts(plan), plan.model["vocabulary"]), plan)
        made.rename(folder)
    return folder


def _texts(plan: Plan) -> Iterator[str]:
    for wanted in plan.sets.values():
        for group in read_groups(wanted, plan):
            yield group.prompt
            yield from group.responses


def make_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with Qwen2's pieces: transformers puts these into any tokenizer of a Qwen2."""
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def save_model(folder: Path, tokenizer: PreTrainedTokenizerFast, plan: Plan) -> None:
    """Save a Qwen2 of the plan's shape with random float32 weights, and `tokenizer`."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    shape: dict[str, Any] = dict(plan.model)
    del shape["vocabulary"]
    config = Qwen2Config(
        vocab_size=plan.model["vocabulary"],
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
        dtype="float32",
        **shape,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        model: Any = Qwen2ForCausalLM(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def num_parameters(folder: Path) -> int:
    """Weights of the model in `folder`, tied ones counted once."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="np") as file:
        return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
