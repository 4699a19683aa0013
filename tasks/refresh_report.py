"""Part of the refresh door: all that a round's report shows, read from the round's stages."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from infra.artifacts import Finished, open_artifact
from infra.blocks import by_prompt
from infra.place import (
    blocks_of,
    facts_of,
    records_of,
    scores_of,
    side_of,
    table_of,
    tables_in,
)
from infra.run_tree import RunTree
from infra.storage import Store
from tasks.agreement.known import FeedbackQuality
from tasks.agreement.settings import AGREEMENT
from tasks.challenger import winning_config
from tasks.config import Config, plain_config
from tasks.derivations import MADE_RESPONSES, transforms_among
from tasks.diagnosis import diagnose
from tasks.diversity.measure import DiversityFigure, PromptDiversity
from tasks.findings import Finding
from tasks.forecast import cost_facts
from tasks.labelling import HELD_OUT_LABELS, LABELS, ordered_pairs
from tasks.matches import Match, PairCells
from tasks.measuring import Measured
from tasks.records import (
    Artifact,
    EvalReport,
    Label,
    Place,
    Preference,
    PreferencePair,
    Prompt,
    Response,
    Verdict,
)
from tasks.refresh_rounds import decisions_of
from tasks.report.data import RoundData
from tasks.report.movements import movements, moving_metric
from tasks.report.sides import (
    answers_side_by_side,
    cell_facts,
    lineage,
    part_facts,
    report_counts,
)
from tasks.report.tally import RangeRows
from tasks.responses import by_id
from tasks.retiring import Retired
from tasks.step_metrics import reported
from tasks.tables import from_table
from tasks.training_data import used_responses
from tasks.training_evidence import (
    Evidence,
    answer_lengths,
    held_out_shift,
    lengths_of,
    pair_words,
)

Record = TypeVar("Record")
SCORED = ("reference", "policy")
"""Whose log-probabilities of held-out pairs are compared."""


def round_data(tree: RunTree, manifest: dict[str, Any], config: Config, place: Place) -> RoundData:
    """All that a round's report shows, from what its manifest names."""
    config = winning_config(config, manifest)
    stages = {role: Artifact(**one) for role, one in manifest["artifacts"].items()}
    answers = [one for role, one in stages.items() if role.startswith("sample-evaluation-")]
    return RoundData(
        run=place.run,
        round_index=place.round_index,
        ranges=_ranges(stages, config, place),
        counts=report_counts(manifest["counts"]),
        steps=_steps(stages["train"], place),
        findings=[Finding(**row) for row in manifest["findings"]],
        evaluation=_rows_of(EvalReport, "rows", stages, place),
        names=_names(manifest, place),
        movements=movements(
            _rows_of(Measured, "values", stages, place),
            moving_metric(plain_config(config)["evaluation"]["metrics"]),
            answers_side_by_side(
                records_of(place, Prompt, stages["collect-evaluation"]),
                records_of(place, Response, answers),
                manifest["reference_in"]["sha256"],
                manifest["policy"]["sha256"],
            ),
        ),
        gate=manifest["gate"],
        contest=manifest.get("contest", {}),
        cells=cell_facts(config, place.strengths, place.shares),
        parts=[*part_facts(config), *_accuracy(stages, place), *cost_facts(manifest)],
        lineage=lineage(manifest),
        **_quality(tree, manifest, place),
        matches=[Match(**row) for row in manifest.get("matches", [])],
        pair_cells=[PairCells(**row) for row in manifest.get("pair_cells", [])],
        decisions=decisions_of(tree, place.round_index),
    )


def _accuracy(stages: Mapping[str, Artifact], place: Place) -> list[tuple[str, str]]:
    """How often the estimator orders preferences as they were, of those it has not learned from."""
    if "estimate" not in stages:
        return []
    facts = facts_of(place, stages["estimate"])
    number, share = facts["held_out"], facts["held_out_accuracy"]
    said = "no preference was held out" if share is None else f"{share:.0%} of {number} held out"
    return [("estimator, in the right order", said)]


