"""Door: responses in, verdicts of AI judges out; one stage per judge, paid calls never repeated."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa

from infra.place import contents, note, open_stage, records_of
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.progress import Bar, progress
from infra.stages import Stage
from tasks.canonical import short_id
from tasks.comparison_rules.all import All
from tasks.config import ComparisonRule, Judge
from tasks.judge_asking import asked_verdicts, spent
from tasks.judge_models import described, fingerprint_of, numbered, served
from tasks.judge_panel import commit_panel, panel_stage
from tasks.judge_recorded import recorded
from tasks.judged_rows import models_of
from tasks.judging import Asked, candidates_of
from tasks.near_duplicates import standing
from tasks.opinions import Annotator
from tasks.records import Artifact, Place, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.tables import concat, counted
from tasks.variants import settings_of
from tasks.waves import Asking, Shard, Told, asked_of, dialogues_in_shards, lost_in, rows_of, told

SEMANTICS = 1


def judge(
    prompts: Artifact,
    responses: list[Artifact],
    judges: Mapping[str, Any],
    comparisons: Any,
    role: str,
    place: Place,
) -> list[Artifact]:
    """Let every judge compare the responses that `comparisons` picks; one artifact per judge.

    Evaluation compares near-duplicates as well: policy and reference saying the same counts there.
    """
    place = place if role == "train" else replace(place, min_distance=None)
    futures = [
        judge_with.submit(
            name=f"{name} · {role}",
            prompts=prompts,
            responses=responses,
            judge=one,
            comparisons=comparisons,
            place=place,
        )
        for name, one in judges.items()
    ]
    return [future.result() for future in futures]


@door("judge", retries=3)
def judge_with(
    name: str,
    prompts: Artifact,
    responses: list[Artifact],
    judge: Judge,
    comparisons: ComparisonRule,
    place: Place,
) -> Artifact | None:
    """Let one judge give its verdicts, shard by shard; unparsed replies are counted.

    None where others who share its shards are still at theirs.
    """
    own = name.partition(" · ")[0]
    artifact: Artifact | None
    if judge.SHAPE == "recorded":
        artifact = recorded(own, prompts, responses, judge, place)
    else:
        given = _Given(prompts, responses, comparisons, place)
        artifact = (_panel if judge.SHAPE == "panel" else _judged)(own, judge, given)
    return artifact and note(place, _role(name), artifact)


class _Given(NamedTuple):
    """What judges look at."""

    prompts: Artifact
    responses: list[Artifact]
    comparisons: Any
    place: Place


def _judged(name: str, judge: Any, given: _Given) -> Artifact | None:
    """The verdicts of one judge that asks, scores or compares."""
    prompts, responses, comparisons, place = given
    models = models_of(judge, place, described)
    weights = {role: fingerprint_of(model) for role, model in models.items()}
    weights |= served(judge)
    version = short_id(judge.version(), weights) if weights else judge.version()
    annotator = Annotator(name=name, kind="judge", version=version)
    stage = open_stage(
        place,
        "judge",
        settings={
            "judge": settings_of(judge),
            "version": judge.version(),
            "comparisons": settings_of(comparisons),
            "annotator": annotator.name,
            "strengths": dict(place.strengths),
            "min_distance": place.min_distance,
        },
        inputs={"prompts": prompts.content, **contents("responses", responses)},
        seeds={"seed": place.seed},
        fingerprints=weights,
        semantics=SEMANTICS,
    )
    if done := stage.finished() or elsewhere(stage):
        return done.artifact
    shards = _shards(judge, given)
    ready = numbered(_compared(judge, given), judge, models, place) if models else judge
    _ask(stage, shards, ready, annotator, place)
    if not place.part.whole and not stage.has_shards(len(shards)):
        return None
    return _commit(stage, len(shards), judge, place)


def _panel(name: str, panel: Any, given: _Given) -> Artifact | None:
    """What the members of a panel say together; what each says is a stage of its own."""
    said = {one: _judged(one, judge, given) for one, judge in panel.members.items()}
    members = {one: artifact for one, artifact in said.items() if artifact is not None}
    if len(members) < len(said):
        return None
    stage = panel_stage(name, panel, members, given.comparisons, given.place)
    if done := stage.finished():
        return done.artifact
    return commit_panel(
        stage,
        asked_of(_shards(panel, given)),
        members,
        panel,
        Annotator(name=name, kind="judge", version=panel.version()),
        given.place,
    )


def _role(name: str) -> str:
    return f"judge-{name.replace(' · ', '-')}"


def _shards(judge: Any, given: _Given) -> list[Shard]:
    prompts, responses, comparisons, place = given
    answers = records_of(place, Response, responses)
    candidates = candidates_of(answers, place.strengths, place.min_distance)
    candidates = {prompt_id: standing(members) for prompt_id, members in candidates.items()}
    asked = records_of(place, Prompt, prompts)
    asking = Asking(comparisons, judge, place.seed)
    return dialogues_in_shards(asked, candidates, by_id(answers), asking)


def _compared(judge: Any, given: _Given) -> list[Asked]:
    """All that may be compared: a rule that asks in waves may come to any two responses."""
    rule = All() if given.comparisons.ADAPTIVE else given.comparisons
    return asked_of(_shards(judge, given._replace(comparisons=rule)))


def _ask(stage: Stage, shards: list[Shard], judge: Any, annotator: Annotator, place: Place) -> None:
    """Commit the shards that are still to do."""
    committed = set(stage.shards())
    own = place.part.indices(len(shards))
    to_do = {index: shards[index] for index in own if index not in committed}
    total = sum(shards[index].most for index in own)
    with progress.verb(f"judge · {annotator.name} · {total} questions", total=total) as bar:
        bar.advance(total - sum(shard.most for shard in to_do.values()))
        if judge.SHAPE == "asks":
            given = asked_verdicts(stage, to_do, judge, annotator, bar, place)
        else:
            given = _pure_verdicts(to_do, judge, annotator, bar)
        for index, ended in given:
            total -= to_do[index].most - sum(one.looks for one in ended)
            bar.at(bar.done, total)
            stage.commit_shard(index, *rows_of(ended))


def _pure_verdicts(
    to_do: Mapping[int, Shard], judge: Any, annotator: Annotator, bar: Bar
) -> Iterator[tuple[int, list[Told]]]:
    """Each shard's verdicts by a judge that needs nobody else."""
    for index, shard in to_do.items():
        ended = [told(one, judge, annotator) for one in shard.dialogues]
        bar.advance(sum(one.looks for one in ended))
        yield index, ended


def _commit(stage: Stage, shards: int, judge: Any, place: Place) -> Artifact:
    tables = [stage.shard(index) for index in range(shards)]
    table = concat(Verdict, [part for part in tables if part is not None])
    lost = lost_in(stage.shard_counts(index) or {} for index in range(shards))
    return stage.commit(
        tables={"rows": (Verdict, table)},
        counts={**_counts(table), **lost},
        volatile=spent(stage, judge, place),
    )


def _counts(table: pa.Table) -> dict[str, int]:
    return {"verdicts": table.num_rows, **counted(table.column("outcome").to_pylist())}
