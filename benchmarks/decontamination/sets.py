"""The sets of prompts, their halves, and the fixed edits."""

import hashlib
import json
import os
import random
import re
import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from tasks.decontamination.letters import letters

DATA = Path(os.environ.get("TSO_SHARED_DATA", "../shared/data"))
TABLES = {
    "alpaca_eval": "alpaca_eval/alpaca_eval_matrix.parquet",
    "arena_hard": "arena_hard/arena_hard_matrix.parquet",
    "gsm8k": "gsm8k_matrix/gsm8k_model_matrix.parquet",
    "selfinstruct": "selfinstruct_matrix/selfinstruct_matrix.parquet",
    "llmbar": "llmbar/llmbar_pairs.parquet",
    "pandalm": "pandalm_human/pandalm_human.parquet",
    "vicuna": "vicuna_bench/vicuna_bench_matrix.parquet",
}
SOURCES = (
    *("gsm8k_train", "gpteacher_roleplay", "llamafactory_alpaca_en_demo"),
    *("selfinstruct_seed", "fairytaleqa_story"),
)
OF_A_SOURCE = 500
DOZEN = 12
SALT = "last "
Named = list[tuple[str, str]]
"""Set and prompt."""


def prompts_of_sets() -> dict[str, list[str]]:
    """The different prompts of each set; a conversation is its turns."""
    found = {name: list(pd.read_parquet(DATA / path).prompt) for name, path in TABLES.items()}
    ifeval = (DATA / "ifeval/ifeval_prompts.jsonl").read_text(encoding="utf-8").splitlines()
    found["ifeval"] = [json.loads(line)["prompt"] for line in ifeval]
    turns = (DATA / "mt_bench/mt_bench_questions.jsonl").read_text(encoding="utf-8").splitlines()
    found["mt_bench"] = ["\n\n".join(json.loads(line)["turns"]) for line in turns]
    corpus = pd.read_json(DATA / "pretrain_corpus/pretrain_corpus.jsonl.gz", lines=True)
    for source in SOURCES:
        rows = corpus[corpus.source == source]
        some = sorted(rows.drop_duplicates("group_id").prompt, key=lambda one: lot(f"source {one}"))
        found[source] = some[:OF_A_SOURCE]
    return {
        name: list({letters(one): one for one in some}.values()) for name, some in found.items()
    }


def lot(text: str) -> str:
    """Decides the half; another salt is another division."""
    return hashlib.sha256(f"{SALT}{text}".encode()).hexdigest()


def halves() -> tuple[Named, Named, Named]:
    """Evaluation prompts, unrelated ones, and those that repeat a part of one literally."""
    sets = prompts_of_sets()
    evaluation = [(n, one) for n, some in sets.items() for one in some if lot(one)[0] < "8"]
    others = [(n, one) for n, some in sets.items() for one in some if lot(one)[0] >= "8"]
    whole = "\n".join(letters(one) for _, one in evaluation)
    each = [letters(one) for _, one in evaluation]
    runs = thirteen([one for _, one in evaluation])
    related, unrelated = [], []
    for name, one in others:
        own = letters(one)
        is_related = own in whole or any(text in own for text in each if len(text) >= 10)
        is_related = is_related or shares_words(one, runs)
        (related if is_related else unrelated).append((name, one))
    return evaluation, unrelated, related


def edits(rng: random.Random, unrelated: Named) -> dict[str, Callable[[str], str]]:
    """The fixed edits by name."""
    words = [word for _, text in unrelated for word in text.split()]

    def changed(text: str) -> str:
        """One word of each dozen; of what is left over one, with the chance of its share."""
        found = text.split(" ")
        for start in range(0, len(found), DOZEN):
            size = min(DOZEN, len(found) - start)
            if rng.random() < size / DOZEN:
                found[start + rng.randrange(size)] = rng.choice(words)
        return " ".join(found)

    def swapped(text: str) -> str:
        sentences = re.split(r"(?<=[.!?])\s+|\n+", text.strip())
        return " ".join(reversed(sentences))

    def quoted(text: str) -> str:
        before, after = (rng.choice(unrelated)[1] for _ in range(2))
        return f'{before}\n\nBefore that, look at this: "{text}"\n\n{after}'

    signs = str.maketrans("", "", string.punctuation)
    spaces = str.maketrans(string.punctuation, " " * len(string.punctuation))
    return {
        "upper case": str.upper,
        "lower case": str.lower,
        "punctuation left out": lambda text: text.translate(signs),
        "punctuation as spaces": lambda text: text.translate(spaces),
        "1 word in 12 changed": changed,
        "sentence order swapped": swapped,
        "quoted in a longer prompt": quoted,
    }


def share(some: int, of: int) -> float:
    return round(some / max(1, of), 5)


def thirteen(texts: Sequence[str]) -> set[str]:
    return {run for text in texts for run in runs_of_words(text)}


def runs_of_words(text: str) -> Iterator[str]:
    words = re.findall(r"\w+", text.lower())
    return (" ".join(words[i : i + 13]) for i in range(len(words) - 12))


def shares_words(text: str, known: set[str]) -> bool:
    return any(run in known for run in runs_of_words(text))