def _ranges(stages: Mapping[str, Artifact], config: Config, place: Place) -> Iterator[RangeRows]:
    """The round's rows, a range of prompts at a time."""
    people, pairs = stages["annotate"], stages["pair"]
    tables: dict[str, Any] = {
        "prompts": stages["collect-train"],
        "responses": [stages[f"sample-train-{name}"] for name in config.matrix],
        "written": (people, "responses"),
        "prior": (pairs, "prior"),
        "verdicts": [
            *(stages[f"judge-{name}-train"] for name in config.judges),
            people,
            *(stages[name] for name in ("estimate",) if name in stages),
        ],
        "preferences": (pairs, "preferences"),
        "pairs": pairs,
    }
    if AGREEMENT in stages:
        tables["diversity"] = (stages[AGREEMENT], "prompts")
    if LABELS in tables_in(place, pairs):
        tables[LABELS] = (pairs, LABELS)
    with blocks_of(place, "prompts", **tables) as blocks:
        for block in blocks:
            yield RangeRows(
                prompts=block.records(Prompt, "prompts"),
                responses=[
                    row
                    for name in ("responses", "written")
                    for row in block.records(Response, name)
                ],
                verdicts=[
                    row for name in ("prior", "verdicts") for row in block.records(Verdict, name)
                ],
                preferences=block.records(Preference, "preferences"),
                pairs=block.records(PreferencePair, "pairs"),
                diversity=block.records(PromptDiversity, "diversity")
                if "diversity" in tables
                else [],
                labels=block.records(Label, LABELS) if LABELS in tables else [],
            )


def _rows_of(
    record: type[Record], name: str, stages: Mapping[str, Artifact], place: Place
) -> list[Record]:
    """What was measured; nothing in a round that is not."""
    return records_of(place, record, stages["evaluate"], name) if "evaluate" in stages else []


def _quality(tree: RunTree, manifest: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Feedback, diversity and retired cells; nothing of rounds done before they were measured."""
    if AGREEMENT not in manifest["artifacts"]:
        return {}
    found = Artifact(**manifest["artifacts"][AGREEMENT])
    known = tree.read_round(place.round_index, f"{AGREEMENT}.json") or {}
    return {
        "feedback": FeedbackQuality.of(known),
        "diversity": records_of(place, DiversityFigure, found, "diversity"),
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
    answers = [
        row
        for role, stage in done.items()
        if role.startswith("sample-evaluation-")
        for row in from_table(Response, stage.table())
    ]
    held_out = _held_out(done["pair"])
    wanted = used_responses(held_out)
    scores = [
        scores_of(store, stages[role], wanted) if (role := f"score-{name}") in stages else {}
        for name in SCORED
    ]
    key = trained.manifest["key"]
    return diagnose(
        Evidence(
            steps=[reported(row) for row in trained.table().to_pylist()],
            ended=trained.facts["ended"],
            stop_when_clipped=key["settings"]["training"]["stop_when_clipped"],
            held_out=held_out_shift(held_out, *scores),
            answers=answer_lengths(
                answers, key["fingerprints"]["reference"], trained.facts["sha256"]
            ),
            pairs=lengths_of(_pair_words(store, stages)),
        )
    )


def _held_out(paired: Finished) -> list[PreferencePair]:
    """Held-out pairs, or what held-out labels say of two responses where there are no pairs."""
    pairs = list(from_table(PreferencePair, paired.table("held_out")))
    if pairs or HELD_OUT_LABELS not in paired.manifest["tables"]:
        return pairs
    return ordered_pairs(list(from_table(Label, paired.table(HELD_OUT_LABELS))))


def _pair_words(store: Store, stages: Mapping[str, Artifact]) -> list[tuple[float, float]]:
    """Mean words of chosen and of rejected responses, a prompt with pairs after another.

    Of the pairs as transforms left them.
    """
    named = [
        one
        for role, one in stages.items()
        if role.startswith("sample-train-") or MADE_RESPONSES.fullmatch(role)
    ]
    last = ["pair", *transforms_among(stages)][-1]
    written = [(stages["annotate"], "responses")] if "annotate" in stages else []
    responses = [(one, "rows") for one in named] + written
    tables = {"responses": responses, "pairs": [(stages[last], "rows")]}
    with by_prompt(store, tables, "pairs") as blocks:
        return [
            words
            for block in blocks
            for words in pair_words(
                block.records(PreferencePair, "pairs"), by_id(block.records(Response, "responses"))
            )
        ]


def _names(manifest: dict[str, Any], place: Place) -> dict[str, str]:
    """What the report calls each checkpoint; the SFT model's name is the strongest."""
    return {
        manifest["policy"]["sha256"]: "policy",
        manifest["reference_in"]["sha256"]: "reference",
        place.sft.sha256: "sft",
    }
