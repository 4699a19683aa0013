"""Part of the judge door: judges with models of their own, which children hold."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from infra.model_scores import model_scores
from infra.models import checkpoint_folder, local_folder, positions_of
from infra.place import open_stage
from infra.processes import Limits
from infra.processes.room import Needs, room
from infra.progress import progress
from tasks.canonical import digest
from tasks.judged_rows import Numbered, judged_rows
from tasks.judging import Asked
from tasks.records import Checkpoint, Place, Prompt, Response
from tasks.references import models_of_run, named_model
from tasks.tokens import load_tokenizer

SEMANTICS = 1


def described(model: str) -> Checkpoint:
    """The weights of a local folder or hub id."""
    from tasks.describe import describe

    return describe(local_folder(model))


def fingerprint_of(model: Checkpoint) -> str:
    """Digest of what a model's numbers depend on."""
    return digest([model.sha256, model.tokenizer, model.template])


def served(judge: Any, place: Place) -> dict[str, str]:
    """The weights that answer where we serve the model that `judge` asks."""
    if getattr(judge, "server", None) is None:
        return {}
    return {"judge": fingerprint_of(_served_model(judge, place))}


def served_folder(judge: Any, place: Place) -> Path | None:
    """Where the weights lie that we serve for `judge`; None where somebody else serves it."""
    if getattr(judge, "server", None) is None:
        return None
    return checkpoint_folder(_served_model(judge, place), place.storage)


def _served_model(judge: Any, place: Place) -> Checkpoint:
    """The model that `judge` asks: one of the run's own, a folder or a hub id."""
    return named_model("a judge's model", judge.model, models_of_run(place), described)


def numbered(
    asked: list[Asked],
    judge: Any,
    models: Mapping[str, Checkpoint],
    place: Place,
) -> Numbered:
    """The judge with the numbers of its models: stages of their own, whatever is made of them."""
    responses = {one.response_id: (each.prompt, one) for each in asked for one in each[2:]}
    batch = list(responses.values())
    return Numbered(
        both_orders=judge.both_orders,
        scale=judge.scale,
        score_of=judge.score_of,
        numbers={role: _numbers(batch, judge, role, one, place) for role, one in models.items()},
    )


def _numbers(
    batch: list[tuple[Prompt, Response]], judge: Any, role: str, model: Checkpoint, place: Place
) -> dict[str, float]:
    """What `model` gives each response of `batch`: a stage."""
    folder = checkpoint_folder(model, place.storage)
    limited = replace(judge, max_tokens=judge.max_tokens or positions_of(folder))
    rows = judged_rows(batch, load_tokenizer(folder), limited)
    spec = {**judge.child_settings(), "model": str(folder)}
    scored = open_stage(
        place,
        "judge",
        settings={name: spec[name] for name in ("job", "dtype")},
        inputs={"rows": digest(rows.to_pylist())},
        fingerprints={"model": fingerprint_of(model)},
        semantics=SEMANTICS,
    )
    limits = Limits(
        deadline_seconds=judge.deadline_hours * 3600, stalled_seconds=judge.stalled_minutes * 60
    )
    title = f"judge · {role} model · {rows.num_rows} responses"
    alone = room(place.side_by_side).entered(Needs(alone=True))
    with alone, progress.verb(title, total=rows.num_rows) as bar:
        return model_scores(
            scored, rows, spec, budget=judge.tokens_per_batch, limits=limits, on_rows=bar.advance
        )
