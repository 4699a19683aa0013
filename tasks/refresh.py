"""Door: the gate decides on the next reference; report and round manifest are written."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from infra.artifacts import Finished, open_artifact
from infra.place import counts_of, records_of, side_of, spent_by, store_of, table_of
from infra.prefect.door import door
from infra.prefect.events import announce_round
from infra.prefect.reports import publish_report
from infra.run_tree import REPORT, RunTree
from infra.storage import Store
from tasks.agreement.settings import AGREEMENT
from tasks.bradley_terry import fit_strengths
from tasks.canonical import digest
from tasks.config import Config, plain_config
from tasks.diagnosis import diagnose
from tasks.diversity.measure import DiversityFigure, PromptDiversity
from tasks.errors import ConfigError
from tasks.findings import Finding
from tasks.forecast import cost_facts
from tasks.gate import GateOutcome
from tasks.measuring import Measured, guarded_slices
from tasks.quotas import usefulness
from tasks.records import (
    Artifact,
    Checkpoint,
    EvalReport,
    Feedback,
    Place,
    Preference,
    PreferencePair,
    Prompt,
    ReferenceScore,
    Response,
    RoundWork,
    Verdict,
)
from tasks.report.data import FeedbackQuality, RoundData
from tasks.report.render import html, markdown
from tasks.report.sides import (
    answers_side_by_side,
    cell_facts,
    lineage,
    part_facts,
    report_counts,
)
from tasks.responses import by_id
from tasks.retiring import Retired, contribution_rows, contributions, retired_after
from tasks.step_metrics import reported
from tasks.tables import from_table
from tasks.training_evidence import Evidence, answer_lengths, held_out_shift, pair_lengths

Row = TypeVar("Row")
MAIN_SLICE = "all"


@door("refresh", retries=1)
def refresh(work: RoundWork, config: Config, place: Place) -> Checkpoint:
    """Let the gate decide, write the round's report, and commit the round by its manifest.

    Returns the next round's reference.
    """
    tree = RunTree(store_of(place), place.run)
    outcome = _decide(work, config, place)
    reference = work.trained.policy if outcome.refreshes else place.reference
    artifacts = _artifacts(tree, place)
    report_path = f"{tree.round_folder(place.round_index)}/{REPORT}"
    page = store_of(place).uri(report_path)
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
        "gate": asdict(outcome),
        "strengths": _strengths(work.feedback, place),
        **_uses(work, tree, config, place),
        "figures": _figures(work, place),
        "counts": {role: counts_of(place, one) for role, one in artifacts.items()},
        "spent_usd": spent_by(tree.store, place.run).usd(place.round_index),
        "report": page,
    }
    data = round_data(tree, manifest, config, place)
    store_of(place).write(report_path, html(data).encode())
    publish_report(place.run, place.round_index, markdown(data), page)
    tree.write_round(place.round_index, "manifest.json", manifest)
    announce_round(manifest, f"{page.removesuffix(REPORT)}manifest.json")
    return reference


def report_page(config: Config, place: Place) -> str:
    """The report of a committed round as it was written, made again from the round's stages.

    `config` and `place` are the round's (`tasks.rounds.committed_round`).
    """
    tree = RunTree(store_of(place), place.run)
    manifest = tree.read_round(place.round_index, "manifest.json")
    if manifest is None:
        raise ConfigError(f"round {place.round_index} of run {place.run!r} is not committed")
    return html(round_data(tree, manifest, config, place))


def _decide(work: RoundWork, config: Config, place: Place) -> GateOutcome:
    measured = records_of(place, Measured, work.report.artifact, "values")
    outcome: GateOutcome = config.refresh.gate(guarded_slices(measured, config.refresh.guards))
    return outcome


def _artifacts(tree: RunTree, place: Place) -> dict[str, Artifact]:
    """Every finished stage of the round, by role."""
    roles = tree.roles_done(place.round_index)
    found = {role: tree.read_round(place.round_index, f"stages/{role}.json") for role in roles}
    return {role: Artifact(**pointer) for role, pointer in found.items() if pointer}


def _strengths(feedback: Feedback, place: Place) -> dict[str, float]:
    """Strengths for the next round: fitted where every cell was judged, else as they were."""
    responses = records_of(place, Response, feedback.responses)
    cells = {row.response_id: row.cell for row in responses if row.origin != "human"}
    verdicts = [
        row
        for row in records_of(place, Verdict, feedback.verdicts)
        if row.a_id in cells and row.b_id in cells
    ]
    fitted = fit_strengths(verdicts, cells)
    if any(not one.num_verdicts for one in fitted.values()):
        return place.strengths
    return place.strengths | {cell: round(one.value, 6) for cell, one in fitted.items()}


def _uses(work: RoundWork, tree: RunTree, config: Config, place: Place) -> dict[str, Any]:
    """What the next round's quotas follow; pairs that are not trained on count as well."""
    responses = records_of(place, Response, work.feedback.responses)
    tables = ("rows", "held_out")
    pairs = [row for name in tables for row in records_of(place, PreferencePair, work.pairs, name)]
    now = {
        "round_index": place.round_index,
        "contributions": contribution_rows(contributions(responses, pairs), config),
    }
    gone = retired_after(config, [*tree.manifests()[: place.round_index], now])
    return {
        "usefulness": usefulness(responses, pairs),
        "contributions": now["contributions"],
        "retired": [asdict(one) for one in gone],
    }


