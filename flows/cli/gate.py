"""`tso gate` and `tso rollback`: what the gate saw, and what people decide after it."""

import getpass
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from flows.cli.terminal import console
from infra.decisions import between_rounds
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.comparing import Compared
from tasks.decisions import Decision, History
from tasks.errors import ConfigError
from tasks.gate import slices_seen
from tasks.rounds import resolve

COLUMNS = ("slice", "n", "policy - reference", "interval", "p worse", "would see", "n needed")
Action = Literal["promote", "refuse", "rollback"]


def show_gate(
    name: str, round_index: int | None, preset: str, overrides: Mapping[str, Any]
) -> None:
    """Print what the gate saw and said, and what people decided after it."""
    tree = _tree(name, preset, overrides)
    history = _history(tree, name)
    index = len(history.manifests) - 1 if round_index is None else round_index
    if index not in range(len(history.manifests)):
        raise ConfigError(
            f"round {index} of run {name!r} is not committed; {len(history.manifests)} rounds are"
        )
    out = console()
    _print_outcome(out, history, index)
    for one in tree.decisions()[index]:
        out.print(said(Decision(**one)), soft_wrap=True)
    out.print(f"the next round starts from {history.reference_after(index)['sha256'][:12]}")


def _print_outcome(out: Console, history: History, index: int) -> None:
    gate = history.manifests[index]["gate"]
    table = Table(title=f"round {index}: {gate['outcome']}", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "slice" else "right")
    for name, one in slices_seen(gate).items():
        table.add_row(name, *_cells(one))
    if table.rows:
        out.print(table)
    else:
        out.print(f"round {index}: {gate['outcome']}")
    for reason in gate.get("reasons", []):
        out.print(reason, soft_wrap=True)


def _cells(one: Compared) -> list[str]:
    return [
        str(one.n),
        _number(one.estimate, "+.3f"),
        "" if one.low is None else f"{one.low:+.3f} to {one.high:+.3f}",
        _number(one.p_worse, ".3f"),
        _number(one.minimum_detectable, ".3f"),
        f"{one.n_needed:,}",
    ]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def said(decision: Decision) -> str:
    """A decision in words."""
    done = {
        "promote": "promoted the policy",
        "refuse": "refused the policy",
        "rollback": f"went back to what came out of round {decision.to_round}",
    }[decision.action]
    return f"{decision.at[:16]}: {decision.by} {done}: {decision.reason}"


def overrule(
    name: str,
    round_index: int | None,
    action: Literal["promote", "refuse"],
    why: tuple[str, str],
    preset: str,
    overrides: Mapping[str, Any],
) -> None:
    """Decide over the gate's word; `why` is the reason and who decides."""
    tree = _tree(name, preset, overrides)
    with between_rounds(tree) as newest:
        index = newest if round_index is None else round_index
        reference = _history(tree, name).overruling(index, action)
        _take(tree, index, _decision(action, why, reference))


def roll_back(
    name: str,
    to_round: int,
    why: tuple[str, str],
    preset: str,
    overrides: Mapping[str, Any],
) -> None:
    """Let the next round start from what came out of an earlier one."""
    tree = _tree(name, preset, overrides)
    with between_rounds(tree) as newest:
        reference = _history(tree, name).rolled_back(to_round)
        _take(tree, newest, _decision("rollback", why, reference, to_round))


def _decision(
    action: Action, why: tuple[str, str], reference: dict[str, Any], to_round: int | None = None
) -> Decision:
    reason, by = why
    if not reason.strip():
        raise ConfigError("a decision needs a reason: --reason 'what you saw'")
    return Decision(
        action=action,
        reason=reason.strip(),
        by=by or getpass.getuser(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        reference=reference,
        to_round=to_round,
    )


def _take(tree: RunTree, round_index: int, decision: Decision) -> None:
    tree.add_decision(round_index, asdict(decision))
    out = console()
    out.print(said(decision), soft_wrap=True)
    out.print(
        f"round {round_index + 1} starts from {decision.reference['sha256'][:12]}; rounds 0 to "
        f"{round_index} stay as they are"
    )
    if tree.store.list(f"{tree.round_folder(round_index + 1)}/stages"):
        out.print("it had begun: what it did with another reference is left aside")


def _tree(name: str, preset: str, overrides: Mapping[str, Any]) -> RunTree:
    config, _ = resolve(preset, overrides)
    return RunTree(open_store(config.storage), name)


def _history(tree: RunTree, name: str) -> History:
    manifests = tree.manifests()
    if not manifests:
        raise ConfigError(f"no round of run {name!r} is committed in {tree.store.root}")
    return History(manifests, tree.decisions())
