"""Door: responses in, verdicts of AI judges out; one stage per judge, paid calls never repeated."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from infra.ledger import Purse
from infra.openai_client import Call, Client
from infra.openai_shards import completed_shards
from infra.place import journal_of, note, open_stage, purse_of, records_of
from infra.prefect.door import door
from infra.progress import Bar, progress
from infra.rows import file_digests, read_tables
from infra.stages import Stage
from infra.work import work_root
from tasks.judging import (
    Asked,
    asked_in_shards,
    call_id,
    candidates_of,
    comparisons_of,
    verdicts_of_pure,
)
from tasks.opinions import Annotator
from tasks.recorded_verdicts import Answered, joined, texts_of
from tasks.records import Artifact, Place, Prompt, Response, Verdict
from tasks.replies import LOST, losses, verdicts_of_replies
from tasks.responses import by_id
from tasks.spending import Price
from tasks.tables import concat, counted, to_table
from tasks.thrift import Given, in_waves
from tasks.usage import Usage, is_paid, watching
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
    return note(place, _role(name), _commit(stage, len(shards), judge, place))


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


def _ask(
    stage: Stage, shards: list[list[Asked]], judge: Any, annotator: Annotator, place: Place
) -> None:
    """Commit the shards that are still to do."""
    committed = set(stage.shards())
    to_do = {index: asked for index, asked in enumerate(shards) if index not in committed}
    total = sum(map(len, shards))
    with progress.verb(f"judge · {annotator.name} · {total} questions", total=total) as bar:
        bar.advance(total - sum(map(len, to_do.values())))
        if judge.SHAPE == "asks":
            given = _asked_verdicts(stage, to_do, judge, annotator, bar, place)
        else:
            given = _pure_verdicts(to_do, judge, annotator, bar)
        for index, verdicts, lost in given:
            counts = counted(verdict.outcome for verdict in verdicts)
            stage.commit_shard(index, to_table(Verdict, verdicts), {**counts, **lost})


def _pure_verdicts(
    to_do: Mapping[int, list[Asked]], judge: Any, annotator: Annotator, bar: Bar
) -> Iterator[Given]:
    """Each shard's verdicts by a judge that needs nobody else."""
    for index, asked in to_do.items():
        yield index, verdicts_of_pure(asked, judge, annotator), {}
        bar.advance(len(asked))


def _asked_verdicts(
    stage: Stage,
    to_do: Mapping[int, list[Asked]],
    judge: Any,
    annotator: Annotator,
    bar: Bar,
    place: Place,
) -> Iterator[Given]:
    """Each shard's verdicts by a model behind a server, as its last reply arrives.

    Raises, after all others, ConnectionError if some calls got no reply, or ConfigError if none
    can, and BudgetError where they may not be paid for.
    """
    price = place.terms.price_of(judge, judge.model)
    with (
        purse_of(place, "judge", annotator.name, price) as purse,
        _client(stage, judge, bar, purse, place) as client,
    ):
        asking = _Asking(client, judge, annotator, price, bar)
        if purse.degrades and judge.both_orders:
            yield from in_waves(asking.shards, to_do, place.strengths)
        else:
            yield from asking.shards(to_do)


class _Asking(NamedTuple):
    """A judge with the client that reaches it."""

    client: Client
    judge: Any
    annotator: Annotator
    price: Price | None
    bar: Bar

    def shards(self, to_do: Mapping[int, Sequence[Asked]]) -> Iterator[Given]:
        """Each shard's verdicts, and how many questions were lost for which reason."""
        who = f"judge {self.annotator.name!r}"
        calls = (
            (index, [_call(one, self.judge, self.annotator) for one in asked])
            for index, asked in to_do.items()
        )
        for index, replies in completed_shards(self.client, calls, who, self.bar.advance):
            found = verdicts_of_replies(
                to_do[index], replies, self.judge, self.annotator, self.price
            )
            yield index, found, losses(replies)


def _client(stage: Stage, judge: Any, bar: Bar, purse: Purse, place: Place) -> Client:
    return Client(
        base_url=judge.base_url,
        model=judge.model,
        api_key_env=judge.api_key_env,
        concurrency=judge.concurrency,
        timeout_seconds=judge.timeout_seconds,
        limits=place.terms.limits_at,
        purse=purse,
        journal=journal_of(stage, judge.model),
        watch=watching(purse.price, bar),
        item_log=work_root() / "items.jsonl",
        stage=stage.digest,
    )


def _call(one: Asked, judge: Any, annotator: Annotator) -> Call:
    return Call(
        id=call_id(one, judge, annotator.name),
        messages=judge.render(one.prompt, one.first.text, one.second.text),
        settings={"temperature": judge.temperature, "max_tokens": judge.max_tokens},
    )


def _commit(stage: Stage, shards: int, judge: Any, place: Place) -> Artifact:
    tables = [stage.shard(index) for index in range(shards)]
    table = concat(Verdict, [part for part in tables if part is not None])
    lost: Counter[str] = Counter()
    for index in range(shards):
        found = stage.shard_counts(index) or {}
        lost.update({name: count for name, count in found.items() if name.startswith(LOST)})
    return stage.commit(
        tables={"rows": (Verdict, table)},
        counts={**_counts(table), **dict(sorted(lost.items()))},
        volatile=_spent(stage, judge, place),
    )


def _counts(table: pa.Table) -> dict[str, int]:
    return {"verdicts": table.num_rows, **counted(table.column("outcome").to_pylist())}


def _spent(stage: Stage, judge: Any, place: Place) -> dict[str, Any]:
    """Calls, tokens and money of every process that worked on the stage."""
    if not is_paid(judge):
        return {}
    with journal_of(stage, judge.model) as journal:
        price = place.terms.price_of(judge, judge.model)
        return Usage.of(journal.entries(stage.digest), price).plain