def _figures(work: RoundWork, place: Place) -> dict[str, float]:
    """The policy's main figures: each metric over all prompts."""
    sha256 = work.trained.policy.sha256
    return {
        row.metric: row.value
        for row in records_of(place, EvalReport, work.report.artifact)
        if row.checkpoint == sha256 and row.slice == MAIN_SLICE
    }


def round_data(tree: RunTree, manifest: dict[str, Any], config: Config, place: Place) -> RoundData:
    """All that a round's report shows, from what its manifest names."""
    stages = {role: Artifact(**one) for role, one in manifest["artifacts"].items()}
    people, pairs = stages["annotate"], stages["pair"]
    cells = [stages[f"sample-train-{name}"] for name in config.matrix]
    judges = [stages[f"judge-{name}-train"] for name in config.judges]
    answers = [one for role, one in stages.items() if role.startswith("sample-evaluation-")]
    rounds = [*tree.manifests()[: place.round_index], manifest]
    return RoundData(
        run=place.run,
        round_index=place.round_index,
        prompts=records_of(place, Prompt, stages["collect-train"]),
        responses=[
            *records_of(place, Response, cells),
            *records_of(place, Response, people, "responses"),
        ],
        verdicts=[
            *records_of(place, Verdict, pairs, "prior"),
            *records_of(place, Verdict, [*judges, people]),
        ],
        preferences=records_of(place, Preference, pairs, "preferences"),
        pairs=records_of(place, PreferencePair, pairs),
        counts=report_counts(manifest["counts"]),
        steps=_steps(stages["train"], place),
        findings=training_findings(tree.store, stages),
        evaluation=records_of(place, EvalReport, stages["evaluate"]),
        names=_names(manifest, place),
        samples=answers_side_by_side(
            records_of(place, Prompt, stages["collect-evaluation"]),
            records_of(place, Response, answers),
            manifest["reference_in"]["sha256"],
            manifest["policy"]["sha256"],
        ),
        gate=manifest["gate"],
        cells=cell_facts(config, place.strengths, place.shares),
        parts=[*part_facts(config), *cost_facts(manifest)],
        lineage=lineage(manifest),
        **_quality(tree, manifest, place),
        history=[{"round_index": one["round_index"], **one["figures"]} for one in rounds],
    )


def _quality(tree: RunTree, manifest: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Feedback, diversity and retired cells; nothing of rounds done before they were measured."""
    if AGREEMENT not in manifest["artifacts"]:
        return {}
    found = Artifact(**manifest["artifacts"][AGREEMENT])
    known = tree.read_round(place.round_index, f"{AGREEMENT}.json") or {}
    return {
        "feedback": FeedbackQuality.of(known),
        "diversity": records_of(place, DiversityFigure, found, "diversity"),
        "prompt_diversity": records_of(place, PromptDiversity, found, "prompts"),
        "retired": [Retired(**one) for one in manifest["retired"]],
    }


def _steps(trained: Artifact, place: Place) -> list[dict[str, float]]:
    """All metrics of each optimizer step; speeds are there if the attempt could note them."""
    rows = table_of(place, trained).to_pylist()
    speeds = side_of(place, trained).get("tokens_per_second", [])
    for row, speed in zip(rows, speeds, strict=False):
        row["tokens_per_second"] = speed
    return [reported(row) for row in rows]


def training_findings(store: Store, stages: Mapping[str, Artifact]) -> list[Finding]:
    """What the numbers of a round's training say, as far as its `stages`, by role, are done."""
    done = {role: open_artifact(store, one) for role, one in stages.items()}
    trained = done["train"]
    answers = _rows(Response, done, "sample-evaluation-")
    pairs, responses = _rows(PreferencePair, done, "pair"), _rows(Response, done, "sample-train-")
    responses += _rows(Response, done, "annotate", "responses")
    scores = [
        {row.response_id: row for row in _rows(ReferenceScore, done, f"score-{name}")}
        for name in ("reference", "policy")
    ]
    key = trained.manifest["key"]
    return diagnose(
        Evidence(
            steps=[reported(row) for row in trained.table().to_pylist()],
            ended=trained.facts["ended"],
            stop_when_clipped=key["settings"]["training"]["stop_when_clipped"],
            held_out=held_out_shift(_rows(PreferencePair, done, "pair", "held_out"), *scores),
            answers=answer_lengths(
                answers, key["fingerprints"]["reference"], trained.facts["sha256"]
            ),
            pairs=pair_lengths(pairs, by_id(responses)),
        )
    )


def _rows(
    record: type[Row], done: Mapping[str, Finished], role: str, table: str = "rows"
) -> list[Row]:
    """The records in a table of every stage whose role begins with `role`."""
    named = [stage for name, stage in done.items() if name.startswith(role)]
    return [row for stage in named for row in from_table(record, stage.table(table))]


def _names(manifest: dict[str, Any], place: Place) -> dict[str, str]:
    """What the report calls each checkpoint; the SFT model's name is the strongest."""
    return {
        manifest["policy"]["sha256"]: "policy",
        manifest["reference_in"]["sha256"]: "reference",
        place.sft.sha256: "sft",
    }
