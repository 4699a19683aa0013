"""Part of the annotate door: what `assess` measures, and how it has changed."""

from typing import Any

from infra.place import blocks_of, records_of
from infra.run_tree import RunTree
from tasks.agreement.drift import Drift, drift
from tasks.agreement.figures import QualityFigure
from tasks.agreement.measure import measured_prompts, quality
from tasks.agreement.settings import AGREEMENT
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
from tasks.tables import to_table


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


def tables_of(
    rows: list[Response],
    verdicts: list[Verdict],
    drawn: set[str],
    vectors: Any,
    config: Config,
    place: Place,
) -> dict[str, Any]:
    """Rows (figures), diversity and prompts, as `Stage.commit` takes them."""
    candidates = candidates_of(rows, place.strengths, place.min_distance)
    figures = quality(
        verdicts,
        by_id(rows),
        [one for members in candidates.values() for one in members],
        own_cells(config),
        config.agreement,
        seed_of(place.seed, AGREEMENT),
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
