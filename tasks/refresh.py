"""Door: the gate decides on the next reference; report and round manifest are written."""

from collections import Counter
from dataclasses import asdict, replace
from typing import Any, NamedTuple, TypeVar

from infra.place import (
    blocks_of,
    counts_of,
    records_of,
    spent_by,
    store_of,
    table_of,
    tables_in,
)
from infra.place import facts_of as stage_facts
from infra.prefect.door import door
from infra.prefect.events import announce_round
from infra.prefect.reports import publish_report, publish_rounds
from infra.run_tree import REPORT, RunTree
from tasks.bradley_terry import Vote, fit_votes, votes_of
from tasks.canonical import digest
from tasks.config import Config, plain_config
from tasks.config_evaluation import RefreshSection
from tasks.decisions import History
from tasks.early_stop import why_flat
from tasks.errors import ConfigError
from tasks.gate import GateOutcome, not_measured
from tasks.labelling import LABEL_TABLES
from tasks.matches import matches_of, pair_cells, pairs_between
from tasks.measuring import Measured, guarded_slices
from tasks.quotas import used_responses, usefulness
from tasks.records import (
    Artifact,
    Checkpoint,
    EvalReport,
    Label,
    Place,
    PreferencePair,
    Response,
    RoundWork,
    Verdict,
)
from tasks.refresh_report import round_data, training_findings
from tasks.refresh_rounds import facts_of, rounds_of, run_data
from tasks.report.render import html, markdown
from tasks.report.render_run import run_html, run_markdown
from tasks.retiring import (
    NO_CONTRIBUTION,
    Contribution,
    contribution_rows,
    contributions,
    retired_after,
)

__all__ = ["facts_of", "refresh", "report_page", "rounds_of", "run_page", "training_findings"]

MAIN_SLICE = "all"
Row = TypeVar("Row", Response, Verdict, PreferencePair)


@door("refresh", retries=1)
def refresh(work: RoundWork, config: Config, place: Place) -> Checkpoint:
    """Let the gate decide, write the round's report, and commit the round by its manifest.

    Returns the next round's reference.
    """
    tree = RunTree(store_of(place), place.run)
    outcome = _decide(work, config, place)
    reference = work.trained.policy if outcome.refreshes else place.reference
    artifacts = _artifacts(tree, work, place)
    report_path = f"{tree.round_folder(place.round_index)}/{REPORT}"
    page = store_of(place).uri(report_path)
    standing = _standing(work, artifacts["pair"], place)
    manifest = {
        "run": place.run,
        "round_index": place.round_index,
        "artifacts": {role: asdict(one) for role, one in artifacts.items()},
        "config": digest(plain_config(config)),
        "seed": place.seed,
        "redo": place.redo,
        "reference_in": asdict(place.reference),
        "policy": asdict(work.trained.policy),
        "reference_out": asdict(reference),
        **_estimator(artifacts, place),
        "gate": asdict(outcome),
        **({"contest": asdict(work.contest)} if work.contest else {}),
        **({} if work.report else {"measured": False}),
        "strengths": _strengths(standing, place),
        "matches": [asdict(one) for one in matches_of(standing.votes)],
        "pair_cells": [asdict(one) for one in pair_cells(standing.between)],
        **_uses(standing, tree, config, place),
        "figures": _figures(work, place),
        "findings": [asdict(one) for one in training_findings(tree.store, artifacts)],
        "counts": {role: counts_of(place, one) for role, one in artifacts.items()},
        "spent_usd": spent_by(tree.store, place.run).usd(place.round_index),
        "report": page,
    }
    data = round_data(tree, manifest, config, place)
    store_of(place).write(report_path, html(data).encode())
    publish_report(place.run, place.round_index, markdown(data), page)
    if work.report is not None:
        _publish_run(tree, manifest, place)
    tree.write_round(place.round_index, "manifest.json", manifest)
    announce_round(manifest, f"{page.removesuffix(REPORT)}manifest.json")
    return reference


def _publish_run(tree: RunTree, manifest: dict[str, Any], place: Place) -> None:
    """The page of the whole run, which grows with each round: where there are new figures."""
    run = run_data(tree, manifest)
    page = f"{tree.folder}/{REPORT}"
    store_of(place).write(page, run_html(run).encode())
    publish_rounds(place.run, run_markdown(run), store_of(place).uri(page))


def run_page(tree: RunTree, *, linked: bool) -> str:
    """The page of a run, made again; `linked` where the pages of its rounds lie below it."""
    return run_html(replace(run_data(tree), linked=linked))


def report_page(config: Config, place: Place, *, linked: bool = True) -> str:
    """The report of a committed round as it was written, made again from the round's stages.

    `config` and `place` are the round's (`tasks.rounds.committed_round`).
    """
    tree = RunTree(store_of(place), place.run)
    manifest = tree.read_round(place.round_index, "manifest.json")
    if manifest is None:
        raise ConfigError(f"round {place.round_index} of run {place.run!r} is not committed")
    manifest = {"findings": _findings_again(tree, manifest), **manifest}
    return html(round_data(tree, manifest, config, place), linked=linked)


