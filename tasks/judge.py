"""Door: responses in, verdicts of AI judges out; one stage per judge, paid calls never repeated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from infra.models import local_folder
from infra.openai_client import Call, Client, Reply
from infra.openai_shards import completed_shards
from infra.place import journal_of, note, open_stage, records_of
from infra.prefect.door import door
from infra.progress import Bar, progress
from infra.rows import file_digests, read_tables
from infra.stages import Stage
from infra.vllm.endpoint import Endpoint, endpoint_of
from infra.work import stage_dir, work_root
from tasks.canonical import digest
from tasks.errors import DataError
from tasks.judging import (
    Asked,
    asked_in_shards,
    candidates_of,
    comparisons_of,
    verdicts_of_pure,
)
from tasks.opinions import Annotator, Opinion, verdict_of
from tasks.recorded_verdicts import Answered, joined, texts_of
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
    annotator = Annotator(name=name.partition(" · ")[0], kind="judge", version=judge.version())
    if judge.SHAPE == "recorded":
        return _recorded(name, prompts, responses, judge, place)
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
        fingerprints=_served(judge),
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return note(place, _role(name), done.artifact)
    shards = _questions(prompts, responses, judge, comparisons, place)
    _ask(stage, shards, judge, annotator)
    return note(place, _role(name), _commit(stage, len(shards), judge))


def _served(judge: Any) -> dict[str, str]:
    """The weights that answer, where we serve them."""
    from tasks.describe import describe

    if getattr(judge, "server", None) is None:
        return {}
    return {"judge": describe(local_folder(judge.model)).sha256}


def _role(name: str) -> str:
    return f"judge-{name.replace(' · ', '-')}"


def _recorded(
    name: str, prompts: Artifact, responses: list[Artifact], judge: Any, place: Place
) -> Artifact:
    """The verdicts of tables on these responses; comparison rules have no say in them."""
    annotator = Annotator(name=name.partition(" · ")[0], kind=judge.by, version=judge.version())
    stage = open_stage(
        place,
        "judge",
        settings={"judge": settings_of(judge), "annotator": annotator.name},
        inputs={"prompts": prompts.content, **_contents(responses)},
        fingerprints=file_digests([*judge.files, *judge.texts]),
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return note(place, _role(name), done.artifact)
    answered = Answered(
        records_of(place, Prompt, prompts), by_id(records_of(place, Response, responses))
    )
    texts = texts_of(read_tables(judge.texts), answered) if judge.texts else None
    found = joined(read_tables(judge.files), answered, annotator, texts)
    table = to_table(Verdict, found.verdicts)
    counts = {**_counts(table), **found.counts}
    artifact = stage.commit(tables={"rows": (Verdict, table)}, counts=counts, deterministic=True)
    return note(place, _role(name), artifact)


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
    total = sum(map(len, shards))
    with progress.verb(f"judge · {annotator.name} · {total} questions", total=total) as bar:
        bar.advance(total - sum(map(len, to_do.values())))
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
        bar.advance(len(asked))


def _asked_verdicts(
    stage: Stage, to_do: Mapping[int, list[Asked]], judge: Any, annotator: Annotator, bar: Bar
) -> Iterator[tuple[int, list[Verdict]]]:
    """Each shard's verdicts by a model behind a server, as its last reply arrives.

    Raises, after all others, ConnectionError if some calls got no reply, or ConfigError if none
    can.
    """
    shards = ((index, [_call(one, judge) for one in asked]) for index, asked in to_do.items())
    if not to_do:
        return
    workdir = stage_dir("judge", stage.digest)
    with endpoint_of(judge, workdir) as place, _client(stage, judge, place, bar) as client:
        who = f"judge {annotator.name!r}"
        for index, replies in completed_shards(client, shards, who, bar.advance):
            yield index, _verdicts(to_do[index], replies, judge, annotator)


def _client(stage: Stage, judge: Any, endpoint: Endpoint, bar: Bar) -> Client:
    return Client(
        base_url=endpoint.base_url,
        model=endpoint.model,
        is_there=endpoint.is_there,
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
        settings={"temperature": judge.temperature, "max_tokens": judge.max_tokens},
    )


def _verdicts(
    asked: Sequence[Asked], replies: Sequence[Reply], judge: Any, annotator: Annotator
) -> list[Verdict]:
    return [
        replace(
            verdict_of(opinion_of(judge, reply), one.question, annotator),
            cost_usd=cost_usd(judge.price, reply.prompt_tokens, reply.completion_tokens),
        )
        for one, reply in zip(asked, replies, strict=True)
    ]


def _call_id(one: Asked, judge: Any) -> str:
    question = one.question
    ids = [question.first_id, question.second_id, question.criterion, question.replicate]
    return digest([judge.version(), one.prompt.prompt_id, *ids])


def opinion_of(judge: Any, reply: Reply) -> Opinion:
    """What `judge` reads in `reply`; a reply that was cut at max_tokens is unparsed."""
    if reply.finish_reason == "length":  # what looks like its verdict may be its reasoning
        return Opinion(outcome="unparsed", reply=reply.text)
    opinion = judge.parse(reply.text or "")
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
