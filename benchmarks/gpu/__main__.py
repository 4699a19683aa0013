"""`python -m benchmarks.gpu`: the trainer on a GPU, a 7B shape with random weights in bfloat16.

Pairs/s and model FLOP utilisation (of the FLOPs that are needed: a prompt and a response count
once, the head counts at response positions only, recomputation does not count), activation memory
with a small and a large vocabulary, and packed against single sequences under flex attention.
Without a GPU the results say that nothing was run.
"""

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from benchmarks.gpu.agreement import largest_differences
from benchmarks.gpu.model import make_model
from benchmarks.measurement import write_result
from benchmarks.trainer.groups import Group, pairs_of
from benchmarks.trainer.rows import TokenGroup, write_examples
from infra.processes import Limits, run_child
from infra.work import work_root
from tasks import child

PLAN = Path(__file__).with_name("gpu.yaml")
STALLED_SECONDS = 3600.0
NOT_RUN = "not run: torch sees no GPU on this machine"


def main() -> None:
    """Measure and write the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, default=PLAN, help="another yaml; names the results")
    path = parser.parse_args().plan
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    if plan["device"] == "cuda" and not torch.cuda.is_available():
        print(NOT_RUN, write_result(path.stem, {"status": NOT_RUN}))
        return
    print(write_result(path.stem, measure(plan, work_root() / "gpu-benchmark" / path.stem)))


def measure(plan: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """All figures, with goals met or not."""
    device = torch.cuda.get_device_name() if plan["device"] == "cuda" else plan["device"]
    speed = throughput(plan, folder / "speed")
    memory = {
        size: activation_bytes(plan, size, folder / f"vocabulary-{size}")
        for size in plan["vocabularies"]
    }
    growth = max(memory.values()) / min(memory.values()) if min(memory.values()) else math.nan
    apart = largest_differences(plan, folder / "agreement")
    return {
        "status": "run",
        "device": device,
        "plan": dict(plan),
        "speed": speed | {"goal_met": speed["mfu"] >= plan["goals"]["mfu"]},
        "activation_bytes_by_vocabulary": memory,
        "activation_growth": {"ratio": growth, "goal_met": growth <= plan["goals"]["memory"]},
        "largest_logp_difference": {
            dtype: {"nats": value, "met": value <= plan["agreement"][dtype]}
            for dtype, value in apart.items()
        },
    }


def throughput(plan: Mapping[str, Any], folder: Path) -> dict[str, float]:
    """Pairs/s, distinct tokens/s and MFU over the timed steps."""
    steps = plan["warmup_steps"] + plan["timed_steps"]
    result = train(plan, plan["model"], plan["vocabulary"], steps, folder)
    seconds = result["ended"][-1] - result["ended"][plan["warmup_steps"] - 1]
    prompts = plan["prompts_per_step"] * plan["timed_steps"]
    flops = prompts * flops_of_prompt(plan, plan["model"], plan["vocabulary"])
    tokens = plan["prompt_tokens"] + plan["responses"] * plan["response_tokens"]
    return {
        "seconds": seconds,
        "pairs_per_second": prompts * len(pairs_of(plan["responses"])) / seconds,
        "distinct_tokens_per_second": prompts * tokens / seconds,
        "mfu": flops / seconds / (plan["peak_tflops"] * 1e12),
        "peak_bytes": max(result["peak_bytes"], default=0),
    }


def activation_bytes(plan: Mapping[str, Any], vocabulary: int, folder: Path) -> int:
    """What a step needs besides what stays from step to step (0 without a GPU)."""
    result = train(plan, plan["small"], vocabulary, 3, folder)
    held = zip(result["peak_bytes"][1:], result["held_bytes"], strict=False)
    return max((peak - before for peak, before in held), default=0)


def flops_of_prompt(plan: Mapping[str, Any], shape: Mapping[str, Any], vocabulary: int) -> float:
    """FLOPs of forward and backward for a prompt with its responses, each token once.

    A multiplication by a matrix of n weights is 2n forward and 4n backward for each token; a query
    and a key that it sees cost 4 x hidden size forward, for scores and values, and twice backward.
    """
    trunk, branch, many = (plan[n] for n in ("prompt_tokens", "response_tokens", "responses"))
    hidden, layers = shape["hidden_size"], shape["num_hidden_layers"]
    groups = shape["num_key_value_heads"] / shape["num_attention_heads"]
    weights = layers * hidden * (2 * hidden * (1 + groups) + 3 * shape["intermediate_size"])
    seen = trunk * (trunk + 1) / 2 + many * (branch * trunk + branch * (branch + 1) / 2)
    in_layers = 2 * weights * (trunk + many * branch) + 4 * hidden * layers * seen
    flops: float = 3 * (in_layers + 2 * hidden * vocabulary * many * branch)
    return flops


def train(
    plan: Mapping[str, Any], shape: Mapping[str, Any], vocabulary: int, steps: int, folder: Path
) -> dict[str, Any]:
    """The result of `gpu_side` on prompts made of random ids."""
    folder.mkdir(parents=True, exist_ok=True)
    model = make_model(folder / "untrained", shape, vocabulary, plan["seed"])
    write_groups(folder / "examples.arrow", plan, vocabulary, steps)
    settings = {
        "learning_rate": 1e-6,
        "prompts_per_batch": plan["prompts_per_step"],
        "tokens_per_microbatch": plan["tokens_per_microbatch"],
        "max_tokens": plan["prompt_tokens"] + plan["response_tokens"],
        "checkpoint_every": 1_000_000,
    }
    spec = {
        "job": "train", "stage": "benchmark", "model": str(model), "examples": "examples.arrow",
        "loss": {"kind": "dpo"}, "settings": settings, "seed": plan["seed"], "dtype": "bfloat16",
        "master_weights": False, "device": plan["device"], "reference": "made up",
    }  # fmt: skip
    child.write_json(folder / child.SPEC, spec)
    limits = Limits(stalled_seconds=STALLED_SECONDS)
    return run_child("benchmarks.gpu.gpu_side", folder, limits=limits, on_event=lambda event: None)


def write_groups(path: Path, plan: Mapping[str, Any], vocabulary: int, steps: int) -> None:
    """Prompts of random ids; the reference's log-probabilities are made up: only speed counts."""
    draw = np.random.default_rng(plan["seed"])
    groups = [
        TokenGroup(
            group=Group(prompt_id=f"prompt-{n}", prompt="", responses=[]),
            prompt_ids=draw.integers(0, vocabulary, plan["prompt_tokens"]).tolist(),
            response_ids=draw.integers(
                0, vocabulary, (plan["responses"], plan["response_tokens"])
            ).tolist(),
        )
        for n in range(plan["prompts_per_step"] * steps)
    ]
    logps = {
        one.name(n): [-math.log(vocabulary)] * plan["response_tokens"]
        for one in groups
        for n in range(plan["responses"])
    }
    write_examples(path, groups, logps)


if __name__ == "__main__":
    main()