def _findings_again(tree: RunTree, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """What the diagnosis says of a training whose manifest does not: older ones had no findings."""
    if "findings" in manifest:
        return list(manifest["findings"])
    stages = {role: Artifact(**one) for role, one in manifest["artifacts"].items()}
    return [asdict(one) for one in training_findings(tree.store, stages)]


def flattened(settings: RefreshSection, place: Place) -> str:
    """Why the run needs no round at `place`, in words; empty if it does."""
    if settings.early_stop is None:
        return ""
    tree = RunTree(store_of(place), place.run)
    history = History(tree.manifests()[: place.round_index], tree.decisions())
    return why_flat(history, settings.early_stop)


def _decide(work: RoundWork, config: Config, place: Place) -> GateOutcome:
    if work.report is None:
        return not_measured(config.evaluation.every, place.round_index)
    measured = records_of(place, Measured, work.report.artifact, "values")
    outcome: GateOutcome = config.refresh.gate(guarded_slices(measured, config.refresh.guards))
    return outcome


def _artifacts(tree: RunTree, work: RoundWork, place: Place) -> dict[str, Artifact]:
    """Every finished stage of the round, by role; of two recipes, the winner's have the name.

    The loser's keep their own: challenger-train; those of a round without two recipes give way.
    """
    own = f"{work.contest.winner}-" if work.contest else ""
    roles = tree.roles_done(place.round_index)
    read = ((role, tree.pointer(place.round_index, role, place.redo)) for role in roles)
    named = {role: Artifact(**pointer) for role, pointer in read if pointer}
    others_first = sorted(named, key=lambda role: bool(own) and role.startswith(own))
    return {role.removeprefix(own): named[role] for role in others_first}


def _estimator(artifacts: dict[str, Artifact], place: Place) -> dict[str, Any]:
    """The reward model that the round's estimator has become; nothing where it is none."""
    artifact = artifacts.get("estimate-model")
    if artifact is None:
        return {}
    facts = stage_facts(place, artifact)
    names = ("sha256", "base", "step", "tokenizer", "template")
    model = Checkpoint(uri=artifact.uri, **{name: facts[name] for name in names})
    return {"estimator": asdict(model)}


class _Standing(NamedTuple):
    """What verdicts and pairs say of the round's cells."""

    votes: Counter[Vote]
    """Of verdicts of judges and people on responses of two cells."""
    between: Counter[tuple[str, str]]
    """Pairs by the cells of the chosen and of the rejected response."""
    cells: set[str]
    """Those that models, not people, answer for."""
    contributions: dict[str, Contribution]
    used: dict[str, tuple[int, int]]
    """Responses of each cell that are in pairs or have labels, and all of them."""


def _standing(work: RoundWork, pairs: Artifact, place: Place) -> _Standing:
    """One pass over what cells and people wrote for the round's own prompts, and what came of it.

    `pairs` are those that were made of it, not trained on ones too; what transforms made of them
    does not count, and what was replayed has counted in its own round.
    """
    found = _Standing(Counter(), Counter(), set(), {}, {})
    feedback = work.feedback
    own = set(table_of(place, work.prompts.train).column("prompt_id").to_pylist())
    tables: dict[str, Any] = {
        "responses": feedback.responses,
        "verdicts": feedback.verdicts,
        "pairs": pairs,
        "held_out": (pairs, "held_out"),
    }
    labelled = [one for one in LABEL_TABLES if one in tables_in(place, pairs)]
    tables |= {name: (pairs, name) for name in labelled}
    with blocks_of(place, "responses", **tables) as blocks:
        for block in blocks:
            responses = [
                row
                for row in _about(own, block.records(Response, "responses"))
                if row.cell in place.strengths or row.origin == "human"
            ]
            cells = {row.response_id: row.cell for row in responses}
            found.cells.update(row.cell for row in responses if row.origin != "human")
            found.votes.update(votes_of(_about(own, block.records(Verdict, "verdicts")), cells))
            made = [
                row
                for name in ("pairs", "held_out")
                for row in _about(own, block.records(PreferencePair, name))
            ]
            found.between.update(pairs_between(made, cells))
            for cell, one in contributions(responses, made).items():
                sofar = found.contributions.get(cell, NO_CONTRIBUTION)
                found.contributions[cell] = sofar + one
            labels = [row for name in labelled for row in block.records(Label, name)]
            for cell, (used, all_) in used_responses(responses, [*made, *labels]).items():
                before = found.used.get(cell, (0, 0))
                found.used[cell] = (before[0] + used, before[1] + all_)
    return found


def _about(prompt_ids: set[str], rows: list[Row]) -> list[Row]:
    """Those of `rows` that are about these prompts."""
    return [row for row in rows if row.prompt_id in prompt_ids]


def _strengths(standing: _Standing, place: Place) -> dict[str, float]:
    """Strengths for the next round: fitted where every cell was judged, else as they were."""
    votes = {
        vote: number
        for vote, number in standing.votes.items()
        if vote[0] in standing.cells and vote[1] in standing.cells
    }
    fitted = fit_votes(votes, standing.cells)
    if any(not one.num_verdicts for one in fitted.values()):
        return place.strengths
    return place.strengths | {cell: round(one.value, 6) for cell, one in fitted.items()}


def _uses(standing: _Standing, tree: RunTree, config: Config, place: Place) -> dict[str, Any]:
    """What the next round's quotas follow."""
    now = {
        "round_index": place.round_index,
        "contributions": contribution_rows(dict(sorted(standing.contributions.items())), config),
    }
    gone = retired_after(config, [*tree.manifests()[: place.round_index], now])
    return {
        "usefulness": usefulness(standing.used),
        "contributions": now["contributions"],
        "retired": [asdict(one) for one in gone],
    }


def _figures(work: RoundWork, place: Place) -> dict[str, float]:
    """The policy's main figures: each metric over all prompts; none where it is not measured."""
    if work.report is None:
        return {}
    sha256 = work.trained.policy.sha256
    return {
        row.metric: row.value
        for row in records_of(place, EvalReport, work.report.artifact)
        if row.checkpoint == sha256 and row.slice == MAIN_SLICE
    }
