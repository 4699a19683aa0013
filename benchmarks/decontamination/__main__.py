"""How well, and how fast, edited prompts of evaluation sets are found among training prompts.

    TSO_SHARED_DATA=../shared/data python -m benchmarks.decontamination [--part edits|speed]

Fixed before the run. *Edits*: of each set of the shared data one half (by the sha256 of its text)
is the evaluation set, the other half its unrelated prompts; of sources of the corpus 500 prompts.
Every evaluation prompt is put into the training pool edited in one way; the pool is cleaned as
`collect` does it, with default settings. An edit that leaves a prompt as it was does not count.
Prompts of the other half of which one contains the other whole (letters alone), or which share 13
words in a row with one, are related, not unrelated, and are shown apart. Asked for: recall >= 0.98
for each edit, false alarms <= 0.005. Beside it the recall of another way: any 13 words in a row, as
GPT-3 did (arXiv:2005.14165, appendix C).
*Speed*: 1,000,000 prompts of two to four sentences of these sets, every hundredth of them an edited
evaluation prompt, in at most 5 minutes.
Left out: questions about passages (P3, FairytaleQA), where two about one passage repeat it, and
code tasks that a model made up (`gpteacher_codegen`: half of them is *Hello, World* again).
Settings were chosen on three other divisions into halves than the one that is measured here.
Each part is written to the result as soon as it is done, and stays there when the other is run.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.decontamination.sets import Named, edits, halves, share, shares_words, thirteen
from benchmarks.decontamination.speed import SPEED_PROMPTS, measured_speed
from benchmarks.measurement import RESULTS, write_result
from tasks.decontamination.settings import DecontaminationSettings
from tasks.decontamination.texts import cleaned
from tasks.prompts import pool_of
from tasks.sources import Row


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
    words, measured = thirteen([text for _, text in evaluation]), {t for _, t in evaluation}
    for name, edit in edits(random.Random(0), unrelated).items():
        changed = [(s, edit(text), text) for s, text in evaluation]
        changed = [
            (s, now, text) for s, now, text in changed if now.strip() and now not in measured
        ]
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
    result |= alone(rows, unrelated, related)
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


def alone(rows: list[Row], unrelated: Named, related: Named) -> dict[str, Any]:
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
        },
        "related_found": f"{sum(text in found for _, text in related)} of {len(related)}",
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
