"""Part of the transform door: lets the writer of a transform answer what it asks, in shards."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa

from infra.blocks import Blocks
from infra.engines._contract import Request, Sample
from infra.models import local_folder, positions_of
from infra.processes.room import room
from infra.progress import progress
from infra.stages import Stage
from infra.table_files import TableFile, spooled
from tasks.config import CellSection
from tasks.config_matrix import WriterSection
from tasks.describe import describe
from tasks.model_matrix import Cell, matrix_cells
from tasks.records import Message, Place
from tasks.responses import Tokens, counts_of_drawn, row_seed
from tasks.sample_job import (
    Around,
    ShardsToDo,
    Shown,
    folder_of,
    job_of,
    needs_of,
    purse_for,
    tokens_for,
)
from tasks.tables import schema
from tasks.tokens import render
from tasks.transform_rows import views_of
from tasks.transforms._contract import Ask, Maker, Transform, check_continues

ASKED = pa.schema(
    [
        ("ask_id", pa.string()),
        ("messages", pa.string()),
        ("prefix_ids", pa.list_(pa.int64())),
        ("max_tokens", pa.int64()),
    ]
)
"""What is asked, on local disk; messages are JSON."""


def writer_of(name: str, transform: Transform, place: Place) -> Cell | None:
    """The writer of a transform as a cell; None where it has none.

    ConfigError if its model or file is missing, or reads texts in another way than the policy
    where the transform works on token ids.
    """
    if transform.writer is None:
        return None
    found = matrix_cells(
        {name: cell_section(transform.writer)},
        place,
        describe=lambda model: describe(local_folder(model)),
        fingerprint=lambda cell: cell.engine.fingerprint(cell.model),
    )[name]
    if transform.READS_TOKENS and found.checkpoint is not None:
        check_continues(name, found.checkpoint, place.reference)
    return replace(found, origin="model")


def cell_section(writer: WriterSection) -> CellSection:
    """The writer as a cell that gives one sample."""
    own = {name: getattr(writer, name) for name in WriterSection.model_fields}
    return CellSection.model_validate(own)


class Asked(NamedTuple):
    """All that a transform asks, a range of prompts after another."""

    table: TableFile
    ends: Sequence[int]
    """The first row of each range, and the first behind the last."""
    longest: int
    """Most tokens that any answer may have."""

    def shard(self, index: int) -> list[Ask]:
        """What is asked about one range of prompts."""
        first, end = list(pairwise(self.ends))[index]
        rows = self.table.slice(first, end).to_pylist()
        return [Ask(**row | {"messages": json.loads(row["messages"])}) for row in rows]


@contextmanager
def asked_of(blocks: Blocks, transform: Transform, cell: Cell, maker: Maker) -> Iterator[Asked]:
    """What `transform` asks about the ranges of `blocks`, on local disk within the block."""
    ends, longest, most = [0], 1, cell.settings.max_tokens
    with spooled(None) as spool:
        spool.add(ASKED.empty_table())
        for block in blocks:
            asks = [one for view in views_of(block) for one in transform.asks(view, maker)]
            spool.add(pa.Table.from_pylist([_row(one) for one in asks], ASKED))
            ends.append(ends[-1] + len(asks))
            longest = max(longest, *(min(one.max_tokens or most, most) for one in asks), 1)
        spool.close()
        yield Asked(TableFile(spool.path), ends, longest)


def _row(ask: Ask) -> dict[str, object]:
    return {
        "ask_id": ask.ask_id,
        "messages": json.dumps(ask.messages),
        "prefix_ids": ask.prefix_ids,
        "max_tokens": ask.max_tokens,
    }


def write(stage: Stage, asked: Asked, cell: Cell, place: Place) -> None:
    """Commit the answers of the shards that are still to do, each as soon as it is there."""
    wanted = cell.settings.model_copy(update={"max_tokens": asked.longest})
    asking = replace(cell, settings=wanted)
    with ExitStack() as stack:
        entry = stack.enter_context(room(place.side_by_side).entered(needs_of(cell, place)))
        label = f"transform · {cell.name}"
        around = Around(label, folder_of(cell, place.storage), entry, place)
        asker = _Asker(asked, cell, around, (place.seed, place.round_index))
        to_do = asker.to_do(set(stage.shards()))
        bar = stack.enter_context(progress.verb(label, total=asked.ends[-1]))
        bar.advance(asked.ends[-1] - sum(asker.size(index) for index in to_do))
        purse = stack.enter_context(purse_for("transform", cell, place))
        requests = ShardsToDo(to_do, asker.requests)
        job = job_of(stage, asking, requests, Shown(asker.tokens, purse, bar), around)
        for index, drawn in cell.settings.engine.sample(job) if requests else ():
            counts = counts_of_drawn(len(requests[index]), drawn)
            rows = [asdict(asker.read(one)) for one in drawn]
            stage.commit_shard(index, pa.Table.from_pylist(rows, schema(Sample)), counts)


class _Asker:
    """Makes requests of what is asked, and texts of what comes back."""

    def __init__(self, asked: Asked, cell: Cell, around: Around, seeds: tuple[int, int]) -> None:
        self.tokens: Tokens | None = tokens_for(cell, around.folder)
        self._asked = asked
        self._cell = cell
        self._seeds = seeds
        self._positions = positions_of(around.folder) if around.folder else None

    def to_do(self, done: set[int]) -> list[int]:
        """The shards that are not committed and in which anything is asked."""
        waiting = [index for index in range(len(self._asked.ends) - 1) if index not in done]
        return [index for index in waiting if self.requests(index)]

    def size(self, index: int) -> int:
        """How much is asked in a shard."""
        return self._asked.ends[index + 1] - self._asked.ends[index]

    def requests(self, index: int) -> list[Request]:
        """The requests of a shard; what finds no room in the model is left out."""
        made = [self._request(one) for one in self._asked.shard(index)]
        return [one for one in made if self._fits(one)]

    def _request(self, ask: Ask) -> Request:
        system = self._cell.settings.system
        first = [Message(role="system", content=system)] if system else []
        messages = [*first, *ask.messages]
        ids = render(self.tokens.tokenizer, messages) if self.tokens else None
        return Request(
            prompt_id=ask.ask_id,
            sample_index=0,
            seed=row_seed(*self._seeds, self._cell, ask.ask_id, 0),
            messages=messages,
            prompt_ids=None if ids is None else [*ids, *(ask.prefix_ids or [])],
        )

    def _fits(self, request: Request) -> bool:
        if self._positions is None or request.prompt_ids is None:
            return True
        return len(request.prompt_ids) + self._asked.longest <= self._positions

    def read(self, drawn: Sample) -> Sample:
        """`drawn` with its text, where the engine gives token ids alone."""
        if drawn.text is not None or drawn.token_ids is None or self.tokens is None:
            return drawn
        text = self.tokens.tokenizer.decode(drawn.token_ids, skip_special_tokens=True)
        return replace(drawn, text=str(text))
