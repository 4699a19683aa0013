"""Part of the annotate door: what people say and write, a range of prompts at a time."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from infra.blocks import Block, Blocks
from infra.place import blocks_of, rows_about
from infra.rows import read_tables
from infra.table_files import Spool, spooled
from tasks.annotation import drawn, listed, lots, simulated_verdicts, written_responses
from tasks.config import AnnotateSection
from tasks.conversations import About
from tasks.judging import candidates_of, compared_in, comparisons_of
from tasks.opinions import Annotator
from tasks.recorded_verdicts import Answered, joined
from tasks.records import Artifact, Place, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.tables import to_table


def _shown(
    blocks: Blocks, comparisons: Any, place: Place
) -> Iterator[tuple[Block, dict[str, list[tuple[str, str]]], int]]:
    """By ranges of prompts: what people may be shown, and how many near-duplicates there are."""
    for block in blocks:
        answers = block.records(Response, "responses")
        candidates = candidates_of(answers, place.strengths, place.min_distance)
        repeated = sum(bool(one.represented_by) for some in candidates.values() for one in some)
        if comparisons.ADAPTIVE:  # people see what judges were asked
            yield block, compared_in(block.records(Verdict, "verdicts")), repeated
        else:
            yield block, comparisons_of(candidates, comparisons, place.seed), repeated


def _simulated(
    blocks: Blocks, rows: Spool, settings: AnnotateSection, comparisons: Any, place: Place
) -> Counter[str]:
    """Let simulated people answer their share of all comparisons; counts of all there are."""
    counts = Counter(comparisons=0, near_duplicates=0)
    every = [np.empty(0)]
    for _, made, repeated in _shown(blocks, comparisons, place):
        counts.update(comparisons=sum(map(len, made.values())), near_duplicates=repeated)
        if settings.people:
            every.append(np.array(lots(made, place.seed)))
    seen = drawn(np.concatenate(every), settings.budget)
    if not seen.any():
        return counts
    first = 0
    for block, made, _ in _shown(blocks, comparisons, place):
        found = listed(made)
        end = first + len(found)
        picked = [one for one, yes in zip(found, seen[first:end], strict=True) if yes]
        first = end
        asked = {prompt.prompt_id: prompt for prompt in block.records(Prompt, "prompts")}
        answers = by_id(block.records(Response, "responses"))
        people = (settings.people, place.seed, rows.rows)
        rows.add(to_table(Verdict, simulated_verdicts(picked, asked, answers, *people)))
    return counts


@contextmanager
def people_say(
    prompts: Artifact,
    responses: list[Artifact],
    verdicts: list[Artifact],
    settings: AnnotateSection,
    comparisons: Any,
    place: Place,
) -> Iterator[dict[str, Any]]:
    """What `Stage.commit` takes, within the block."""
    given = list(read_tables(settings.verdict_files))
    texts = list(read_tables(settings.response_files))
    about = About([*given, *texts])
    asked, answers = (
        rows_about(place, prompts, responses, about, about.response_ids)
        if given or texts
        else ([], [])
    )
    answered = Answered(asked, by_id(answers))
    from_files = joined(given, answered, Annotator(name="", kind="human"))
    written = written_responses(texts, answered)
    tables: dict[str, Any] = {"prompts": prompts, "responses": responses}
    if comparisons.ADAPTIVE:
        tables["verdicts"] = verdicts
    with spooled(Verdict) as rows, blocks_of(place, "prompts", **tables) as blocks:
        counts = _simulated(blocks, rows, settings, comparisons, place)
        rows.add(to_table(Verdict, [*from_files.verdicts, *written.verdicts]))
        yield {
            "tables": {
                "rows": rows,
                "responses": (Response, to_table(Response, written.responses)),
            },
            "counts": {
                **counts,
                "verdicts": rows.rows,
                "written": len(written.responses),
                **{f"verdicts_{reason}": count for reason, count in from_files.counts.items()},
                **written.skipped,
            },
        }
