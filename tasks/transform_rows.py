"""Part of the transform door: prompts with their pairs on the way in, what became of them out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from infra.artifacts import Finished
from infra.blocks import Block, Blocks
from infra.engines._contract import Sample
from infra.stages import Stage
from infra.table_files import Spool, spooled
from tasks.derivations import TABLE as ORIGINS
from tasks.derivations import Derivation
from tasks.records import PreferencePair, Prompt, Response
from tasks.responses import by_id
from tasks.tables import KEYS, from_table, grouped, to_table
from tasks.transforms._contract import Made, Maker, PromptPairs

ROWS, RESPONSES = "rows", "responses"
RECORDS = {record.__name__: record for record in KEYS}
"""The records of tables by the names in manifests."""


class Growing(NamedTuple):
    """What a transform leaves, growing on local disk."""

    pairs: Spool
    responses: Spool
    origins: Spool
    counts: Counter[str]


def views_of(block: Block) -> Iterator[PromptPairs]:
    """The prompts of a range that have pairs, in the order of ids."""
    prompts = {one.prompt_id: one for one in block.records(Prompt, "prompts")}
    responses = grouped(block.records(Response, "responses"))
    for prompt_id, pairs in sorted(grouped(block.records(PreferencePair, "pairs")).items()):
        answers = by_id(responses[prompt_id])
        yield PromptPairs(prompt=prompts[prompt_id], pairs=pairs, responses=answers)


def made_of(
    blocks: Blocks, stage: Stage, transform: Any, maker: Maker, stack: ExitStack
) -> Growing:
    """Let `transform` make what it makes of each range of prompts and of its shard of answers."""
    grown = Growing(
        pairs=stack.enter_context(spooled(PreferencePair)),
        responses=stack.enter_context(spooled(Response)),
        origins=stack.enter_context(spooled(Derivation)),
        counts=Counter(),
    )
    for block in blocks:
        written = _written(stage, block.number)
        for view in views_of(block):
            made = transform.made(view, written, maker)
            grown.pairs.add(to_table(PreferencePair, _reweighed(view.pairs, made.pairs)))
            grown.responses.add(to_table(Response, made.responses))
            grown.origins.add(to_table(Derivation, made.origins))
            grown.counts.update(_counted(made))
    return grown


def _written(stage: Stage, index: int) -> Mapping[str, Sample]:
    """The answers of a shard by ask_id; none where nobody was asked anything."""
    table = stage.shard(index)
    return {} if table is None else {one.prompt_id: one for one in from_table(Sample, table)}


def _counted(made: Made) -> Mapping[str, int]:
    return {"pairs": len(made.pairs), "responses": len(made.responses), **made.counts}


def _reweighed(
    before: Sequence[PreferencePair], after: Sequence[PreferencePair]
) -> Sequence[PreferencePair]:
    """The pairs `after`, which share the weight that those `before` had."""
    total, left = (sum(pair.weight for pair in pairs) for pairs in (before, after))
    if left in (0, total):
        return after
    return [replace(pair, weight=pair.weight * total / left) for pair in after]


def kept_tables(given: Finished, grown: Growing, stack: ExitStack) -> dict[str, Spool]:
    """The tables of the stage with the pairs that stay as they were; origins go to `grown`."""
    kept = {}
    for name, entry in given.manifest["tables"].items():
        if name in (ROWS, RESPONSES):
            continue
        record = RECORDS.get(entry["record"])
        into = grown.origins if name == ORIGINS else stack.enter_context(spooled(record))
        with given.opened(name) as table:
            for rows in table.groups():
                into.add(rows)
        if name != ORIGINS:
            kept[name] = into
    return kept
