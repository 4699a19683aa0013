"""docs/real-preferences.md from the results: every judgement in it follows from an interval."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measurement import RESULTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "real-preferences.md"
SLICES = {
    "all": "all",
    "length_matched": "length-matched",
    "chosen_longer": "chosen is longer",
    "chosen_shorter": "chosen is shorter",
}
SHORTCUTS = {
    "coin": "a coin",
    "longer": "the longer one",
    "shorter": "the shorter one",
    "reference_logp": "the likelier one (reference, summed)",
    "reference_logp_per_token": "the likelier one (reference, per token)",
    "model_that_wins_more": "the one whose model wins more in the training part",
}
LOSSES = {"dpo": "DPO", "dual_clip_dpo": "dual clip"}
MARGINS = {"summed": "summed", "per_token": "per token"}
EXCLUDED = ("prompt_of_a_preference_set", "contains_a_prompt_of_a_preference_set")
HEAD = """# DPO and dual clip on real preferences

Generated from [benchmarks/results/{name}.json](../benchmarks/results/{name}.json) by
`python -m benchmarks.real_preferences --page`; the command without `--page` measures again.

A model of {parameters} parameters was taught on {taught:,} demonstrations of `pretrain_corpus`
({excluded:,} rows were or contained a prompt of the two sets and were left out) and then trained on
pairs that a checker (`gsm8k`) or GPT-4 (`ai_preferences`) decided. The figures are shares of
held-out pairs whose chosen response gets the higher reward, with 95 % intervals that draw prompts
and seeds again; no interval is corrected for there being many. A reward is the policy's minus the
reference's log-probability: summed over the response, as the losses have it, or per token.
Length-matched pairs differ by at most {matched:.0%} in tokens. The last shortcut is told who wrote
each response, and how often each of them won in the training part; the others learn nothing."""


def write_page(name: str) -> Path:
    """Write the page of the results `name`; what was tuned is added where there is a record."""
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    tuning = RESULTS / f"{name}_tuning.json"
    tuned = json.loads(tuning.read_text(encoding="utf-8")) if tuning.is_file() else None
    PAGE.write_text(render(result, tuned), encoding="utf-8")
    return PAGE


def render(result: Mapping[str, Any], tuned: Mapping[str, Any] | None) -> str:
    """The page of one result, and of the record of its tuning if there is one."""
    metrics = result["metrics"]
    rows = metrics["teaching"]["rows"]
    blocks = [
        HEAD.format(
            name=result["name"],
            parameters=f"{metrics['teaching']['parameters'] / 1e6:.1f} million",
            taught=rows["taught"],
            excluded=sum(rows.get(why, 0) for why in EXCLUDED),
            matched=metrics["plan"]["length_matched"],
        )
    ]
    for name, one in metrics["sets"].items():
        blocks += set_blocks(name, one)
    if tuned is not None:
        blocks += ["## Learning rates on dev", *tuning_blocks(tuned["metrics"]["sets"])]
    blocks.append(
        f"Measured at {result['commit']} on {result['machine']['cores']} cores "
        f"({result['machine']['cpu']}), {result['date'][:10]}."
    )
    return "\n\n".join(blocks) + "\n"


def set_blocks(name: str, one: Mapping[str, Any]) -> Iterator[str]:
    """Heading, sizes, table and sentences of one set."""
    counts = one["counts"]
    yield f"## {name}"
    yield (
        f"{counts['train_pairs']:,} pairs of {counts['train_prompts']} prompts to train on, "
        f"{counts['held_out_pairs']:,} of {counts['held_out_prompts']} held out; "
        f"{counts['longer_than_max_tokens']:,} were too long for the model and left out. "
        f"The taught model has {one['reference_nats_per_token']:.2f} nats on a token of a chosen "
        "response."
    )
    yield accuracy_table(one)
    for loss, figures in one["losses"].items():
        yield loss_sentences(loss, figures)
    if one["dual_clip_minus_dpo"] is not None:
        yield between_sentences(one["dual_clip_minus_dpo"])


def accuracy_table(one: Mapping[str, Any]) -> str:
    """A line for every shortcut, loss and margin; a column for every slice."""
    sizes = one["slices"]
    titles = [f"{title} (n={sizes[name]['pairs']:,})" for name, title in SLICES.items()]
    lines = [[f"*{SHORTCUTS[name]}*", *cells(some)] for name, some in one["shortcuts"].items()]
    for loss, figures in one["losses"].items():
        for kind, title in MARGINS.items():
            lines.append([f"**{LOSSES[loss]}**, {title}", *cells(figures["accuracy"][kind])])
    return table(["preferred is", *titles], lines)


def cells(by_slice: Mapping[str, Any]) -> list[str]:
    """The cells of the slices in a line."""
    return [share(by_slice[name]) for name in SLICES]


def share(found: Mapping[str, float] | None) -> str:
    """`0.53 [0.48, 0.58]`, or - where there is nothing."""
    return (
        "-" if found is None else f"{found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    )


def signed(found: Mapping[str, float]) -> str:
    """A difference with its sign and interval."""
    return f"{found['mean']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"


def loss_sentences(loss: str, figures: Mapping[str, Any]) -> str:
    """What a loss beats and what not, and what it did to the responses."""
    lines = [
        f"**{LOSSES[loss]}** (learning rate {figures['learning_rate']:g}, "
        f"{len(figures['seeds'])} seeds):"
    ]
    for name in ("all", "length_matched"):
        for kind, title in MARGINS.items():
            rivals = figures["against_shortcuts"][kind][name]
            lines.append(f"- {SLICES[name]}, {title}: {judgements(rivals)}.")
    moved, clipped = figures["drift_per_token"], figures["clipped_held_out"]
    correlations = figures["length_correlation"]
    lines.append(
        f"- Held-out log-probability moved by {signed(moved['chosen'])} nats per token of chosen "
        f"and {signed(moved['rejected'])} of rejected responses; {fell(moved['chosen'])}. Past the "
        f"dual clip's bounds are {share(clipped['chosen'])} of the chosen, "
        f"{share(clipped['rejected'])} of the rejected, {share(clipped['both'])} on both sides. "
        f"Rank correlation of margin and difference in length: {min(correlations):+.2f} to "
        f"{max(correlations):+.2f}."
    )
    return "\n".join([lines[0], "", *lines[1:]])


def fell(moved: Mapping[str, float]) -> str:
    """Whether the chosen responses became likelier."""
    if moved["high"] < 0:
        return "the chosen ones became less likely"
    if moved["low"] > 0:
        return "the chosen ones became likelier"
    return "whether the chosen ones became likelier is not decided"


def judgements(rivals: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Rivals by verdict, e.g. `above a coin (+0.050 [...]); not separated from the longer one`."""
    words = {"above": "above", "not separated": "not separated from", "below": "below"}
    found = []
    for name, wording in words.items():
        some = [
            f"{SHORTCUTS[rival]} ({signed(one)})"
            for rival, one in rivals.items()
            if one is not None and one["verdict"] == name
        ]
        if some:
            found.append(f"{wording} {', '.join(some)}")
    return "; ".join(found) if found else "no such pairs"


