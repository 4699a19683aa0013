"""Door: responses in, verdicts of AI judges out; one stage per judge, paid calls never repeated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa

from infra.openai_client import Call, Client, Reply
from infra.openai_shards import completed_shards
from infra.place import journal_of, note, open_stage, records_of
from infra.prefect.door import door
from infra.progress import Bar, progress
from infra.stages import Stage
from infra.work import work_root
from tasks.canonical import digest, short_id
from tasks.errors import DataError
from tasks.judge_models import described, fingerprint_of, numbered
from tasks.judge_panel import commit_panel, panel_stage
from tasks.judge_recorded import recorded
from tasks.judged_rows import models_of
from tasks.judging import (
    Asked,
    asked_in_shards,
    candidates_of,
    comparisons_of,
    verdicts_of,
    verdicts_of_pure,
    work_of,
)
from tasks.opinions import Annotator, Opinion
from tasks.records import Artifact, Place, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.tables import concat, counted, to_table
from tasks.usage import Usage, cost_usd, is_paid, watching
from tasks.variants import settings_of

SEMANTICS = 1


def judge(
    prompts: Artifact,
    responses: list[Artifact],
    judges: Mapping[str, Any],
    comparisons: Any,
    role: str,
    place: Place,
) -> list[Artifact]:
    """Let every judge compare the responses that `comparisons` picks; one artifact per judge."""
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
    judge: Any,
    comparisons: Any,
    place: Place,
) -> Artifact:
    """Let one judge give its verdicts, shard by shard; unparsed replies are counted."""
    own = name.partition(" · ")[0]
    if judge.SHAPE == "recorded":
        artifact = recorded(own, prompts, responses, judge, place)
    else:
        given = _Given(prompts, responses, comparisons, place)
        artifact = (_panel if judge.SHAPE == "panel" else _judged)(own, judge, given)
    return note(place, _role(name), artifact)


class _Given(NamedTuple):
    """What judges look at."""

    prompts: Artifact
    responses: list[Artifact]
    comparisons: Any
    place: Place


def _judged(name: str, judge: Any, given: _Given) -> Artifact:
    """The verdicts of one judge that asks, scores or compares."""
    prompts, responses, comparisons, place = given
    models = models_of(judge, place, described)
    weights = {role: fingerprint_of(model) for role, model in models.items()}
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
        },
        inputs={"prompts": prompts.content, **_contents(responses)},
        seeds={"seed": place.seed},
        fingerprints=weights,
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return done.artifact
    shards = _questions(prompts, responses, judge, comparisons, place)
    ready = numbered(shards, judge, models, place) if models else judge
    _ask(stage, shards, ready, annotator)
    return _commit(stage, len(shards), judge)


def _panel(name: str, panel: Any, given: _Given) -> Artifact:
    """What the members of a panel say together; what each says is a stage of its own."""
    members = {one: _judged(one, judge, given) for one, judge in panel.members.items()}
    stage = panel_stage(name, panel, members, given.comparisons, given.place)
    if done := stage.finished():
        return done.artifact
    shards = _questions(given.prompts, given.responses, panel, given.comparisons, given.place)
    asked = [one for shard in shards for one in shard]
    return commit_panel(
        stage,
        asked,
        members,
        panel,
        Annotator(name=name, kind="judge", version=panel.version()),
        given.place,
    )


def _role(name: str) -> str:
    return f"judge-{name.replace(' · ', '-')}"


def _contents(artifacts: list[Artifact]) -> dict[str, str]:
    return {f"responses-{index}": one.content for index, one in enumerate(artifacts)}


def _questions(
    prompts: Artifact, responses: list[Artifact], judge: Any, comparisons: Any, place: Place
) -> list[list[Asked]]:
    answers = records_of(place, Response, responses)
    picked = comparisons_of(candidates_of(answers, place.strengths), comparisons, place.seed)
    asked = records_of(place, Prompt, prompts)
    return asked_in_shards(asked, by_id(answers), picked, judge, place.seed)


def _ask(stage: Stage, shards: list[list[Asked]], judge: Any, annotator: Annotator) -> None:
    """Commit the shards that are still to do."""
    committed = set(stage.shards())
    to_do = {index: asked for index, asked in enumerate(shards) if index not in committed}
    sizes = {index: len(work_of(asked, judge)) for index, asked in enumerate(shards)}
    total = sum(sizes.values())
    with progress.verb(f"judge · {annotator.name} · {total} questions", total=total) as bar:
        bar.advance(sum(sizes[index] for index in committed))
        given = _asked_verdicts if judge.SHAPE == "asks" else _pure_verdicts
        for index, verdicts in given(stage, to_do, judge, annotator, bar):
            counts = counted(verdict.outcome for verdict in verdicts)
            stage.commit_shard(index, to_table(Verdict, verdicts), dict(counts))


def _pure_verdicts(
    stage: Stage, to_do: Mapping[int, list[Asked]], judge: Any, annotator: Annotator, bar: Bar
) -> Iterator[tuple[int, list[Verdict]]]:
    """Each shard's verdicts by a judge that needs nobody else."""
    for index, asked in to_do.items():
        yield index, verdicts_of_pure(asked, judge, annotator)
        bar.advance(len(work_of(asked, judge)))


