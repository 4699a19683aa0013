"""Part of the annotate door: which comparisons people see, a range of prompts at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np

from infra.blocks import Block, Blocks
from infra.place import blocks_of, contents, open_stage, rows_about
from infra.rows import file_digests, read_tables
from infra.stages import Stage
from infra.table_files import Spool, spooled
from tasks.annotation_items import Item
from tasks.candidates import Candidate
from tasks.config import AnnotateSection
from tasks.conversations import About
from tasks.judging import candidates_of, compared_in, comparisons_of
from tasks.opinions import Annotator
from tasks.queue.choice import Choice, Scored, choose
from tasks.queue.evidence import Compared, Comparison, asking, compared
from tasks.queue.items import (
    Gold,
    Picked,
    in_order,
    item_of,
    known_items,
    ranks,
    repeats_of,
)
from tasks.queue.known import Texts, known_answers
from tasks.queue.settings import RANDOM
from tasks.recorded_thumbs import is_thumbs
from tasks.recorded_verdicts import Answered, joined
from tasks.records import Artifact, Place, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.seeds import uniform_of
from tasks.tables import to_table
from tasks.variants import settings_of


class Given(NamedTuple):
    """What people could be shown."""

    prompts: Artifact
    responses: list[Artifact]
    verdicts: list[Artifact]
    comparisons: Any
    settings: AnnotateSection
    place: Place


class Shown(NamedTuple):
    """What people may be shown of a range of prompts."""

    block: Block
    candidates: dict[str, list[Candidate]]
    comparisons: dict[str, list[Comparison]]
    near_duplicates: int


def shown(blocks: Blocks, comparisons: Any, place: Place) -> Iterator[Shown]:
    """By ranges of prompts: all comparisons, and how many near-duplicates there are."""
    for block in blocks:
        answers = block.records(Response, "responses")
        candidates = candidates_of(answers, place.strengths, place.min_distance)
        repeated = sum(bool(one.represented_by) for some in candidates.values() for one in some)
        if comparisons.ADAPTIVE:  # people see what judges were asked
            made = compared_in(block.records(Verdict, "verdicts"))
        else:
            made = comparisons_of(candidates, comparisons, place.seed)
        yield Shown(block, candidates, made, repeated)


def queue_stage(given: Given, semantics: int) -> Stage:
    """The stage of the queue: all that decides what people are asked."""
    place, settings = given.place, given.settings
    return open_stage(
        place,
        "annotate",
        settings={
            "part": "queue",
            "budget": settings.budget,
            "queue": settings_of(settings.queue),
            "comparisons": settings_of(given.comparisons),
            "strengths": dict(place.strengths),
            "min_distance": place.min_distance,
        },
        inputs={
            "prompts": given.prompts.content,
            **contents("responses", given.responses),
            **contents("verdicts", given.verdicts),
        },
        seeds={"seed": place.seed},
        fingerprints=file_digests([*settings.queue.known_files, *settings.verdict_files]),
        semantics=semantics,
    )


@contextmanager
def queue_of(given: Given) -> Iterator[dict[str, Any]]:
    """The items with their texts: what `Stage.commit` takes, within the block."""
    known = known_answers(read_tables(given.settings.queue.known_files))
    judged = _judged_by_people(given)
    with ExitStack() as stack:
        blocks = stack.enter_context(
            blocks_of(
                given.place,
                "prompts",
                prompts=given.prompts,
                responses=given.responses,
                verdicts=given.verdicts,
            )
        )
        scored, strata = _scored(blocks, judged, given)
        start = uniform_of(given.place.seed, "annotate", "start")
        choice = choose(scored, given.settings.budget, given.settings.queue, start)
        gold = [*known.gold, *_already_known(judged)]
        items = _items(_picked(blocks, choice, scored, judged, given), choice, gold, given)
        texts = stack.enter_context(spooled(Prompt)), stack.enter_context(spooled(Response))
        _add_texts(blocks, items, known, texts)
        yield {
            "tables": {
                "rows": (Item, to_table(Item, items)),
                "prompts": texts[0],
                "responses": texts[1],
            },
            "counts": {
                "comparisons": len(scored.scores),
                "strata": len(strata),
                "judged_by_people": len(judged),
                **Counter(f"items_{one.reason}" for one in items),
            },
        }


class Judged(NamedTuple):
    """What people have said of a comparison before this round's queue."""

    prompt_id: str
    outcomes: tuple[str, ...]


def _judged_by_people(given: Given) -> dict[Comparison, Judged]:
    """The comparisons that files of verdicts decide: nobody is asked again."""
    rows = [row for row in read_tables(given.settings.verdict_files) if not is_thumbs(row)]
    if not rows:
        return {}
    about = About(rows)
    asked, answers = rows_about(
        given.place, given.prompts, given.responses, about, about.response_ids
    )
    found: dict[Comparison, Judged] = {}
    someone = Annotator(name="", kind="human")
    for one in joined(rows, Answered(asked, by_id(answers)), someone).verdicts:
        before = found.get((one.a_id, one.b_id), Judged(one.prompt_id, ()))
        said = (*before.outcomes, one.outcome)
        found[one.a_id, one.b_id] = before._replace(outcomes=said)
    return found