def between_sentences(differences: Mapping[str, Any]) -> str:
    """Whether the two losses can be told apart."""
    lines = ["**Dual clip minus DPO**, same pairs and seeds:", ""]
    for kind, title in MARGINS.items():
        for name in ("all", "length_matched"):
            one = differences["accuracy"][kind][name]
            if one is not None:
                lines.append(
                    f"- accuracy, {SLICES[name]}, {title}: {signed(one)}, {told_apart(one)}."
                )
    chosen = differences["drift_per_token"]["chosen"]
    lines.append(
        f"- chosen log-probability, nats per token: {signed(chosen)}, {told_apart(chosen)}."
    )
    return "\n".join(lines)


def told_apart(one: Mapping[str, Any]) -> str:
    """The verdict on a difference of the two losses."""
    return "does not separate them" if one["verdict"] == "not separated" else "separates them"


def tuning_blocks(sets: Mapping[str, Any]) -> Iterator[str]:
    """Dev accuracies by set; the best of each loss is what the study runs with."""
    for name, by_loss in sets.items():
        rates = sorted({rate for some in by_loss.values() for rate in some}, key=float)
        lines = [
            [LOSSES[loss], *(share(some.get(rate, {}).get("accuracy")) for rate in rates)]
            for loss, some in by_loss.items()
        ]
        yield table([f"{name}, dev accuracy at", *rates], lines)


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(head)
    ruled = [titles, ["---"] * len(titles), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled)
