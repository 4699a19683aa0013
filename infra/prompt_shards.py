"""A round's prompts in shards of a fixed size, read from the store when they are wanted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from infra.artifacts import open_artifact
from infra.blocks import BY, in_order
from infra.storage import Store
from infra.table_files import TableFile
from tasks.records import SHARD_PROMPTS, Artifact, Prompt
from tasks.tables import from_table


class PromptShards(Sequence[list[Prompt]]):
    """Prompts by id, `SHARD_PROMPTS` in each shard; those of one shard are in memory."""

    def __init__(self, table: TableFile, places: Sequence[int]) -> None:
        self._table = table
        self._places = places

    @property
    def num_prompts(self) -> int:
        """Prompts of all shards."""
        return len(self._places)

    def __len__(self) -> int:
        return -(-self.num_prompts // SHARD_PROMPTS)

    def size(self, index: int) -> int:
        """Prompts of one shard, which are not read for that."""
        return min(SHARD_PROMPTS, self.num_prompts - index * SHARD_PROMPTS)

    def rows(self, index: int) -> pa.Table:
        """One shard as a table."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        places = self._places[index * SHARD_PROMPTS : (index + 1) * SHARD_PROMPTS]
        found = self._table.slice(places[0], places[-1] + 1)
        return found.take([place - places[0] for place in places])

    def __getitem__(self, index: int) -> list[Prompt]:  # type: ignore[override]
        return list(from_table(Prompt, self.rows(index)))


@contextmanager
def prompt_shards(
    store: Store, prompts: Artifact, chosen: Callable[[list[str]], set[str]] | None = None
) -> Iterator[PromptShards]:
    """The prompts of a stage, or those of them whose ids `chosen` picks, within the block."""
    with open_artifact(store, prompts).opened() as table, in_order(table) as ordered:
        if chosen is None:
            yield PromptShards(ordered, range(ordered.num_rows))
            return
        ids = ordered.column(BY).to_pylist()
        kept = chosen(ids)
        yield PromptShards(ordered, np.flatnonzero([one in kept for one in ids]).tolist())
