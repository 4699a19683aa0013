"""`tso what-if`: a round's stored verdicts, corrected and paired by other settings."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from flows.cli.formats import UNSAFE
from flows.cli.log import change_shown
from flows.cli.show import stages_of
from flows.cli.terminal import clean, console
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.challenger import winning_config
from tasks.config import Config, build_config, plain_config
from tasks.errors import ConfigError
from tasks.imagine import imagined
from tasks.layers import with_overrides
from tasks.ledger.rounds import settings_changed
from tasks.ledger.what_if import Asked, Moved, WhatIf, what_if
from tasks.report.formatting import code_span
from tasks.rounds import committed_round, committed_rounds, resolve

FORMS = ("markdown", "json")
IMAGINED = ("correction", "pairs")
"""Sections that stored verdicts can be paired by anew."""
WORDS = {
    "stays": "stay as they are",
    "turned": "change sides",
    "appears": "appear",
    "vanishes": "vanish",
}


def show_what_if(
    source: str, preset: str, changes: Mapping[str, Any], examples: int, form: str
) -> None:
    """Print what `changes` would make of RUN@ROUND, for people or for programs."""
    if form not in FORMS:
        raise ConfigError(f"--as {form!r}: use one of {', '.join(FORMS)}")
    if examples < 0:
        raise ConfigError(f"--examples is {examples}; it must be 0 or more")
    run, round_index = _round_of(source)
    config, _ = resolve(preset, {})
    found = imagine(RunTree(open_store(config.storage), run), round_index, changes, examples)
    if form == "json":
        text = json.dumps(asdict(found), indent=1, ensure_ascii=False)
        sys.stdout.write(UNSAFE.sub(lambda one: f"\\u{ord(one[0]):04x}", text) + "\n")
        return
    for line in markdown(found):
        console().print(clean(line), soft_wrap=True, markup=False, highlight=False)


def _round_of(source: str) -> tuple[str, int]:
    run, at, number = source.rpartition("@")
    if not (run and at and number.isascii() and number.isdigit()):
        raise ConfigError(f"{source!r}: write RUN@ROUND, e.g. demo@3")
    return run, int(number)


def imagine(
    tree: RunTree, round_index: int, changes: Mapping[str, Any], examples: int = 5
) -> WhatIf:
    """What a committed round would be with `changes` (settings by dotted key).

    ConfigError for a setting that is not one of pairs or correction, or that would make no pairs.
    """
    _check(changes)
    run = tree.folder.rpartition("/")[2]
    recorded_config, place = committed_round(tree.store, run, round_index)
    manifest = committed_rounds(tree.store, run)[round_index]
    before = winning_config(recorded_config, manifest)
    recorded = plain_config(before)
    after = build_config(with_overrides(recorded, changes))
    _check_pairs(before, "makes")
    _check_pairs(after, "would make")
    stages = stages_of(tree, round_index)
    found = imagined(stages["pair"], stages.values(), after.correction, after.pairs, place)
    changed = settings_changed(recorded, plain_config(after))
    return what_if(Asked(run, round_index, changed, examples), *found)


def _check(changes: Mapping[str, Any]) -> None:
    if not changes:
        raise ConfigError("nothing to imagine; give a setting: --set pairs.rule.kind=best_vs_worst")
    for key in changes:
        if key.partition(".")[0] not in IMAGINED or key.startswith("pairs.labels"):
            raise ConfigError(
                f"--set {key}: only settings of correction and pairs (labels aside) can be tried "
                "on stored verdicts; anything else takes a round: `tso fork` and `tso run`"
            )


def _check_pairs(config: Config, makes: str) -> None:
    if config.pairs.rule is None:
        raise ConfigError(f"pairs.rule is null: the round {makes} no pairs to compare")


def markdown(found: WhatIf) -> Iterator[str]:
    """The answer, line by line."""
    yield f"# What if: {code_span(f'{found.run}@{found.round_index}')}"
    yield ""
    for change in found.changed:
        yield f"- {code_span(change_shown(change), 300)}"
    yield ""
    yield f"{found.would_be:,} pairs instead of {found.was:,}:"
    yield ""
    for fate, number in found.fates.items():
        yield f"- {number:,} {WORDS[fate]}{_surer(found) if fate == 'stays' else ''}"
    yield from _table(
        "Why", ("pairs", "", "reason as it is", "reason as it would be"),
        [(f"{one.pairs:,}", WORDS[one.fate], code_span(one.was), code_span(one.would_be))
         for one in found.reasons],
    )  # fmt: skip
    yield from _table(
        "Whose responses", ("pairs", "", "chosen", "rejected"),
        [(f"{one.pairs:,}", WORDS[one.fate], code_span(one.chosen), code_span(one.rejected))
         for one in found.cells],
    )  # fmt: skip
    yield from _table(
        "Counts of the stage", ("count", "is", "would be"),
        [(code_span(one.name), f"{one.was:,}", f"{one.would_be:,}") for one in found.counts],
    )  # fmt: skip
    yield from _table(
        "Examples", ("", "pair", "chosen", "rejected", "p(chosen)", "reasons"),
        [_example(one) for one in found.examples],
    )  # fmt: skip


def _surer(found: WhatIf) -> str:
    if not (found.surer or found.less_sure):
        return ""
    return f", {found.surer:,} of them surer and {found.less_sure:,} less sure"


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """A table under a heading; nothing without rows."""
    if not rows:
        return
    yield f"\n## {title}\n"
    yield f"| {' | '.join(heads)} |"
    yield "|" + ":--|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _example(one: Moved) -> tuple[str, ...]:
    probabilities = (one.p_was, one.p_would_be)
    arrow = " \N{RIGHTWARDS ARROW} "
    return (
        WORDS[one.fate],
        code_span(one.pair_id) if one.pair_id else "new",
        code_span(one.chosen_id),
        code_span(one.rejected_id),
        arrow.join("\N{EN DASH}" if p is None else f"{p:.2f}" for p in probabilities),
        f"{code_span(one.was)}{arrow}{code_span(one.would_be)}",
    )
