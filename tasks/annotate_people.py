"""Part of the annotate door: what people say and write becomes verdicts and responses."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from infra.annotation.batches import open_batch
from infra.place import blocks_of, contents, open_stage, records_of, rows_about, store_of
from infra.rows import file_digests, read_tables
from infra.stages import Stage
from infra.table_files import spooled
from tasks.aggregations._contract import Vote
from tasks.annotate_queue import Given, shown
from tasks.annotation import written_responses
from tasks.annotation_items import Answer, Item
from tasks.conversations import About
from tasks.opinions import Annotator
from tasks.people.answers import Counted, counted, ideal_rows, verdicts_of
from tasks.people.simulated import simulated_answers
from tasks.people.together import known_votes, said_together, votes_of
from tasks.recorded_thumbs import said_in
from tasks.recorded_verdicts import Answered
from tasks.records import Artifact, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.tables import content, to_table
from tasks.variants import settings_of


class Said(NamedTuple):
    """What people answered to a queue."""

    items: dict[str, Item]
    """By item_id."""
    counted: Counted
    late: list[Answer]
    """Answers to earlier rounds that came after their batch had closed."""


NOTHING = Said({}, Counted({}, {}), [])


def said_to(items: Artifact | None, given: Given) -> Said:
    """The answers that count: of simulated people at once, or of the round's closed batch."""
    if items is None:
        return NOTHING
    listed = {one.item_id: one for one in records_of(given.place, Item, items)}
    if given.settings.people:
        return Said(listed, counted(_simulated(items, given), listed), [])
    batch = open_batch(store_of(given.place), given.place.run, given.place.round_index)
    late = [one for _, some in sorted(batch.late().items()) for one in some]
    return Said(listed, counted(batch.counted(), listed), late)


def answers_stage(said: Said, items: Artifact | None, given: Given, semantics: int) -> Stage:
    """The stage of what people say: the answers that count are among what decides it."""
    place, settings = given.place, given.settings
    asked = {} if items is None else {"items": items.content, **_digests(said)}
    return open_stage(
        place,
        "annotate",
        settings={
            "annotate": settings_of(settings),
            "comparisons": settings_of(given.comparisons),
            "strengths": dict(place.strengths),
            "min_distance": place.min_distance,
        },
        inputs={
            "prompts": given.prompts.content,
            **contents("responses", given.responses),
            **(contents("verdicts", given.verdicts) if _reads_verdicts(given) else {}),
            **asked,
        },
        seeds={"seed": place.seed},
        fingerprints=file_digests([*settings.verdict_files, *settings.response_files]),
        semantics=semantics,
    )


def _digests(said: Said) -> dict[str, str]:
    """What was answered, as a key holds it."""
    rows = {"answers": list(said.counted.answers.values()), "late": said.late}
    return {name: content(Answer, to_table(Answer, some)) for name, some in rows.items()}


def _simulated(items: Artifact, given: Given) -> list[Answer]:
    """What simulated people answer, a range of prompts at a time."""
    tables: dict[str, Any] = {"items": items}
    tables |= {name: (items, name) for name in ("prompts", "responses")}
    found: list[Answer] = []
    with blocks_of(given.place, "items", **tables) as blocks:
        for block in blocks:
            prompts = {one.prompt_id: one for one in block.records(Prompt, "prompts")}
            answers = by_id(block.records(Response, "responses"))
            asked = block.records(Item, "items")
            found += simulated_answers(asked, prompts, answers, given.settings.people)
    return found


@contextmanager
def people_say(said: Said, given: Given) -> Iterator[dict[str, Any]]:
    """What `Stage.commit` takes, within the block."""
    answers = list(said.counted.answers.values())
    rows = list(read_tables(given.settings.verdict_files))
    texts = [*read_tables(given.settings.response_files), *ideal_rows(answers, said.items)]
    asked = _answered(About([*rows, *texts]), given) if rows or texts else Answered([], {})
    from_files = said_in(rows, asked, Annotator(name="", kind="human"))
    written = written_responses(texts, asked)
    verdicts = [*verdicts_of(answers, said.items), *from_files.verdicts, *written.verdicts]
    with spooled(Verdict) as spool:
        counts, others = _counted(given)
        spool.add(to_table(Verdict, verdicts))
        spool.add(to_table(Verdict, _together([*others, *votes_of(verdicts)], said, given)))
        yield {
            "tables": {
                "rows": spool,
                "responses": (Response, to_table(Response, written.responses)),
                "answers": (Answer, to_table(Answer, answers)),
                "late": (Answer, to_table(Answer, said.late)),
            },
            "counts": {
                **counts,
                "verdicts": len(verdicts),
                "written": len(written.responses),
                **said.counted.counts,
                "answers_late": len(said.late),
                **{f"verdicts_{reason}": count for reason, count in from_files.counts.items()},
                **written.skipped,
            },
        }


def _answered(about: About, given: Given) -> Answered:
    """The prompts and responses that rows are about."""
    asked, answers = rows_about(
        given.place, given.prompts, given.responses, about, about.response_ids
    )
    return Answered(asked, by_id(answers))


def _counted(given: Given) -> tuple[Counter[str], list[Vote]]:
    """Counts of all that people could be shown, and the votes of people among the judges."""
    counts: Counter[str] = Counter(comparisons=0, near_duplicates=0)
    votes: list[Vote] = []
    tables: dict[str, Any] = {"prompts": given.prompts, "responses": given.responses}
    if _reads_verdicts(given):
        tables["verdicts"] = given.verdicts
    with blocks_of(given.place, "prompts", **tables) as blocks:
        for block, _, made, repeated in shown(blocks, given.comparisons, given.place):
            counts.update(comparisons=sum(map(len, made.values())), near_duplicates=repeated)
            if given.settings.aggregation is not None:
                votes += votes_of(block.records(Verdict, "verdicts"))
    return counts, votes


def _reads_verdicts(given: Given) -> bool:
    """Whether what comes out depends on the judges' verdicts."""
    return bool(given.comparisons.ADAPTIVE or given.settings.aggregation)


def _together(votes: Sequence[Vote], said: Said, given: Given) -> list[Verdict]:
    """What people together say, where a setting tells how; else correction takes the majority."""
    if given.settings.aggregation is None:
        return []
    known = {name: item.known for name, item in said.items.items() if item.known is not None}
    also = known_votes(said.counted.answers.values(), said.items)
    return said_together([*votes, *also], known, given.settings.aggregation)
