"""Door: responses in, verdicts of AI judges out; one stage per judge, paid calls never repeated."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, NamedTuple

from infra.blocks import Blocks
from infra.place import blocks_of, contents, note, open_stage
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.progress import Bar, progress
from infra.stages import Stage
from infra.table_files import spooled
from tasks.canonical import short_id
from tasks.comparison_rules.all import All
from tasks.config_evaluation import ComparisonRule, Judge
from tasks.judge_asking import ToDo, asked_verdicts, spent
from tasks.judge_models import described, fingerprint_of, numbered, served
from tasks.judge_panel import Heard, commit_panel, panel_stage
from tasks.judge_recorded import recorded
from tasks.judged_rows import models_of
from tasks.judging import Asked, candidates_of
from tasks.opinions import Annotator
from tasks.records import SHARD_PROMPTS, Artifact, Place, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.variants import settings_of
from tasks.waves import (
    Asking,
    Shard,
    Told,
    asked_of,
    dialogues_about,
    lost_in,
    most_questions,
    rows_of,
    told,
)

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
    weights |= served(judge, place)
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
    ready = numbered(_compared(judge, given), judge, models, place) if models else judge
    with _opened(given) as blocks:
        _ask(stage, blocks, ready, annotator, given)
        if not place.part.whole and not stage.has_shards(len(blocks)):
            return None
        return _commit(stage, len(blocks), judge, place)


def _panel(name: str, panel: Any, given: _Given) -> Artifact | None:
    """What the members of a panel say together; what each says is a stage of its own."""
    said = {one: _judged(one, judge, given) for one, judge in panel.members.items()}
    members = {one: artifact for one, artifact in said.items() if artifact is not None}
    if len(members) < len(said):
        return None
    stage = panel_stage(name, panel, members, given.comparisons, given.place)
    if done := stage.finished():
        return done.artifact
    annotator = Annotator(name=name, kind="judge", version=panel.version())
    heard = _heard(members, panel, given)
    return commit_panel(stage, heard, members, panel, annotator, given.place)


def _heard(members: Mapping[str, Artifact], panel: Any, given: _Given) -> Iterator[Heard]:
    """What was asked, and what the members said, a shard of prompts after another."""
    with _opened(given, **members) as blocks:
        for block, (_, shard) in zip(blocks, _shards(blocks, (), panel, given), strict=True):
            said = {one: block.records(Verdict, f"verdicts of {one}") for one in members}
            yield asked_of([shard]), said


def _role(name: str) -> str:
    return f"judge-{name.replace(' · ', '-')}"


def _opened(given: _Given, /, **verdicts: Artifact) -> AbstractContextManager[Blocks]:
    """Prompts and responses, a shard of prompts at a time, with the `verdicts` of others."""
    tables: dict[str, Any] = {"prompts": given.prompts, "responses": given.responses}
    tables |= {f"verdicts of {name}": artifact for name, artifact in verdicts.items()}
    return blocks_of(given.place, "prompts", SHARD_PROMPTS, **tables)


def _shards(
    blocks: Blocks, done: Collection[int], judge: Any, given: _Given
) -> Iterator[tuple[int, Shard]]:
    """The shards that are not `done`, each made when it is wanted."""
    asking = Asking(given.comparisons, judge, given.place.seed)
    for block in blocks.but(done):
        answers = block.records(Response, "responses")
        candidates = candidates_of(answers, given.place.strengths, given.place.min_distance)
        asked = block.records(Prompt, "prompts")
        yield block.number, dialogues_about(asked, candidates, by_id(answers), asking)


def _all_asked(judge: Any, given: _Given) -> list[Asked]:
    """All that a rule of one wave asks, at once."""
    with _opened(given) as blocks:
        return asked_of(shard for _, shard in _shards(blocks, (), judge, given))


def _compared(judge: Any, given: _Given) -> list[Asked]:
    """All that may be compared: a rule that asks in waves may come to any two responses."""
    rule = All() if given.comparisons.ADAPTIVE else given.comparisons
    return _all_asked(judge, given._replace(comparisons=rule))


def _ask(stage: Stage, blocks: Blocks, judge: Any, annotator: Annotator, given: _Given) -> None:
    """Commit the shards that are still to do."""
    committed = set(stage.shards())
    own = given.place.part.indices(len(blocks))
    left = set(own) - committed
    if not left:
        return
    most = _most(blocks, Asking(given.comparisons, judge, given.place.seed))
    total = sum(most[index] for index in own)
    to_do = _shards(blocks, set(range(len(blocks))) - left, judge, given)
    with progress.verb(f"judge · {annotator.name} · {total} questions", total=total) as bar:
        bar.advance(sum(most[index] for index in own if index in committed))
        if judge.SHAPE == "asks":
            shards = ToDo(to_do, given.comparisons.ADAPTIVE)
            said = asked_verdicts(stage, shards, judge, annotator, bar, given.place)
        else:
            said = _pure_verdicts(to_do, judge, annotator, bar)
        for index, ended in said:
            total -= most[index] - sum(one.looks for one in ended)
            bar.at(bar.done, total)
            stage.commit_shard(index, *rows_of(ended))


def _most(blocks: Blocks, asking: Asking) -> list[int]:
    """How many questions each shard asks at most; texts are not read for that."""
    return [
        sum(most_questions(number, asking) for number in counts)
        for counts in blocks.rows_of_prompts("responses")
    ]


def _pure_verdicts(
    to_do: Iterable[tuple[int, Shard]], judge: Any, annotator: Annotator, bar: Bar
) -> Iterator[tuple[int, list[Told]]]:
    """Each shard's verdicts by a judge that needs nobody else."""
    for index, shard in to_do:
        ended = [told(one, judge, annotator) for one in shard.dialogues]
        bar.advance(sum(one.looks for one in ended))
        yield index, ended


def _commit(stage: Stage, shards: int, judge: Any, place: Place) -> Artifact:
    counts = Counter({"verdicts": 0})
    with spooled(Verdict) as rows:
        for table, counted_before in stage.committed(range(shards)):
            rows.add(table)
            counts.update(verdicts=table.num_rows, **lost_in([counted_before]))
            counts.update(table.column("outcome").to_pylist())
        return stage.commit(
            tables={"rows": rows}, counts=counts, volatile=spent(stage, judge, place)
        )
