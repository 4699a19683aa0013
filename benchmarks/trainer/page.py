"""`python -m benchmarks.trainer.page`: docs/trainer-benchmark.md, written from the results file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measurement import RESULTS
from benchmarks.trainer.environment import ROOT
from benchmarks.trainer.table import goal_table, set_table, speed_table

INTRODUCTION = """# The trainer beside TRL's DPOTrainer

Written by `python -m benchmarks.trainer.page` from `benchmarks/results/{name}.json`, which holds
every repetition. To measure it all again: `{command}`.

Measured {date} at commit {commit} on {cpu}, {cores} cores ({threads} threads), Python {python},
torch {torch}, transformers {transformers}; TRL {trl} in an environment of its own.
"""

EQUAL = """## What is equal on both sides

- The model: {parameters}, float32, the same random weights from the
  same folder; dropout off, no gradient checkpointing, attention by SDPA.
- The token ids: TRL gets conversations and makes the ids itself; they are compared with ours, row
  by row, in every run.
- The reference log-probabilities: computed before, outside of the timed part and in another
  process, by each side itself; they are compared too.
- The optimiser: fused AdamW, no weight decay, learning rate {learning_rate:g} falling linearly
  without warm-up, gradients clipped to norm 1; the sigmoid loss with beta {beta:g}.
- The batches: an optimizer step holds the same pairs, and the steps come in the same order. TRL
  cuts a step into device batches of {pairs_per_device_batch} pairs (twice as many rows, padded to
  the longest) and accumulates their gradients; the pairs of a step come to it in random order. We
  forward as many tokens at once as such a device batch has on average without its padding.
- "TRL by length": the same pairs, sorted by length over the whole set and cut into device batches
  that come in random order. That is at least as good as its `group_by_length`, which sorts within
  50 steps of a large set, and within fewer of one that is as small as these.
- Time: from the end of the last warm-up step to the end of the last step. Memory: the most resident
  memory of the process (VmHWM) after the last step, less what it was when the model was loaded.
  Every measurement is a process of its own; the trainers take turns, {repetitions} times; medians.
- A response that is in several pairs counts once in "distinct response tokens/s": pairs/s also tell
  how often a trainer computes the same response again, this column does not.
"""

SETS = """## The sets

`one_pair`: AI-judged pairs, one of each prompt. `matrix_4`, `matrix_8`: real models' responses to
AlpacaEval prompts, the one of the model with the higher published win rate is chosen, all pairs of
a prompt. `stories`: story sections as prompts with four answers to questions about them; nobody
compared these, the set measures speed with long prompts. Prompts with empty or equal responses, or
with more than {max_tokens} tokens in a row, are left out on both sides.
"""


def write_page(results: Path) -> Path:
    """Write the page that belongs to the results file; returns its path."""
    path = ROOT / "docs" / f"{results.stem}-benchmark.md"
    path.write_text(page(json.loads(results.read_text(encoding="utf-8"))), encoding="utf-8")
    return path


def page(result: Mapping[str, Any]) -> str:
    """The page's text."""
    metrics, versions = result["metrics"], result["versions"]
    plan = metrics["plan"]
    facts = {
        **{name: result[name] for name in ("name", "command", "date", "commit")},
        **{name: result["machine"][name] for name in ("cpu", "cores")},
        **{name: versions[name] for name in ("python", "torch", "transformers")},
        "threads": plan["threads"],
        "trl": metrics["trl_environment"]["trl"],
    }
    millions = metrics["parameters"] / 1e6
    parts = [
        INTRODUCTION.format(**facts),
        "## Against the goals\n\n" + goal_table(metrics),
        EQUAL.format(parameters=f"a Qwen2 of {millions:.1f} million parameters", **plan),
    ]
    if metrics["sets"]:
        parts.insert(2, "## Speed and memory\n\n" + speed_table(metrics["sets"]))
        parts.append(SETS.format(**plan) + "\n" + set_table(metrics["sets"]))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


if __name__ == "__main__":
    print(write_page(RESULTS / "trainer.json"))
