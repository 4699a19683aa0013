"""Part of the annotate door: what `assess` measures, and how it has changed."""

from typing import Any, NamedTuple

from infra.place import blocks_of, records_of
from infra.run_tree import RunTree
from tasks.agreement.calibration import Checked
from tasks.agreement.checked import checked_of
from tasks.agreement.drift import Drift, drift
from tasks.agreement.figures import QualityFigure
from tasks.agreement.intervals import Sampling
from tasks.agreement.measure import measured_prompts, quality
from tasks.agreement.people import Asked
from tasks.agreement.settings import AGREEMENT
from tasks.annotation_items import Answer, Item
from tasks.config import Config
from tasks.diversity.measure import (
    DiversityFigure,
    PromptDiversity,
    cell_figures,
    prompt_rows,
)
from tasks.judging import candidates_of
from tasks.model_matrix import own_cells
from tasks.records import Artifact, Feedback, Place, Response, Verdict
from tasks.responses import by_id
from tasks.seeds import seed_of
from tasks.tables import grouped, to_table


def measured_rows(
    feedback: Feedback, most: int, place: Place
) -> tuple[list[Response], list[Verdict]]:
    """Responses and verdicts of the prompts that are measured: all, or `most` of them drawn."""
    rows: list[Response] = []
    verdicts: list[Verdict] = []
    given: dict[str, Any] = {"responses": feedback.responses, "verdicts": feedback.verdicts}
    with blocks_of(place, "responses", **given) as blocks:
        drawn = measured_prompts(blocks.prompt_ids, most, place.seed)
        for block in blocks:
            found = block.about(drawn)
            rows += found.records(Response, "responses")
            verdicts += found.records(Verdict, "verdicts")
    return rows, verdicts


def asked_of(feedback: Feedback, config: Config, place: Place) -> Asked | None:
    """What people were asked, with what they and the judges say of it; None if nothing."""
    if feedback.items is None or feedback.people is None:
        return None
    items = {one.item_id: one for one in records_of(place, Item, feedback.items)}
    answers = records_of(place, Answer, feedback.people, "answers")
    prompts = {one.prompt_id for one in items.values()}
    checked: list[Checked] = []
    given: dict[str, Any] = {"responses": feedback.responses, "verdicts": feedback.verdicts}
    asked = grouped(one for one in items.values() if one.known is None and not one.repeat)
    with blocks_of(place, "responses", **given) as blocks:
        for block in blocks:
            found = block.about(prompts)
            rows = found.records(Response, "responses")
            candidates = candidates_of(rows, place.strengths, place.min_distance)
            verdicts = grouped(found.records(Verdict, "verdicts"))
            for prompt_id, members in candidates.items():
                said = verdicts.get(prompt_id, [])
                checked += checked_of(asked.get(prompt_id, []), said, members, config.correction)
    return Asked(items, answers, checked)


class Measured(NamedTuple):
    """What is measured of a round's feedback."""

    responses: list[Response]
    verdicts: list[Verdict]
    drawn: set[str]
    """Prompts on which diversity is measured."""
    vectors: Any
    """Embeddings by response, where there is an encoder."""
    asked: Asked | None


def tables_of(measured: Measured, config: Config, place: Place) -> dict[str, Any]:
    """Rows (figures), diversity and prompts, as `Stage.commit` takes them."""
    rows, verdicts, drawn, vectors, asked = measured
    candidates = candidates_of(rows, place.strengths, place.min_distance)
    figures = quality(
        verdicts,
        by_id(rows),
        [one for members in candidates.values() for one in members],
        own_cells(config),
        Sampling(config.agreement, seed_of(place.seed, AGREEMENT)),
        asked,
    )
    cells = cell_figures(rows, candidates, drawn, vectors)
    prompts = prompt_rows(rows, candidates, drawn)
    return {
        "rows": (QualityFigure, to_table(QualityFigure, figures)),
        "diversity": (DiversityFigure, to_table(DiversityFigure, cells)),
        "prompts": (PromptDiversity, to_table(PromptDiversity, prompts)),
    }


def drift_of(
    figures: list[QualityFigure], tree: RunTree, config: Config, place: Place
) -> list[Drift]:
    """How the figures changed since the first and the last round that have any."""
    known = {
        one["round_index"]: one["artifacts"][AGREEMENT]
        for one in tree.manifests()[: place.round_index]
        if AGREEMENT in one["artifacts"]
    }
    earlier = (
        {
            index: records_of(place, QualityFigure, Artifact(**known[index]))
            for index in {min(known), max(known)}
        }
        if known
        else {}
    )
    return drift(figures, earlier, config.agreement.confidence)
