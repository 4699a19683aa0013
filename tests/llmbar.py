"""LLMBar's published judgements (arXiv:2310.07641), and how each of its strategies ends a reply."""

import pandas as pd

from tests.judges_asking import asking

ALONE, LINE, BETTER = r"^Output \({}\)$", r"(?:^|\n) ?Output \({}\)", r"Output \({}\) is better"
"""The forms its prompts ask for: the name alone, on a line of its own, or as a conclusion."""
MULTIPLE_STAGES = (BETTER, ALONE)
"""Swap first asks for the name alone, and for a conclusion only where both orders disagree."""


def forms_of(judge, strategy):
    """The forms in which a judge's replies to a strategy are read, the first found first."""
    if strategy == "Swap":
        return MULTIPLE_STAGES
    concludes = strategy in ("CoT", "Swap_CoT") and (judge, strategy) != ("PaLM2", "CoT")
    return (BETTER,) if concludes else (LINE,)


def reader(judge, strategy, contradictory):
    """The pairwise judge whose patterns read the replies to a strategy."""
    sides = (("A", "a"), ("B", "b"))
    forms = forms_of(judge, strategy)
    patterns = [{"verdict": v, "pattern": form.format(name)} for form in forms for v, name in sides]
    return asking("pairwise", patterns=patterns, contradictory=contradictory)


def judgements(folder):
    """All rows; `shown` says which response the recorded winner is in the order of the question."""
    rows = pd.read_parquet(folder / "llmbar" / "llmbar_judgements.parquet")
    first = {False: "1", True: "2"}
    rows["shown"] = [
        "unparsed" if winner not in ("1", "2") else ("first" if winner == first[swap] else "second")
        for winner, swap in zip(rows.winner, rows.swapped, strict=True)
    ]
    return rows


def replayed(rows, contradictory):
    """What our parser makes of every stored completion of `rows`, in their order."""
    readers = {
        key: reader(*key, contradictory) for key in set(zip(rows.judge, rows.strategy, strict=True))
    }
    return [
        readers[judge, strategy].parse(completion).outcome
        for judge, strategy, completion in zip(
            rows.judge, rows.strategy, rows.completion, strict=True
        )
    ]


def figures(rows):
    """Accuracy and order consistency by subset, judge and strategy, of rows with `outcome`.

    What was not understood is wrong, and agrees with nothing but itself.
    """
    winner = {("first", False): "1", ("second", False): "2", ("first", True): "2"}
    winner[("second", True)] = "1"
    said = [
        winner.get((outcome, swap), "None")
        for outcome, swap in zip(rows.outcome, rows.swapped, strict=True)
    ]
    right = [one == str(gold) for one, gold in zip(said, rows.gold, strict=True)]
    table = rows.assign(said=said, right=right)
    both = table.pivot_table(
        index=["subset", "judge", "strategy", "item_id"],
        columns="swapped",
        values=["said", "right"],
        aggfunc="first",
    )
    both = both.dropna()
    found = pd.DataFrame(
        {
            "average": (both["right"][False].astype(float) + both["right"][True].astype(float)) / 2,
            "both": (both["right"][False] & both["right"][True]).astype(float),
            "consistent": (both["said"][False] == both["said"][True]).astype(float),
        }
    )
    return found.groupby(level=["subset", "judge", "strategy"]).agg(["mean", "size"])
