"""Part of the estimate door: reward models, fitted and asked by children."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from infra.arrow_files import growing_arrow
from infra.checkpoint_uploads import discard_checkpoints, fetch_checkpoint, put_checkpoint
from infra.models import checkpoint_folder, local_folder
from infra.place import contents, facts_of, note, open_stage, store_of, workdir_of
from infra.processes import run_child
from infra.processes.room import Needs, room
from infra.processes.smaller import with_smaller_budgets
from infra.progress import progress
from infra.rows import file_digests, read_tables
from infra.stages import Stage
from infra.work import work_root
from tasks import child
from tasks.canonical import digest
from tasks.estimate_scores import Given, limits_of, longest_of, ranges, scorer
from tasks.judging import candidates_of
from tasks.pairing import corrected
from tasks.records import Artifact, Checkpoint, Place
from tasks.references import estimator_base
from tasks.responses import by_id
from tasks.reward_rows import FIT_ROWS, Taught, fit_rows, human_pair, pairs_of_round
from tasks.tokens import load_tokenizer
from tasks.variants import plain, settings_of
from tasks.west_of_n import Range, labelled, own_ones

SEMANTICS = 1
LABELLED = 2
"""As SEMANTICS, of the pairs that a teacher labels."""
ROWS, METRICS = "rows.arrow", "metrics.jsonl"
FIGURES = pa.schema(
    [
        pa.field("step", pa.int64()),
        *(pa.field(name, pa.float64()) for name in ("loss", "accuracy", "learning_rate")),
    ]
)
"""What is kept of each optimizer step."""
LEARNS_BY = ("verdicts", "files", "own_share", "fit", "max_tokens", "dtype", "held_out_share")
"""Settings that decide what is learned; the others only concern what is done with it."""


def fitted_model(given: Given) -> Artifact:
    """The stage with the reward model that scores: fitted to what there is, or taught by one."""
    settings = given.estimator.self_training
    if settings is None:
        return _fitted("model", given, {}, lambda: _base(given), given.estimator.own_share)
    teacher = _fitted("teacher", given, {}, lambda: _base(given), given.estimator.own_share)
    weights = facts_of(given.place, teacher)["sha256"]
    more = {"self_training": settings_of(settings), "teacher": weights, "labelled": LABELLED}

    def looked_at() -> Iterator[tuple[Range, dict[str, float]]]:
        by = scorer(given, teacher, passes=0)
        for some in ranges(given):
            yield some, {name: one["number"] for name, one in by.numbers(some).items()}

    def pairs() -> Iterator[Taught]:
        yield from own_ones(_base(given))
        yield from labelled(looked_at, settings, given.place)

    return _fitted("model", given, more, pairs, settings.own_share)


def base_of(estimator: Any, place: Place) -> dict[str, str]:
    """Fingerprint of the model that an estimator starts from; none of one without."""
    if estimator.FITS:
        return {}
    base = estimator_base(estimator.model, place, described)
    return {"base": digest([base.sha256, base.tokenizer, base.template])}


def _fitted(
    role: str,
    given: Given,
    more: Mapping[str, Any],
    pairs: Callable[[], Iterable[Taught]],
    own_share: float | None,
) -> Artifact:
    """A model fitted to `pairs`: a stage, which a killed attempt resumes."""
    estimator, place = given.estimator, given.place
    base = estimator_base(estimator.model, place, described)
    stage = _stage(given, more)
    if done := stage.finished():
        return note(place, f"estimate-{role}", done.artifact)
    workdir, folder = workdir_of(stage, place), checkpoint_folder(base, place.storage)
    counts, longest = _write_rows(pairs(), folder, given, workdir)
    fetch_checkpoint(store_of(place), stage.folder, workdir)
    mixes = own_share if estimator.mixes or more else None
    with room(place.side_by_side).entered(Needs(alone=True)):
        result, _ = with_smaller_budgets(
            lambda budget: _run(stage, workdir, _spec(stage, folder, mixes, budget, given), given),
            estimator.tokens_per_batch,
            2 * longest,
        )
    artifact = _commit(stage, workdir, base, {**counts, **result}, place)
    return note(place, f"estimate-{role}", artifact)


def _stage(given: Given, more: Mapping[str, Any]) -> Stage:
    estimator, place = given.estimator, given.place
    settings: dict[str, Any] = settings_of(estimator)
    return open_stage(
        place,
        "estimate",
        settings={
            "fits": {name: settings[name] for name in LEARNS_BY},
            "correction": settings_of(given.correction),
            "strengths": dict(place.strengths),
            "min_distance": place.min_distance,
            **more,
        },
        inputs={
            "prompts": given.prompts.content,
            **contents("responses", given.feedback.responses),
            **contents("verdicts", given.feedback.verdicts),
            **file_digests(estimator.files),
        },
        seeds={"seed": place.seed},
        fingerprints=base_of(estimator, place),
        semantics=SEMANTICS,
    )


def _base(given: Given) -> Iterator[Taught]:
    """What people and judges preferred: in files, and in this round."""
    yield from map(human_pair, read_tables(given.estimator.files))
    if not given.estimator.verdicts:
        return
    place = given.place
    for some in ranges(given):
        candidates = candidates_of(some.responses, place.strengths, place.min_distance)
        _, by_prompt = corrected(candidates, some.verdicts, given.correction)
        yield from pairs_of_round(some.prompts, by_id(some.responses), by_prompt)


def _write_rows(
    pairs: Iterable[Taught], folder: Path, given: Given, workdir: Path
) -> tuple[Counter[str], int]:
    """Write what is learned from; counts, and tokens of the longest side with its prompt."""
    estimator, tokenizer = given.estimator, load_tokenizer(folder)
    counts, longest, most = Counter[str](), 1, longest_of(estimator, folder)
    with growing_arrow(workdir / ROWS, FIT_ROWS) as add:
        for some in _parts(pairs):
            rows = fit_rows(some, tokenizer, most, estimator.held_out_share, given.place.seed)
            add(rows.table)
            counts.update(pairs=rows.table.num_rows, dropped_longer_than_max_tokens=rows.too_long)
            longest = max(longest, rows.longest)
    return counts, longest


def _parts(pairs: Iterable[Taught], size: int = 4096) -> Iterator[list[Taught]]:
    part: list[Taught] = []
    for one in pairs:
        part.append(one)
        if len(part) == size:
            yield part
            part = []
    yield part


def _spec(
    stage: Stage, folder: Path, own_share: float | None, budget: int, given: Given
) -> dict[str, Any]:
    estimator = given.estimator
    return {
        "job": "fit",
        "stage": stage.digest,
        "model": str(folder),
        "rows": ROWS,
        "settings": plain(estimator.fit),
        "own_share": own_share,
        "seed": given.place.seed,
        "dtype": estimator.dtype,
        "device": estimator.device,
        "threads": estimator.threads,
        "tokens_per_microbatch": budget,
        "item_log": str(work_root() / "items.jsonl"),
    }


def _run(stage: Stage, workdir: Path, spec: Mapping[str, Any], given: Given) -> dict[str, Any]:
    """Let a child fit; its checkpoints go to the store, so another machine can go on."""
    child.write_json(workdir / child.SPEC, dict(spec))
    with progress.verb("estimate", total=None) as bar:

        def on_event(event: Mapping[str, Any]) -> None:
            if event["event"] == "step":
                bar.at(event["step"], event["steps"])
            elif event["event"] == "checkpoint":
                put_checkpoint(store_of(given.place), stage.folder, workdir / event["folder"], 2)

        limits = limits_of(given.estimator)
        return run_child("tasks.training", workdir, limits=limits, on_event=on_event)


def _commit(
    stage: Stage, workdir: Path, base: Checkpoint, result: Mapping[str, Any], place: Place
) -> Artifact:
    from tasks.describe import describe

    found = describe(workdir / "model")
    counted = ("pairs", "fitted", "left_out", "held_out", "dropped_longer_than_max_tokens")
    artifact = stage.commit(
        tables={"rows": (None, _figures(workdir / METRICS))},
        files={"model": stage.put_folder("model", workdir / "model")},
        facts={
            "sha256": found.sha256,
            "base": base.sha256,
            "step": result["steps"],
            "tokenizer": found.tokenizer,
            "template": found.template,
            "held_out_accuracy": result["held_out_accuracy"],
        },
        counts={name: result[name] for name in counted if name in result},
        volatile={"seconds": result["seconds"]},
    )
    discard_checkpoints(store_of(place), stage.folder)
    return artifact


def _figures(path: Path) -> pa.Table:
    """What metrics.jsonl says of each step."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return pa.Table.from_pylist([json.loads(line) for line in lines], FIGURES)


def described(model: str) -> Checkpoint:
    """The weights of a local folder or hub id."""
    from tasks.describe import describe

    return describe(local_folder(model))
