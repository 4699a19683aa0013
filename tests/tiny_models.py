"""Real model folders of under 100,000 parameters for tests: no network, same bytes each time.

`tiny_model("qwen2", seed=1)` is a folder that transformers loads: config, safetensors weights and
a byte-level BPE tokenizer with a chat template, trained on the text below.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tasks.canonical import digest

LAYOUT = 1
"""Raised when this file makes other folders for equal arguments."""

SPECIAL = ["<|pad|>", "<|bos|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
TEMPLATE = (
    "{BOS}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TEXT = """The red fox ran to the lake. A small boat lay on the water and the wind was cold.
Write two sentences about the sun. Name three animals that live in the forest: deer, owl, bear.
What is the colour of snow? It is white. How many legs has a spider? It has eight legs.
She said that the train would leave at noon, but nobody came. He wrote a short letter, then slept.
List four kinds of fruit in upper case: APPLE, PEAR, PLUM, FIG. Answer with one word only."""


def tiny_model(
    kind: str = "qwen2",
    seed: int = 0,
    *,
    pad_is_eos: bool = False,
    bos: bool = False,
    **config: Any,
) -> Path:
    """The folder of a random model of `kind` (qwen2, llama, gpt2, ...); `config` changes settings.

    Made once per set of arguments, under TSO_TEST_CACHE or the temporary folder.
    """
    key = digest([LAYOUT, kind, seed, pad_is_eos, bos, config, transformers.__version__])[:16]
    cache = os.environ.get("TSO_TEST_CACHE") or Path(tempfile.gettempdir()) / "tso-tiny-models"
    folder = Path(cache) / f"{kind}-{key}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix="making-"))
        tokenizer = tiny_tokenizer(pad_is_eos=pad_is_eos, bos=bos)
        tokenizer.save_pretrained(made)
        _model(kind, seed, tokenizer, config).save_pretrained(made)
        _publish(made, folder)
    return folder


def _publish(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:  # another process made the same folder first
        shutil.rmtree(made)


def tiny_tokenizer(*, pad_is_eos: bool = False, bos: bool = False) -> PreTrainedTokenizerFast:
    """Byte-level BPE of 384 tokens, <|end|> as EOS; `bos`: template and tokenizer both add one."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(TEXT.splitlines(), trainer)
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<|bos|> $A", special_tokens=[("<|bos|>", SPECIAL.index("<|bos|>"))]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|end|>",
        pad_token="<|end|>" if pad_is_eos else "<|pad|>",
        bos_token="<|bos|>" if bos else None,
        extra_special_tokens=["<|user|>", "<|assistant|>", "<|system|>"],
    )
    tokenizer.chat_template = TEMPLATE.replace("{BOS}", "{{ bos_token }}" if bos else "")
    return tokenizer


def _model(kind: str, seed: int, tokenizer: Any, overrides: dict[str, Any]) -> Any:
    shared = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    decoder = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
    }
    special: dict[str, dict[str, Any]] = {
        "qwen2": decoder | {"tie_word_embeddings": True},
        "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512},
    }
    settings = special.get(kind, decoder)
    # Weights larger than usual: two seeds differ visibly, and sampled text is not all one token.
    settings = shared | settings | {"initializer_range": 0.1} | overrides
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return transformers.AutoModelForCausalLM.from_config(
            transformers.CONFIG_MAPPING[kind](**settings), attn_implementation="eager"
        )
