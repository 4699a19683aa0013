"""Door: responses in, verdicts of AI judges out; one stage per judge, paid calls never repeated."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pyarrow as pa

from infra.journal import Journal
from infra.openai_client import Call, Client, Reply
from infra.place import note, open_stage, records_of, store_of
from infra.prefect.door import door
from infra.progress import progress
from infra.rows import file_digests, read_rows
from infra.stages import Stage
from infra.work import stage_dir, work_root
from tasks.canonical import digest
from tasks.errors import ConfigError, DataError
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
from tasks.sources import Row, Source
from tasks.tables import concat, counted, to_table
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
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return note(place, _role(name), done.artifact)
    shards = _questions(prompts, responses, judge, comparisons, place)
    _ask(stage, shards, judge, annotator, place)
    return note(place, _role(name), _commit(stage, len(shards)))


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
    texts = texts_of(_rows(judge.texts), answered) if judge.texts else None
    found = joined(_rows(judge.files), answered, annotator, texts)
    table = to_table(Verdict, found.verdicts)
    counts = {**_counts(table), **found.counts}
    artifact = stage.commit(tables={"rows": (Verdict, table)}, counts=counts, deterministic=True)
    return note(place, _role(name), artifact)


def _rows(sources: Iterable[Source]) -> Iterator[Row]:
    return (row for source in sources for row in read_rows(source))


def _contents(artifacts: list[Artifact]) -> dict[str, str]:
    return {f"responses-{index}": one.content for index, one in enumerate(artifacts)}


def _questions(
    prompts: Artifact, responses: list[Artifact], judge: Any, comparisons: Any, place: Place
) -> list[list[Asked]]:
    answers = records_of(place, Response, responses)
    picked = comparisons_of(candidates_of(answers, place.strengths), comparisons, place.seed)
    asked = records_of(place, Prompt, prompts)
    return asked_in_shards(asked, by_id(answers), picked, judge, place.seed)


def _ask(
    stage: Stage, shards: list[list[Asked]], judge: Any, annotator: Annotator, place: Place
) -> None:
    """Commit the shards that are still to do."""
    committed = set(stage.shards())
    total = sum(map(len, shards))
    with (
        progress.verb(f"judge · {annotator.name} · {total} questions", total=total) as bar,
        _client(stage, judge, place) as client,
    ):
        for index, asked in enumerate(shards):
            if index not in committed:
                verdicts = (
                    _verdicts_of_client(client, asked, judge, annotator)
                    if client
                    else verdicts_of_pure(asked, judge, annotator)
                )
                counts = counted(verdict.outcome for verdict in verdicts)
                stage.commit_shard(index, to_table(Verdict, verdicts), dict(counts))
            bar.advance(len(asked))


def _client(stage: Stage, judge: Any, place: Place) -> AbstractContextManager[Client | None]:
    """A client for judges that ask; nothing for pure ones."""
    if judge.SHAPE != "asks":
        return nullcontext()
    folder = stage_dir("judge", stage.digest)
    journal = Journal(folder / "journal.jsonl", store_of(place), stage.journal)
    return Client(
        base_url=judge.base_url,
        model=judge.model,
        api_key_env=judge.api_key_env,
        concurrency=judge.concurrency,
        journal=journal,
        item_log=work_root() / "items.jsonl",
        stage=stage.digest,
    )


def _verdicts_of_client(
    client: Client, asked: list[Asked], judge: Any, annotator: Annotator
) -> list[Verdict]:
    """Ask about every pair of a shard.

    Raises, after all of them, ConnectionError if some got no reply, or ConfigError if none can.
    """
    calls = {_call_id(one, judge): one for one in asked}
    wanted = [
        Call(
            id=call_id,
            messages=judge.render(one.prompt, one.first.text, one.second.text),
            settings={"temperature": judge.temperature, "max_tokens": judge.max_tokens},
        )
        for call_id, one in calls.items()
    ]
    replies: dict[str, Reply] = {call.id: reply for call, reply in client.complete(wanted)}
    failed = [reply for reply in replies.values() if reply.error]
    if failed:
        hopeless = any(reply.hopeless for reply in failed)
        raise (ConfigError if hopeless else ConnectionError)(
            f"judge {annotator.name!r}: {len(failed)} of {len(asked)} calls failed, first: "
            f"{failed[0].error}. What was answered is kept; the next attempt asks only for the rest"
        )
    return [
        verdict_of(opinion_of(judge, replies[call_id]), one.question, annotator)
        for call_id, one in calls.items()
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


def _commit(stage: Stage, shards: int) -> Artifact:
    tables = [stage.shard(index) for index in range(shards)]
    table = concat(Verdict, [part for part in tables if part is not None])
    return stage.commit(tables={"rows": (Verdict, table)}, counts=_counts(table))


def _counts(table: pa.Table) -> dict[str, int]:
    return {"verdicts": table.num_rows, **counted(table.column("outcome").to_pylist())}
