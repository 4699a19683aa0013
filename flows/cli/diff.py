"""`tso diff`: what changed between two rounds."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.cli.formats import UNSAFE
from flows.cli.log import change_shown
from flows.cli.terminal import clean, console
from flows.cli.turned import turned_lines
from infra.artifacts import open_artifact
from infra.run_tree import RunTree
from infra.storage import Store, open_store
from tasks.errors import ConfigError
from tasks.ledger.difference import (
    Difference,
    FigureChange,
    FigureSide,
    count_changes,
    figure_changes,
    pairs_change,
    stage_changes,
    values_of,
)
from tasks.ledger.rounds import RoundFacts, settings_changed
from tasks.measuring import Measured
from tasks.records import Artifact, PreferencePair
from tasks.refresh import facts_of
from tasks.report.formatting import figure as number_shown
from tasks.report.formatting import signed
from tasks.rounds import resolve
from tasks.tables import from_table

FORMS = ("text", "json")
STATES = {
    "same": "one stage for both",
    "equal": "done twice, equal rows",
    "new": "in the second alone",
    "gone": "in the first alone",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be shown."""

    slices: bool = False
    """Figures of every slice."""
    pairs: int = 5
    """Turned pairs, at most."""
    form: str = "text"
    """text or json."""

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ConfigError(f"--as {self.form!r}: use one of {', '.join(FORMS)}")


