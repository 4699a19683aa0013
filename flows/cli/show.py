"""`tso show`: what a run's rounds left, and the rows of any stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.table import Table

from flows.cli.formats import checked_form, print_rows
from flows.cli.rows import Texts, chosen_columns, matching, rows_of
from flows.cli.terminal import clean, console
from infra.artifacts import MANIFEST, Finished, open_artifact, read_stage
from infra.run_tree import RunTree
from infra.storage import Store, open_store
from tasks.agreement.known import FeedbackQuality
from tasks.agreement.settings import AGREEMENT
from tasks.errors import ConfigError, DataError
from tasks.findings import Finding
from tasks.records import Artifact
from tasks.refresh import training_findings
from tasks.report.feedback import in_words
from tasks.retiring import Retired
from tasks.rounds import resolve

SHOWN_ROWS = 20
"""Rows for people, unless they ask for more; for programs, all."""
WHOLE = (AGREEMENT,)
"""Roles whose rows are few and belong together."""
FOR_PROGRAMS = ("json", "csv")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which rows are to be shown, and how."""

    table: str = "rows"
    """Name of the stage's table."""
    rows: int | None = None
    """At most so many."""
    where: tuple[str, ...] = ()
    """`column=value` that all hold."""
    columns: tuple[str, ...] = ()
    """These only, in this order."""
    form: str = "table"
    """table, text, json or csv."""
    whole: bool = False
    """Whether people get all rows, too, unless they say how many."""

    def __post_init__(self) -> None:
        checked_form(self.form)
        if self.rows is not None and self.rows < 0:
            raise ConfigError(f"--rows is {self.rows}; it must be 0 or more")

    @property
    def limit(self) -> int | None:
        """Rows to show; None for all."""
        default = None if self.form in FOR_PROGRAMS or self.whole else SHOWN_ROWS
        return default if self.rows is None else self.rows


def show_uri(uri: str, asked: Asked) -> None:
    """Show rows of the stage whose manifest (or folder) is at `uri`; the store is known by it."""
    root, _, tail = uri.rpartition("/stages/")
    store = open_store(root)
    folder = f"stages/{tail.removesuffix(f'/{MANIFEST}').rstrip('/')}"
    try:
        stage = read_stage(store, folder)
    except FileNotFoundError as error:
        raise DataError(f"no finished stage at {store.uri(folder)}; check the address") from error
    _show_stage(stage, Texts([]), asked)


def show_run(
    name: str,
    preset: str,
    overrides: Mapping[str, Any],
    round_index: int | None,
    role: str | None,
    asked: Asked,
) -> None:
    """Show what the rounds of run `name` left, or rows of one of them."""
    config, _ = resolve(preset, overrides)
    tree = RunTree(open_store(config.storage), name)
    rounds = _rounds(tree)
    if round_index is not None and round_index not in rounds:
        raise ConfigError(f"run {name!r} has no round {round_index}; it has: {_listed(rounds)}")
    if round_index is None or role is None:
        _show_rounds(tree, rounds if round_index is None else [round_index])
        return
    stages = stages_of(tree, round_index)
    if role not in stages:
        raise ConfigError(
            f"round {round_index} of {name!r} has no {role!r}; it has: {_listed(stages)}"
        )
    asked = replace(asked, whole=role in WHOLE)
    _show_stage(open_artifact(tree.store, stages[role]), Texts(_opened(tree.store, stages)), asked)
    if asked.form in FOR_PROGRAMS:
        return
    if role == "train":
        _show_findings(training_findings(tree.store, stages))
    elif role == AGREEMENT:
        _show_objections(tree.read_round(round_index, f"{AGREEMENT}.json") or {})


def _rounds(tree: RunTree) -> list[int]:
    """Rounds that are committed or begun; ConfigError if there is no such run."""
    committed = len(tree.manifests())
    begun = tree.read_round(committed, "config.json") is not None
    rounds = list(range(committed + begun))
    if not rounds:
        name = tree.folder.rpartition("/")[2]
        raise ConfigError(f"no round of run {name!r} is begun in {tree.store.root}")
    return rounds


def stages_of(tree: RunTree, round_index: int) -> dict[str, Artifact]:
    """The finished stages of a round by role."""
    manifest = tree.read_round(round_index, "manifest.json")
    if manifest is not None:
        return {role: Artifact(**one) for role, one in manifest["artifacts"].items()}
    found = {role: tree.pointer(round_index, role) for role in tree.roles_done(round_index)}
    return {role: Artifact(**one) for role, one in found.items() if one}


def _opened(store: Store, stages: Mapping[str, Artifact]) -> list[Finished]:
    return [
        open_artifact(store, one)
        for role, one in stages.items()
        if role.startswith(("collect", "sample", "annotate", "transform"))
    ]


def _show_rounds(tree: RunTree, rounds: Sequence[int]) -> None:
    table = Table(title=f"run {tree.folder.rpartition('/')[2]}", title_justify="left")
    for heading in ("round", "role", "rows", "tables", "counts"):
        right = heading in ("round", "rows")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for index in rounds:
        for role, artifact in stages_of(tree, index).items():
            stage = open_artifact(tree.store, artifact)
            others = [name for name in stage.manifest["tables"] if name != "rows"]
            row = (str(index), role, f"{artifact.rows:,}", ", ".join(others), said(stage.counts))
            table.add_row(*map(clean, row))
        table.add_section()
    console().print(table)
    for one in retired_by(tree, rounds[-1]):
        console().print(clean(f"retired: {one.cell}, after round {one.after_round}: {one.why}"))


def retired_by(tree: RunTree, round_index: int) -> list[Retired]:
    """The cells that are asked for nothing after a round; none while it is not committed."""
    manifest = tree.read_round(round_index, "manifest.json") or {}
    return [Retired(**row) for row in manifest.get("retired", [])]


def said(values: Mapping[str, Any]) -> str:
    """`values` in one line, zeros left out."""
    return ", ".join(f"{key} {value}" for key, value in values.items() if value != 0)


def _show_stage(stage: Finished, texts: Texts, asked: Asked) -> None:
    rows, usual = rows_of(stage, asked.table, texts)
    rows = matching(rows, asked.where)
    shown = rows if asked.limit is None else rows[: asked.limit]
    for_people = asked.form not in FOR_PROGRAMS
    columns = chosen_columns(rows, asked.columns, usual if for_people else ())
    if for_people:
        out = console()
        out.print(clean(stage.artifact.uri), soft_wrap=True)
        for heading, facts in (("facts", stage.facts), ("counts", stage.counts)):
            if facts:
                out.print(clean(f"{heading}: {said(facts)}"))
        out.print(f"table {asked.table}: {len(shown):,} of {len(rows):,} rows")
    print_rows([{name: row[name] for name in columns} for row in shown], columns, asked.form)


def _show_findings(findings: Sequence[Finding]) -> None:
    """What the diagnosis says of a training, a paragraph for each finding."""
    for one in findings:
        said = f"{one.seen} {one.meaning} Next step: {one.next_step}"
        console().print(clean(f"\n{one.level}: {one.title}\n{said}"))


def _show_objections(known: Mapping[str, Any]) -> None:
    """What floors and ceilings object to, and what changed beyond chance since earlier rounds."""
    quality = FeedbackQuality.of(known)
    for breach in quality.breaches:
        console().print(clean(f"{'stop' if breach.stops else 'warn'}: {breach.sentence}"))
    for change in in_words(quality.drift):
        console().print(clean(f"changed beyond chance: {change}"))


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "nothing"
