"""What items show: prompts and responses, at hand by id however large their tables are."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from infra.artifacts import Finished, open_artifact
from infra.storage import Store
from infra.work import temporary_dir
from tasks.annotation_items import Item
from tasks.errors import DataError
from tasks.records import Artifact, Message

PROMPT_COLUMNS = ("prompt_id", "messages")
RESPONSE_COLUMNS = ("response_id", "text")


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """What one item shows; a and b as the item names them, whichever is shown first."""

    item: Item
    """The item."""
    messages: list[Message]
    """The prompt, oldest turn first."""
    a: str
    """Text of the response with the smaller id."""
    b: str
    """Text of the response with the larger id."""


class TextTables:
    """Texts of items, copied once out of the tables of a round into files of this process.

    The files are mapped, not read, and gone with the process.
    """

    def __init__(self, store: Store, asked: Artifact, items: Sequence[Item]) -> None:
        """Raises DataError if the stage `asked` lacks a prompt or a response of `items`."""
        shown = {one for item in items for one in (item.a_id, item.b_id)}
        prompts = {item.prompt_id for item in items}
        stage = open_artifact(store, asked)
        self._prompts = _Column(stage, "prompts", PROMPT_COLUMNS, prompts)
        self._responses = _Column(stage, "responses", RESPONSE_COLUMNS, shown)

    def of(self, items: Iterable[Item]) -> list[Texts]:
        """What `items` show, in their order."""
        return [
            Texts(
                item=item,
                messages=self._prompts.of(item.prompt_id),
                a=self._responses.of(item.a_id),
                b=self._responses.of(item.b_id),
            )
            for item in items
        ]


class _Column:
    """The values of one column by the ids in another, in a mapped file."""

    def __init__(
        self, stage: Finished, table: str, columns: tuple[str, str], wanted: set[str]
    ) -> None:
        self._values = pa.chunked_array([], pa.null())
        found = _mapped(_rows(stage, table, columns, wanted))
        ids = [] if found is None else found.column(0).to_pylist()
        self._places = {one: place for place, one in enumerate(ids)}
        if found is not None:
            self._values = found.column(1)
        if missing := sorted(wanted - self._places.keys()):
            raise DataError(
                f"{len(missing)} of {len(wanted)} {columns[0]}s that items name are not in "
                f"{stage.folder}, first {missing[0]!r}; redo annotate"
            )

    def of(self, one: str) -> Any:
        """The value of an id."""
        return self._values[self._places[one]].as_py()


def _rows(
    stage: Finished, table: str, columns: tuple[str, str], wanted: set[str]
) -> Iterator[pa.Table]:
    ids = pa.array(sorted(wanted), pa.string())
    with stage.opened(table) as opened:
        for group in opened.groups(list(columns)):
            yield group.filter(pc.is_in(group.column(columns[0]), ids)).select(columns)


def _mapped(tables: Iterable[pa.Table]) -> pa.Table | None:
    """The rows of all tables in a file without a name, mapped; None if there is none."""
    path = temporary_dir() / f"{uuid.uuid4().hex}.arrow"
    writer = None
    try:
        for table in tables:
            if writer is None:
                writer = pa.ipc.new_file(str(path), table.schema)
            writer.write_table(table)
        if writer is None:
            return None
        writer.close()
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    finally:
        path.unlink(missing_ok=True)
