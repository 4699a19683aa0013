"""Teaches the small model from scratch, with the project's own trainer."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.real_preferences import parts
from benchmarks.real_preferences.corpus import Taught, messages_of, teaching_mix
from benchmarks.real_preferences.model import save_untaught
from benchmarks.real_preferences.preferences import Preferences, prompt_texts
from tasks.pair_examples import response_example
from tasks.records import TrainingExample
from tasks.tables import to_table
from tasks.tokens import load_tokenizer, render, response_ids
from tasks.weights import file_digest


def taught_model(
    plan: Mapping[str, Any],
    sets: Mapping[str, Preferences],
    data: Path,
    root: Path,
    threads: int,
    device: str = "cpu",
) -> tuple[Path, dict[str, Any]]:
    """The folder of the taught model, and what it was taught on, with what effort."""
    corpus, mix = data / plan["teaching"]["file"], plan["teaching"]["rows"]
    rows, counts = teaching_mix(corpus, mix, prompt_texts(sets), plan["split_seed"])
    texts = [text for one in rows for text in (one.prompt, one.response)]
    made_of = [plan["model"], file_digest(corpus), counts]

    def make(folder: Path) -> Mapping[str, Any]:
        step = max(1, len(texts) // plan["model"]["vocabulary_texts"])
        return {"parameters": save_untaught(folder / "model", texts[::step], plan["model"])}

    made = parts.part(root, "untaught", made_of, make)
    untaught = made / "model"
    examples, too_long = _demonstrations(rows, untaught, plan["max_tokens"])
    settings = {**plan["teaching"]["settings"], "max_tokens": plan["max_tokens"]}
    spec = {"loss": {"kind": "sft"}, "settings": settings, "seed": plan["split_seed"]}
    folder = parts.trained(root, "teach", untaught, examples, spec, threads, device)
    counts |= {"longer_than_max_tokens": too_long, "taught": len(examples)}
    last = parts.last_steps(folder)[-1]["loss"]
    noted = parts.notes_of(made) | parts.notes_of(folder)
    return folder / "model", {"rows": counts, "last_loss": last, **noted}


def _demonstrations(rows: Iterable[Taught], model: Path, max_tokens: int) -> tuple[pa.Table, int]:
    """Examples of the rows that fit, and how many do not."""
    tokenizer = load_tokenizer(model)
    examples = [
        response_example(
            example_id=str(number),
            prompt_id=str(number),
            prompt_ids=render(tokenizer, messages_of(row)),
            response_ids=response_ids(tokenizer, row.response, finished=True),
        )
        for number, row in enumerate(rows)
    ]
    fitting = [one for one in examples if len(one.prompt_ids) + len(one.chosen_ids) <= max_tokens]
    return to_table(TrainingExample, fitting), len(examples) - len(fitting)
