"""`tso why` for a label: from a single response to who said what of it."""

from collections.abc import Iterator

import pyarrow.compute as pc
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from flows.cli.evidence import RoundEvidence
from flows.cli.pair_lookup import LEAST_DIGITS, Found, rounds_of, rows_where
from flows.cli.rows import conversation
from flows.cli.show import stages_of
from flows.cli.terminal import clean
from infra.artifacts import open_artifact
from infra.run_tree import RunTree
from infra.storage import Store
from tasks.errors import ConfigError
from tasks.labelling import HELD_OUT_LABELS, LABEL_TABLES
from tasks.ledger.label_trail import LabelTrail
from tasks.records import Artifact, Label, Preference, Verdict
from tasks.tables import from_table


def why_label(tree: RunTree, asked: str, round_index: int | None = None) -> LabelTrail | None:
    """What led to the label of a response, by its id or the id's beginning, in the newest round.

    None where no round has a label of such a response. ConfigError if several responses begin so.
    """
    for index in rounds_of(tree, round_index):
        stages = stages_of(tree, index)
        found = {
            one.response_id: (one, name)
            for name in LABEL_TABLES
            for one in _beginning(tree.store, stages["pair"], name, asked)
        }
        if len(found) > 1:
            listed = ", ".join(sorted(found)[:5])
            raise ConfigError(
                f"{asked!r} begins several labelled responses of round {index}: {listed}; give "
                "more digits"
            )
        for label, name in found.values():
            return _trail(tree, index, stages, label, held_out=name == HELD_OUT_LABELS)
    return None


def _beginning(store: Store, made: Artifact, name: str, asked: str) -> Iterator[Label]:
    """The labels of a table whose response begins so; none where the stage has no such table."""
    stage = open_artifact(store, made)
    if name not in stage.manifest["tables"] or len(asked) < LEAST_DIGITS:
        return
    with stage.opened(name) as table:
        for rows in table.groups():
            some = rows.filter(pc.starts_with(rows.column("response_id"), asked))
            yield from from_table(Label, some)


def _trail(
    tree: RunTree, index: int, stages: dict[str, Artifact], label: Label, *, held_out: bool
) -> LabelTrail:
    store, response_id = tree.store, label.response_id
    evidence = RoundEvidence(tree, Found(index, stages, (response_id, ""), None, held_out))
    author = evidence.author("response", response_id)
    opinions = [
        (one, "rows")
        for role, one in stages.items()
        if role == "annotate" or (role.startswith("judge-") and role.endswith("-train"))
    ]
    alone = {"a_id": {response_id}, "b_id": {""}}
    scores = list(rows_where(store, Verdict, opinions, alone))
    believed = [(stages["pair"], "preferences")]
    return LabelTrail(
        run=tree.folder.rpartition("/")[2],
        round_index=index,
        label=label,
        held_out=held_out,
        prompt=evidence.prompt(label.prompt_id),
        author=author,
        scores=scores,
        comparisons=[
            one
            for side in ("a_id", "b_id")
            for one in rows_where(store, Preference, believed, {side: {response_id}})
        ],
        models=evidence.scores([author]),
        training=evidence.training(),
        stages=evidence.concerned(
            [author], {one.annotator for one in scores if one.annotator_kind == "judge"}
        ),
    )


def print_label(out: Console, known: LabelTrail) -> None:
    """Prompt and response first, then what was said of it, and what became of it."""
    label = known.label
    kept = "held out to measure the policy" if known.held_out else "given to training"
    _say(
        out,
        f"run {known.run}, round {known.round_index}: label of response {label.response_id} by "
        f"rule {label.rule}: wanted {label.desirable:.2f}, weight {label.weight:.2f} of its "
        f"prompt; {kept}",
    )
    out.print(Panel(Text(clean(conversation(known.prompt.messages))), title="prompt"))
    title = clean(f"response of {known.author.response.cell}, {known.author.model}")
    out.print(Panel(Text(clean(known.author.response.text)), title=title))
    for line in _opinions(known):
        _say(out, line)
    for one in known.models:
        for side, logp in one.logps.items():
            _say(out, f"{one.by}: logp {logp:.2f} nats over {one.tokens[side]} tokens")
    _say(out, f"training: {known.training}")
    for role, uri in known.stages.items():
        _say(out, f"{role}: {uri}")


def _opinions(known: LabelTrail) -> Iterator[str]:
    """Scores and thumbs first, then comparisons."""
    for one in known.scores:
        said = "unparsed" if one.score is None else f"{one.score:g} on the scale {one.scale}"
        yield f"{one.annotator} ({one.annotator_kind}): {said}"
    for row in known.comparisons:
        own_is_b = row.b_id == known.label.response_id
        other = row.a_id if own_is_b else row.b_id
        p = row.p_b_wins if own_is_b else 1 - row.p_b_wins
        told = "dropped" if row.outcome == "dropped" else f"wins with {p:.2f}"
        yield f"against {other}: {told} ({row.reason}, decided by {row.decided_by})"


def _say(out: Console, line: str) -> None:
    out.print(clean(line), soft_wrap=True)
