"""Small training jobs: examples with made-up tokens, reference scores from plain transformers."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from transformers import AutoModelForCausalLM

from tasks.child import Reporter
from tasks.records import TrainingExample
from tasks.tables import to_table
from tasks.training.__main__ import work
from tasks.training.batches import Budget, groups_of, pack_parts
from tasks.training.examples import open_examples
from tasks.training.logprobs import token_logps
from tasks.training.policy import load_policy
from tasks.training.trees import Branch, Part
from tasks.variants import load_variant

torch.set_num_threads(1)
EOS = 5
CPU = torch.device("cpu")


def ids(seed, length, low=6, high=380):
    """Made-up token ids."""
    return np.random.default_rng(seed).integers(low, high, length).tolist()


def plain_logps(model, prompt, response):
    """Token log-probabilities of one response: one row, no padding, no mask, no batching."""
    logits = model(torch.tensor([[*prompt, *response]])).logits[0]
    logps = logits[len(prompt) - 1 : -1].log_softmax(-1)
    return logps[torch.arange(len(response)), torch.tensor(response)]


def plain_model(folder, dtype=torch.float64):
    """The model of `folder` as transformers runs it, in double precision."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager"
    ).eval()


@torch.no_grad()
def pair_examples(reference, num_prompts=6):
    """Three responses per prompt, all three pairs; weights of a prompt sum to 1."""
    model = plain_model(reference)
    examples = []
    for index in range(num_prompts):
        prompt = ids((index, 0), 4 + index % 3)
        responses = [[*ids((index, 1 + k), 2 + 3 * k + index % 2), EOS] for k in range(3)]
        scores = [plain_logps(model, prompt, response).tolist() for response in responses]
        for chosen, rejected in [(0, 1), (2, 0), (1, 2)]:
            examples.append(
                example(f"{index}-{chosen}{rejected}", index, prompt, 1 / 3)
                | side("chosen", responses[chosen], scores[chosen])
                | side("rejected", responses[rejected], scores[rejected])
            )
    return [TrainingExample(**fields) for fields in examples]


def response_examples(num_prompts=8):
    """One response per prompt, for supervised fine-tuning."""
    rows = [
        example(f"r{index}", index, ids((index, 0), 3 + index % 4), 1.0, "response_only")
        | side("chosen", [*ids((index, 1), 2 + index % 5), EOS], None)
        for index in range(num_prompts)
    ]
    return [TrainingExample(**fields) for fields in rows]


def example(name, prompt_index, prompt, weight, kind="pair"):
    """Fields of an example without its responses."""
    return {
        "example_id": name, "kind": kind, "prompt_id": f"p{prompt_index}", "prompt_ids": prompt,
        "weight": weight, "p_chosen": None, "margin": None,
        "rejected_ids": None, "rejected_logps": None,
    }  # fmt: skip


def side(name, response, scores):
    """Fields of one response."""
    return {f"{name}_ids": response, f"{name}_logps": scores}


def parts_of(*shapes):
    """Trees with a prompt and responses of the given lengths: (5, [3, 7])."""
    return [
        Part(
            trunk=np.array(ids((0, number, prompt), prompt)),
            branches=[
                Branch(np.array(ids((1, number, place, length), length)))
                for place, length in enumerate(responses)
            ],
            first=0,
        )
        for number, (prompt, responses) in enumerate(shapes)
    ]


def tree_logps(policy, parts):
    """Log-probabilities of each response of `parts`, forwarded together."""
    lengths = [len(branch.tokens) for part in parts for branch in part.branches]
    return token_logps(policy, pack_parts(parts, CPU)).split(lengths)


def groups(workdir, examples, prompts, tokens, kind="dual_clip_dpo", **budget):
    """The groups that a step over `prompts` forwards."""
    return groups_of(opened(workdir, examples, kind), prompts, Budget(tokens=tokens, **budget), CPU)


def write_examples(workdir: Path, examples) -> Path:
    """examples.arrow in `workdir`, in two record batches."""
    table = to_table(TrainingExample, examples)
    path = workdir / "examples.arrow"
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=-(-table.num_rows // 2))
    return path


def opened(workdir, examples, kind="dual_clip_dpo", max_tokens=200):
    """`examples` as the trainer reads them for the loss `kind`."""
    path = write_examples(workdir, examples)
    return open_examples(path, load_variant("tasks.losses", kind), max_tokens)


def policy_of(folder, dtype="float32", device="cpu"):
    """The model of `folder` as the trainer holds it."""
    return load_policy(folder, dtype, device)


def train_spec(model, loss=None, settings=None, **fields):
    """spec.json of a training job."""
    return {
        "job": "train", "stage": "train-0", "model": str(model), "examples": "examples.arrow",
        "loss": loss or {"kind": "dual_clip_dpo"}, "seed": 3, "threads": 1, "reference": "ref-1",
        "settings": {"learning_rate": 1e-3, "prompts_per_batch": 2, "tokens_per_microbatch": 64,
                     "max_tokens": 200} | (settings or {}),
    } | fields  # fmt: skip


def run_here(workdir: Path, spec):
    """Do the job in this process; returns its result."""
    (workdir / "spec.json").write_text(json.dumps(spec))
    return work(workdir, json.loads(json.dumps(spec)), Reporter(workdir))


def lines(path: Path):
    """The JSON lines of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
