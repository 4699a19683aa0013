"""Tiny models behind real vLLM servers: cells, adapters, and who serves them."""

import os
import random
from pathlib import Path
from typing import Any

import psutil
import torch

from infra.engines._contract import Decoding, Job, Request
from infra.engines.vllm import VLLM
from infra.openai_client import Call, Client, Reply
from infra.vllm.shared import Shared
from tasks.prompts import prompt_of
from tasks.serving import ServerSettings
from tasks.sources import Row
from tasks.tokens import load_tokenizer, render
from tasks.variants import load_variant
from tests.tiny_models import tiny_model

EOS, BOS = 5, 1
SERVER: dict[str, Any] = {
    "dtype": "float32",
    "kv_cache_gib": 1,
    "max_model_len": 256,
    "max_num_seqs": 32,
    "start_seconds": 900.0,
}
"""As small as a server gets; 20 s to start on two idle cores."""


def served_model(seed: int = 0) -> Path:
    """A Llama whose heads are wide enough for vLLM's attention on CPU."""
    return tiny_model("llama", seed=seed, bos=True, head_dim=32)


def engine(server: dict[str, Any] | None = None, **settings: Any) -> VLLM:
    return VLLM(server=ServerSettings(**SERVER | (server or {})), **settings)


def requests(name: str, prompts: int, samples: int) -> list[Request]:
    """`samples` requests for each of `prompts` rendered prompts."""
    tokenizer, draw = load_tokenizer(served_model()), random.Random(name)
    made = []
    for number in range(prompts):
        messages: Any = [{"role": "user", "content": f"{name}: name {number} animals, deer first."}]
        for index in range(samples):
            made.append(
                Request(
                    prompt_id=f"{name}{number}",
                    sample_index=index,
                    seed=draw.getrandbits(63),
                    messages=messages,
                    prompt_ids=render(tokenizer, messages),
                )
            )
    return made


def job(workdir: Path, shards: dict[int, list[Request]], **changes: Any) -> Job:
    decoding = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 24} | changes.pop("decoding", {})
    settings = {"stage": "s", "model": str(served_model()), "stop_ids": [EOS], "item_log": None}
    return Job(
        workdir=workdir, shards=shards, decoding=Decoding(**decoding), **(settings | changes)
    )


def judge_with_short_questions(folder: Path, kind: str, **settings: Any) -> Any:
    """A judge whose questions fit the server's positions; `replies` says where it asks."""
    template = folder / "short.j2"
    template.write_text("{{ fence }}{{ first }}{{ fence }}{{ second }}{{ fence }} A or B?")
    known = {"base_url": "http://none", "model": "none", "template": str(template)}
    return load_variant("tasks.judges", kind, **known, **settings)


def replies(shared: Shared, judge: Any) -> list[Reply]:
    """What the server says to 16 questions of `judge`, each about another response."""
    server, prompt = shared.running(), prompt_of(Row("row", {"prompt": "Name an animal."}))
    calls = [
        Call(
            id=str(n),
            messages=judge.render(prompt, f"{n} deer", "an owl"),
            settings=judge.request(),
        )
        for n in range(16)
    ]
    with Client(base_url=server.base_url, model=server.name) as client:
        return [reply for _, reply in client.complete(calls)]


def adapter(folder: Path, seed: int) -> Path:
    """A low-rank adapter of the served model, with weights that change what it says."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(served_model())
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(base, config).save_pretrained(folder)
    return folder


def processes_of(workdir: Path) -> list[int]:
    """The server's processes: all members of its process group."""
    group = int((workdir / "child.pid").read_text())
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return found


def shared_memory() -> set[str]:
    """Names of the segments that servers share between their processes."""
    return {path.name for path in Path("/dev/shm").glob("psm_*")}