def show_diff(
    before: str, after: str, preset: str, overrides: Mapping[str, Any], asked: Asked
) -> None:
    """Compare the rounds RUN@ROUND `before` and `after`, which lie in one store."""
    config, _ = resolve(preset, overrides)
    store = open_store(config.storage)
    run, first = round_named(before, "")
    names = [(run, first), round_named(after, run)]
    rounds = [_facts(store, *one) for one in names]
    made = difference(store, rounds[0], rounds[1], slices=asked.slices)
    if asked.form == "json":
        text = json.dumps(asdict(made), indent=1, ensure_ascii=False)
        sys.stdout.write(UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")
        return
    out = console()
    _print(out, [f"{name}@{index}" for name, index in names], made)
    for line in turned_lines(store, rounds, made.pairs.turned[: asked.pairs]):
        _say(out, line)


def round_named(text: str, run: str) -> tuple[str, int]:
    """Run and round of RUN@ROUND; @ROUND is one of `run`."""
    name, at, number = text.rpartition("@")
    if not (at and (name or run) and number.isascii() and number.isdigit()):
        raise ConfigError(f"{text!r}: write RUN@ROUND, e.g. demo@3, or @4 after it")
    return name or run, int(number)


def _facts(store: Store, run: str, round_index: int) -> RoundFacts:
    tree = RunTree(store, run)
    manifest = tree.read_round(round_index, "manifest.json")
    if manifest is None:
        raise ConfigError(f"round {round_index} of run {run!r} is not committed in {store.root}")
    return facts_of(tree, manifest)


def difference(
    store: Store, before: RoundFacts, after: RoundFacts, *, slices: bool = False
) -> Difference:
    """Everything that differs between two rounds of one store."""
    both = (before, after)
    return Difference(
        settings=settings_changed(before.config, after.config),
        code=[one.code for one in both],
        outcomes=[one.outcome for one in both],
        references=[one.reference_in for one in both],
        policies=[one.policy for one in both],
        stages=stage_changes(*(_keys(store, one) for one in both)),
        counts=count_changes(before, after),
        figures=figure_changes(
            *(
                FigureSide(one, values_of(_rows(store, one, "evaluate", "values", Measured)))
                for one in both
            ),
            slices=slices,
        ),
        pairs=pairs_change(*(_pairs(store, one) for one in both)),
    )


def _keys(store: Store, facts: RoundFacts) -> dict[str, dict[str, Any]]:
    """Content and key of every stage of a round, by role."""
    found = {}
    for role, one in facts.manifest["artifacts"].items():
        stage = open_artifact(store, Artifact(**one))
        found[role] = {"content": one["content"], "key": stage.manifest["key"]}
    return found


def _pairs(store: Store, facts: RoundFacts) -> list[PreferencePair]:
    return [
        row
        for name in ("rows", "held_out")
        for row in _rows(store, facts, "pair", name, PreferencePair)
    ]


def _rows(store: Store, facts: RoundFacts, role: str, name: str, record: type) -> list[Any]:
    """A table of a stage of the round; empty where the round has no such stage."""
    artifact = facts.manifest["artifacts"].get(role)
    if artifact is None:
        return []
    return list(from_table(record, open_artifact(store, Artifact(**artifact)).table(name)))


def _print(out: Console, names: list[str], made: Difference) -> None:
    before, after = names
    for label, values in (
        ("gate", made.outcomes),
        ("reference", [one[:12] for one in made.references]),
        ("policy", [one[:12] for one in made.policies]),
        ("code", [", ".join(one) or "not noted" for one in made.code]),
    ):
        said = values[0] if values[0] == values[1] else " \N{RIGHTWARDS ARROW} ".join(values)
        _say(out, f"{label}: {said}")
    _say(out, "settings: " + ("the same" if not made.settings else ""))
    for change in made.settings:
        _say(out, f"  {change_shown(change)}")
    _print_stages(out, made)
    table = Table("count", before, after, "change", title="Data", title_justify="left")
    for one in made.counts:
        moved = f"{one.after - one.before:+,}"
        table.add_row(clean(f"{one.role} {one.name}"), f"{one.before:,}", f"{one.after:,}", moved)
    out.print(table)
    _print_figures(out, names, made)
    _say(out, _pairs_line(made))


def _print_stages(out: Console, made: Difference) -> None:
    by_state: dict[str, list[str]] = {}
    for one in made.stages:
        if one.state != "other":
            by_state.setdefault(one.state, []).append(one.role)
    for state, roles in by_state.items():
        _say(out, f"stages, {STATES[state]}: {', '.join(roles)}")
    for one in made.stages:
        if one.state == "other":
            _say(out, f"stage {one.role} differs: {_because(one.because)}")


def _because(parts: Sequence[str]) -> str:
    """Parts of a key, what the stage read told in short: its inputs differ because others do."""
    own = [one for one in parts if not one.startswith("inputs.")]
    read = [one.removeprefix("inputs.").partition("-")[0] for one in parts if one not in own]
    inputs = [f"it read other {', '.join(dict.fromkeys(read))}"] if read else []
    return ", ".join([*own, *inputs])


def _print_figures(out: Console, names: list[str], made: Difference) -> None:
    headings = ("metric", "slice", *names, "difference", "95 %", "n", "")
    table = Table(*headings, title="Figures of the policy", title_justify="left")
    for one in made.figures:
        table.add_row(*(clean(value) for value in _figure_row(one)))
    out.print(table)
    alone = [one.metric for one in made.figures if not one.paired]
    if alone:
        said = ", ".join(dict.fromkeys(alone))
        _say(out, f"not paired prompt by prompt, so two independent means: {said}")
    if any(one.beyond_chance for one in made.figures):
        _say(out, f"* beyond chance, Holm-corrected over {len(made.figures)} figures")


def _figure_row(one: FigureChange) -> tuple[str, ...]:
    ends = (
        f"{signed(one.low)} to {signed(one.high)}" if math.isfinite(one.low) else "not measurable"
    )
    return (
        one.metric,
        one.slice,
        number_shown(one.before),
        number_shown(one.after),
        signed(one.difference) + ("*" if one.beyond_chance else ""),
        ends,
        f"{one.n:,}",
        one.note,
    )


def _pairs_line(made: Difference) -> str:
    pairs = made.pairs
    return (
        f"pairs: {pairs.before:,} and {pairs.after:,}; {pairs.same:,} in both, {pairs.gone:,} "
        f"only in the first, {pairs.new:,} only in the second, {len(pairs.turned):,} turned round; "
        f"{pairs.prompts_in_both:,} prompts have pairs in both"
    )


def _say(out: Console, line: str) -> None:
    out.print(clean(line), soft_wrap=True)