def _already_known(judged: dict[Comparison, Judged]) -> Iterator[Gold]:
    """Comparisons on which two people or more agree, none of them otherwise."""
    for ids, one in judged.items():
        several, said = len(one.outcomes) > 1, set(one.outcomes)
        if several and len(said) == 1 and said <= {"a", "b", "tie"}:
            yield Gold(one.prompt_id, ids, said.pop(), "judged before")


def _all(
    blocks: Blocks, judged: dict[Comparison, Judged], given: Given
) -> Iterator[tuple[Block, list[Compared]]]:
    """Every comparison that no person has judged yet, by ranges of prompts."""
    reasons = given.settings.queue.reasons
    for block, candidates, made, _ in shown(blocks, given.comparisons, given.place):
        verdicts = block.records(Verdict, "verdicts")
        people = {(one.a_id, one.b_id) for one in verdicts if one.annotator_kind == "human"}
        done = people | judged.keys()
        open_ones = {name: [ids for ids in some if ids not in done] for name, some in made.items()}
        prompts = {one.prompt_id: one for one in block.records(Prompt, "prompts")}
        answers = by_id(block.records(Response, "responses"))
        yield block, list(compared(open_ones, prompts, candidates, answers, verdicts, reasons))


def _scored(
    blocks: Blocks, judged: dict[Comparison, Judged], given: Given
) -> tuple[Scored, list[str]]:
    """A few numbers of every comparison, and the names of the strata."""
    names: dict[str, int] = {}
    parts = []
    for _, found in _all(blocks, judged, given):
        rows = [
            (
                asking(one.evidence, given.settings.queue.reasons).score,
                names.setdefault(one.stratum, len(names)),
                uniform_of(given.place.seed, "annotate", *one.ids),
            )
            for one in found
        ]
        parts.append(np.array(rows, np.float64).reshape(-1, 3))
    numbers = np.concatenate([np.empty((0, 3)), *parts])
    ordered = sorted(names)
    order = np.array([ordered.index(name) for name in names], np.int64)
    scored = Scored(numbers[:, 0], numbers[:, 1].astype(np.int64), numbers[:, 2], order)
    return scored, ordered


def _picked(
    blocks: Blocks,
    choice: Choice,
    scored: Scored,
    judged: dict[Comparison, Judged],
    given: Given,
) -> Iterator[Picked]:
    """The chosen comparisons with their reasons; the tables are read once more for them."""
    wanted = {int(place): rank for some in (choice.asked, choice.drawn)
              for place, rank in zip(some, ranks(len(some)), strict=True)}  # fmt: skip
    drawn = set(choice.drawn.tolist())
    place = 0
    for _, found in _all(blocks, judged, given):
        for one in found:
            if place in wanted:
                random = place in drawn
                reason = asking(one.evidence, given.settings.queue.reasons).reason
                yield Picked(
                    prompt_id=one.prompt_id,
                    ids=one.ids,
                    reason=RANDOM if random else reason,
                    stratum=one.stratum,
                    chance=choice.chance if random else 1.0,
                    rank=wanted[place],
                )
            place += 1


def _items(picked: Iterable[Picked], choice: Choice, gold: list[Gold], given: Given) -> list[Item]:
    """All items in the order of the queue."""
    settings, seed = given.settings.queue, given.place.seed
    ranked = [(one.rank, item_of(one, settings, seed)) for one in picked]
    known = known_items(gold, choice.repeats, settings, seed)
    left = choice.repeats - len(known)
    again = repeats_of([item for _, item in ranked], left, settings, seed)
    placed = [*ranked, *zip(ranks(len(known)), known, strict=True)]
    return in_order(placed, again, seed)


def _add_texts(blocks: Blocks, items: list[Item], known: Texts, texts: tuple[Spool, Spool]) -> None:
    """Keep the prompts and responses of the items beside them: a front end reads nothing else."""
    prompts = {one.prompt_id for one in items}
    responses = {name for one in items for name in (one.a_id, one.b_id)}
    there: set[str] = set()
    for block in blocks:
        found = [one for one in block.records(Prompt, "prompts") if one.prompt_id in prompts]
        there |= {one.prompt_id for one in found}
        answers = block.records(Response, "responses")
        texts[0].add(to_table(Prompt, found))
        texts[1].add(to_table(Response, [one for one in answers if one.response_id in responses]))
    others = [known.prompts[name] for name in sorted((prompts & known.prompts.keys()) - there)]
    texts[0].add(to_table(Prompt, others))
    listed = sorted(responses & known.responses.keys())
    texts[1].add(to_table(Response, [known.responses[name] for name in listed]))
