"""The small model before it is taught: a tokenizer trained on its texts, and random weights."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ROLES = ["<|user|>", "<|assistant|>", "<|system|>"]


def save_untaught(folder: Path, texts: Iterable[str], settings: Mapping[str, Any]) -> int:
    """Save a BPE tokenizer of `texts` (Qwen2's own pieces) and a random Qwen2 model.

    Returns how many parameters it has.
    """
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    blank = Qwen2Tokenizer(unk_token="<|pad|>", pad_token="<|pad|>", eos_token="<|end|>")
    tokenizer = blank.train_new_from_iterator(
        texts, settings["vocabulary"], new_special_tokens=ROLES, show_progress=False
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        **settings["shape"],
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings["init_seed"])
        model = Qwen2ForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return int(model.num_parameters())
