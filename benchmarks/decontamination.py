"""How well, and how fast, edited prompts of evaluation sets are found among training prompts.

    TSO_SHARED_DATA=../shared/data python -m benchmarks.decontamination [--part edits|speed]

Fixed before the run. *Edits*: of each set of the shared data one half (by the sha256 of its text)
is the evaluation set, the other half its unrelated prompts; of sources of the corpus 500 prompts.
Every evaluation prompt is put into the training pool edited in one way; the pool is cleaned as
`collect` does it, with default settings. An edit that leaves a prompt as it was does not count.
Prompts of the other half of which one contains the other whole (letters alone) are related, not
unrelated, and are shown apart. Asked for: recall >= 0.98 for each edit, false alarms <= 0.005.
Beside it: any shared run of 13 words, as GPT-3 did (arXiv:2005.14165, appendix C).
*Speed*: 1,000,000 prompts of two to four sentences of these sets, every hundredth of them an edited
evaluation prompt, in at most 5 minutes.
Questions about passages (P3, FairytaleQA) are left out: two questions about one passage repeat it.
Each part is written to the result as soon as it is done, and stays there when the other is run.
"""

import argparse
import hashlib
import json
import os
import random
import re
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measurement import RESULTS, write_result
from tasks.decontamination.letters import letters
from tasks.decontamination.screen import BACKGROUND, Screen
from tasks.decontamination.settings import DecontaminationSettings
from tasks.decontamination.texts import cleaned, found_in
from tasks.prompts import pool_of
from tasks.sources import Row

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
    *("gsm8k_train", "gpteacher_codegen", "gpteacher_roleplay"),
    *("llamafactory_alpaca_en_demo", "selfinstruct_seed", "fairytaleqa_story"),
)
OF_A_SOURCE = 500
DOZEN = 12
SPEED_PROMPTS = 1_000_000
CHUNK = 20_000
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
        found[source] = sorted(rows.drop_duplicates("group_id").prompt, key=lot)[:OF_A_SOURCE]
    return {
        name: list({letters(one): one for one in some}.values()) for name, some in found.items()
    }