def _asked_verdicts(
    stage: Stage, to_do: Mapping[int, list[Asked]], judge: Any, annotator: Annotator, bar: Bar
) -> Iterator[tuple[int, list[Verdict]]]:
    """Each shard's verdicts by a model behind a server, as its last reply arrives.

    Raises, after all others, ConnectionError if some calls got no reply, or ConfigError if none
    can.
    """
    shards = (
        (index, [_call(one, judge) for one in work_of(asked, judge)])
        for index, asked in to_do.items()
    )
    with _client(stage, judge, bar) as client:
        who = f"judge {annotator.name!r}"
        for index, replies in completed_shards(client, shards, who, bar.advance):
            yield index, _verdicts(to_do[index], replies, judge, annotator)


def _client(stage: Stage, judge: Any, bar: Bar) -> Client:
    return Client(
        base_url=judge.base_url,
        model=judge.model,
        api_key_env=judge.api_key_env,
        concurrency=judge.concurrency,
        journal=journal_of(stage),
        watch=watching(judge.price, bar),
        item_log=work_root() / "items.jsonl",
        stage=stage.digest,
    )


def _call(one: Asked, judge: Any) -> Call:
    return Call(
        id=_call_id(one, judge),
        messages=judge.render(one.prompt, one.first.text, one.second.text),
        settings=judge.request(),
    )


def _verdicts(
    asked: Sequence[Asked], replies: Sequence[Reply], judge: Any, annotator: Annotator
) -> list[Verdict]:
    """Each reply's cost stands in the first of the verdicts that it makes."""
    made = verdicts_of(asked, [opinion_of(judge, one) for one in replies], judge, annotator)
    for some, reply in zip(made, replies, strict=False):
        cost = cost_usd(judge.price, reply.prompt_tokens, reply.completion_tokens)
        some[0] = replace(some[0], cost_usd=cost)
    return [verdict for some in made for verdict in some]


def _call_id(one: Asked, judge: Any) -> str:
    question = one.question
    ids = [question.first_id, question.second_id, question.criterion, question.replicate]
    return digest([judge.version(), one.prompt.prompt_id, *ids])


def opinion_of(judge: Any, reply: Reply) -> Opinion:
    """What `judge` reads in `reply`; a reply that was cut at max_tokens is unparsed."""
    if (
        reply.finish_reason == "length" and not judge.READS_CUT_REPLIES
    ):  # what looks like its verdict may be its reasoning
        return Opinion(outcome="unparsed", reply=reply.text)
    opinion = judge.parse(reply.text or "", reply.tokens)
    if not isinstance(opinion, Opinion):
        raise DataError(f"judge {type(judge).__name__}.parse returned {opinion!r}, not an Opinion")
    return opinion


def _commit(stage: Stage, shards: int, judge: Any) -> Artifact:
    tables = [stage.shard(index) for index in range(shards)]
    table = concat(Verdict, [part for part in tables if part is not None])
    return stage.commit(
        tables={"rows": (Verdict, table)}, counts=_counts(table), volatile=_spent(stage, judge)
    )


def _counts(table: pa.Table) -> dict[str, int]:
    return {"verdicts": table.num_rows, **counted(table.column("outcome").to_pylist())}


def _spent(stage: Stage, judge: Any) -> dict[str, Any]:
    """Calls, tokens and money of every process that worked on the stage."""
    if not is_paid(judge):
        return {}
    with journal_of(stage) as journal:
        return Usage.of(journal.entries(), judge.price).plain
