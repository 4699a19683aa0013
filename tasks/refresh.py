"""Door: the gate decides on the next reference; report and round manifest are written."""

from dataclasses import asdict
from typing import Any

from infra.place import counts_of, records_of, side_of, store_of, table_of
from infra.prefect.door import door
from infra.prefect.reports import publish_report
from infra.run_tree import RunTree
from tasks.bradley_terry import fit_strengths
from tasks.canonical import digest
from tasks.config import Config, plain_config
from tasks.gate import GateOutcome
from tasks.measuring import Measured, guarded_slices
from tasks.records import (
    Artifact,
    Checkpoint,
    EvalReport,
    Feedback,
    Place,
    Preference,
    PreferencePair,
    Prompt,
    Response,
    RoundWork,
    Verdict,
)
from tasks.report.data import RoundData
from tasks.report.render import html, markdown
from tasks.report.sides import answers_side_by_side, cell_facts

REPORT = "report.html"
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
        "figures": _figures(work, place),
        "counts": {role: counts_of(place, one) for role, one in artifacts.items()},
        "report": page,
    }
    data = _round_data(tree, manifest, work, config, place)
    store_of(place).write(report_path, html(data).encode())
    publish_report(place.run, place.round_index, markdown(data), page)
    tree.write_round(place.round_index, "manifest.json", manifest)
    return reference


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


def _figures(work: RoundWork, place: Place) -> dict[str, float]:
    """The policy's main figures: each metric over all prompts."""
    sha256 = work.trained.policy.sha256
    return {
        row.metric: row.value
        for row in records_of(place, EvalReport, work.report.artifact)
        if row.checkpoint == sha256 and row.slice == MAIN_SLICE
    }


def _round_data(
    tree: RunTree, manifest: dict[str, Any], work: RoundWork, config: Config, place: Place
) -> RoundData:
    """All that the report shows."""
    earlier = tree.manifests()[: place.round_index]
    prior = records_of(place, Verdict, work.pairs, "prior")
    asked = records_of(place, Prompt, work.prompts.evaluation)
    return RoundData(
        run=place.run,
        round_index=place.round_index,
        prompts=records_of(place, Prompt, work.prompts.train),
        responses=records_of(place, Response, work.feedback.responses),
        verdicts=[*prior, *records_of(place, Verdict, work.feedback.verdicts)],
        preferences=records_of(place, Preference, work.pairs, "preferences"),
        pairs=records_of(place, PreferencePair, work.pairs),
        counts=_report_counts(manifest["counts"]),
        steps=_steps(work, place),
        evaluation=records_of(place, EvalReport, work.report.artifact),
        names=_names(work, place),
        samples=answers_side_by_side(
            asked,
            records_of(place, Response, work.report.answers),
            place.reference.sha256,
            work.trained.policy.sha256,
        ),
        gate=manifest["gate"],
        cells=cell_facts(config, place.strengths),
        lineage={
            "artifacts": manifest["artifacts"],
            "reference_in": place.reference.sha256,
            "reference_out": manifest["reference_out"]["sha256"],
            "config": manifest["config"],
            "seeds": {"seed": place.seed},
        },
        history=[
            {"round_index": one["round_index"], **one["figures"]} for one in [*earlier, manifest]
        ],
    )


def _steps(work: RoundWork, place: Place) -> list[dict[str, float]]:
    """The metrics of each optimizer step; speeds are there if the attempt could note them."""
    rows = table_of(place, work.trained.artifact).to_pylist()
    speeds = side_of(place, work.trained.artifact).get("tokens_per_second", [])
    for row, speed in zip(rows, speeds, strict=False):
        row["tokens_per_second"] = speed
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def _names(work: RoundWork, place: Place) -> dict[str, str]:
    """What the report calls each checkpoint; the SFT model's name is the strongest."""
    return {
        work.trained.policy.sha256: "policy",
        place.reference.sha256: "reference",
        place.sft.sha256: "sft",
    }


def _report_counts(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Counts of dropped rows by verb, as the report lists them."""
    pairs = counts["pair"]
    trained = counts["train"]
    return {
        "collect": {"duplicate": counts["collect-train"]["duplicates"]},
        "pair": {
            key.removeprefix("dropped_"): value
            for key, value in pairs.items()
            if key.startswith("dropped_")
        },
        "train": {
            "used": trained["examples"],
            "held_out": pairs["held_out"],
            **{
                key.removeprefix("dropped_"): value
                for key, value in trained.items()
                if key.startswith("dropped_")
            },
        },
    }