def lot(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def halves() -> tuple[Named, Named, Named]:
    """Evaluation prompts, unrelated ones, and those that contain one or are contained in one."""
    sets = prompts_of_sets()
    evaluation = [(n, one) for n, some in sets.items() for one in some if lot(one)[0] < "8"]
    others = [(n, one) for n, some in sets.items() for one in some if lot(one)[0] >= "8"]
    whole = "\n".join(letters(one) for _, one in evaluation)
    each = [letters(one) for _, one in evaluation]
    related, unrelated = [], []
    for name, one in others:
        own = letters(one)
        is_related = own in whole or any(text in own for text in each if len(text) >= 10)
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


def measured_edits() -> dict[str, Any]:
    """Recall by edit, and false alarms by set."""
    evaluation, unrelated, related = halves()
    result: dict[str, Any] = {
        "prompts": {
            "evaluation": len(evaluation),
            "unrelated": len(unrelated),
            "related": len(related),
        },
        "edits": {},
    }
    rows = [Row(f"e{i}", {"prompt": text, "split": "held_out"}) for i, (_, text) in
            enumerate(evaluation)]  # fmt: skip
    rows += [Row(f"u{i}", {"prompt": text}) for i, (_, text) in enumerate(unrelated)]
    words = thirteen([text for _, text in evaluation])
    for name, edit in edits(random.Random(0), unrelated).items():
        changed = [(s, edit(text), text) for s, text in evaluation]
        changed = [(s, now, text) for s, now, text in changed if now != text and now.strip()]
        more = [Row(f"c{i}", {"prompt": now}) for i, (_, now, _) in enumerate(changed)]
        clean = cleaned(pool_of([*rows, *more]), [], DecontaminationSettings())
        found = {one.text: one.kind for one in clean.found}
        result["edits"][name] = told(changed, found) | {
            "run_of_13_words": share(sum(shares_words(now, words) for _, now, _ in changed),
                                     len(changed)),
        }  # fmt: skip
        alarms = [(s, found[text]) for s, text in unrelated if text in found]
        result["edits"][name]["false_alarms"] = share(len(alarms), len(unrelated))
        print(name, json.dumps(result["edits"][name]), flush=True)
    result |= alone(rows, unrelated, related, words)
    recalls = [one["recall"] for one in result["edits"].values()]
    alarms = [one["false_alarms"] for one in result["edits"].values()]
    result["holds"] = {
        "recall >= 0.98 for every edit": min(recalls) >= 0.98,
        "false alarms <= 0.005": max([*alarms, result["false_alarms"]["share"]]) <= 0.005,
    }
    return result


def told(changed: Sequence[tuple[str, str, str]], found: dict[str, str]) -> dict[str, Any]:
    hits = [(s, found[now]) for s, now, _ in changed if now in found]
    missed = Counter(s for s, now, _ in changed if now not in found)
    return {
        "edited": len(changed),
        "recall": share(len(hits), len(changed)),
        "kinds": dict(Counter(kind for _, kind in hits)),
        "missed_by_set": dict(missed),
    }


def alone(rows: list[Row], unrelated: Named, related: Named, words: set[str]) -> dict[str, Any]:
    """What is found in pools that nobody has contaminated."""
    more = [Row(f"r{i}", {"prompt": text}) for i, (_, text) in enumerate(related)]
    clean = cleaned(pool_of([*rows, *more]), [], DecontaminationSettings())
    found = {one.text: one.kind for one in clean.found}
    by_set = Counter(s for s, text in unrelated if text in found)
    return {
        "false_alarms": {
            "share": share(sum(by_set.values()), len(unrelated)),
            "by_set": {
                s: f"{n} of {sum(one == s for one, _ in unrelated)}" for s, n in by_set.items()
            },
            "kinds": dict(Counter(found[text] for _, text in unrelated if text in found)),
            "run_of_13_words": share(
                sum(shares_words(t, words) for _, t in unrelated), len(unrelated)
            ),
        },
        "related_found": f"{sum(text in found for _, text in related)} of {len(related)}",
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


def generated(number: int, sentences: Sequence[str], rng: random.Random) -> list[str]:
    return [" ".join(rng.choices(sentences, k=rng.randrange(2, 5))) for _ in range(number)]


def measured_speed(number: int) -> dict[str, Any]:
    """Seconds for so many prompts; making them up is not counted."""
    evaluation, unrelated, _ = halves()
    rng = random.Random(1)
    sentences = sorted(
        {s for _, text in unrelated for s in re.split(r"(?<=[.!?])\s+|\n+", text) if len(s) > 20}
    )
    ways = list(edits(rng, unrelated).values())
    wall, cpu, looked, sizes, put, hits, alarms = 0.0, 0.0, 0, 0, 0, 0, 0
    texts = {str(i): text for i, (_, text) in enumerate(evaluation)}
    background = generated(BACKGROUND, sentences, rng)
    begun = time.perf_counter(), time.process_time()
    screen = Screen(texts, background, DecontaminationSettings())
    wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    building = {"wall_seconds": round(wall, 1), "cpu_seconds": round(cpu, 1)}
    while looked < number:
        chunk = generated(min(CHUNK, number - looked), sentences, rng)
        places = range(0, len(chunk), 100)
        for place in places:
            chunk[place] = rng.choice(ways)(rng.choice(evaluation)[1])
        begun = time.perf_counter(), time.process_time()
        found = found_in([str(i) for i in range(len(chunk))], chunk, screen)
        wall += time.perf_counter() - begun[0]
        cpu += time.process_time() - begun[1]
        known = {int(one.row_id) for one in found}
        put += len(places)
        hits += len(known & set(places))
        alarms += len(known - set(places))
        looked += len(chunk)
        sizes += sum(map(len, chunk))
        if not looked % (5 * CHUNK):
            print(f"{looked:,} prompts: {wall:.0f} s, {cpu:.0f} s of CPU time", flush=True)
    return {
        "prompts": looked,
        "mean_characters": round(sizes / looked, 1),
        "evaluation_prompts": len(evaluation),
        "of_which_the_index": building,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "load_average_at_the_end": [round(one, 1) for one in os.getloadavg()],
        "edited_found": share(hits, put),
        "others_found": share(alarms, looked - put),
        "holds": {"1,000,000 prompts in <= 300 s": looked >= SPEED_PROMPTS and wall <= 300},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("edits", "speed"), nargs="*", default=("edits", "speed"))
    parser.add_argument("--prompts", type=int, default=SPEED_PROMPTS, help="of the speed part")
    wanted = parser.parse_args()
    path = RESULTS / "decontamination.json"
    parts = json.loads(path.read_text())["metrics"] if path.exists() else {}
    for part in wanted.part:
        parts[part] = measured_edits() if part == "edits" else measured_speed(wanted.prompts)
        path = write_result("decontamination", parts)
        print(part, json.dumps(parts[part], indent=1), path, flush=True)


if __name__ == "__main__":
    main()
