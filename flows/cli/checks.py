"""Everything that is looked at before a round's first expensive second, as named checks."""

import shutil
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

from infra.models import local_folder
from infra.processes.room import room, together
from infra.work import work_root
from tasks.collect import check_splits, clean_pool, cost_forecast, draw
from tasks.config import Config
from tasks.errors import StorageError
from tasks.evaluation_prompts import drawn_evaluation
from tasks.plan import Line, Sizes, bytes_of, disk_bytes, plan_round
from tasks.preflight import BASE_MODEL, Check
from tasks.prompts import Pool, each_prompt, members
from tasks.records import Place
from tasks.rounds import checks_of, first_place
from tasks.sample import cells_of, check_rooms, needs_of

POOL = "prompts"


class Disk(NamedTuple):
    """Local disk in bytes."""

    needed: int
    free: int


class Preparation:
    """The checks of one configuration, and what the plan is made of."""

    def __init__(self, config: Config, place: Place | None = None) -> None:
        """Without a place, the checks are those of the first round of a run that is not there."""
        self.config = config
        self._place = place

    @cached_property
    def place(self) -> Place:
        """The place of the round that is looked at."""
        return self._place or first_place(self.config)

    def checks(self) -> list[Check]:
        """All checks, in the order in which a run would come upon them."""
        return [*checks_of(self.config), *self.later_checks()]

    def later_checks(self) -> list[Check]:
        """What a run looks at after it has claimed its rounds, and the disk."""
        cells = (f"matrix.{name}" for name in self.config.matrix)
        lengths = (POOL, BASE_MODEL, *cells)
        return [
            Check(name=POOL, look=self._look_at_pool),
            Check(name="prompt lengths", look=self._look_at_lengths, needs=lengths),
            Check(name="cost", look=self._look_at_cost, needs=(POOL, BASE_MODEL)),
            Check(name="disk", look=self._look_at_disk, needs=(POOL, BASE_MODEL)),
        ]

    @cached_property
    def pool(self) -> Pool:
        """The pool of prompts."""
        return clean_pool(self.config.prompts)[0]

    @cached_property
    def evaluation(self) -> pa.Table:
        """As many evaluation prompts as a round has."""
        prompts = self.config.prompts
        return drawn_evaluation(self.pool.table, prompts.evaluation, prompts.held_out, POOL)

    @cached_property
    def sizes(self) -> Sizes:
        """What the plan needs to know; DataError or ConfigError if it cannot be known."""
        folder = local_folder(self.config.run.base_model)
        counts = self.pool.counts
        return Sizes(
            prompts=min(self.config.prompts.per_round, counts["train"]),
            evaluation_prompts=self.evaluation.num_rows,
            prompt_bytes=_bytes(self.pool, "train", self.config.prompts.per_round),
            evaluation_bytes=_bytes(self.pool, "held_out", self.evaluation.num_rows),
            weight_bytes=sum(file.stat().st_size for file in folder.glob("*.safetensors")),
            shares=self.place.shares,
        )

    @cached_property
    def plan(self) -> list[Line]:
        """What one round needs at most."""
        return plan_round(self.config, self.sizes)

    @cached_property
    def forecast(self) -> list[str]:
        """What the round's calls will cost, in words."""
        return cost_forecast(self.plan, self.place)

    @cached_property
    def groups(self) -> list[list[str]]:
        """Cells that will be sampled side by side, group after group."""
        cells = cells_of(self.config.matrix, self.place)
        needs = {name: needs_of(cell, self.place) for name, cell in cells.items()}
        return together(needs, room(self.place.side_by_side).emptied())

    @cached_property
    def disk(self) -> Disk:
        """What one round needs of the local disk, and what is free."""
        root = next(one for one in (work_root(), *work_root().parents) if one.exists())
        needed = disk_bytes(self.config, self.sizes, self.plan)
        return Disk(needed=needed, free=shutil.disk_usage(root).free)

    def _look_at_pool(self) -> str:
        if self._place is not None:
            check_splits(self.pool, self._place)
        counts = self.pool.counts
        splits = {name: counts[name] for name in ("train", "dev", "held_out", "sealed")}
        parts = ", ".join(f"{name} {number:,}" for name, number in splits.items())
        return f"{counts['rows']:,} rows, {counts['duplicates']:,} duplicates: {parts}"

    def _look_at_lengths(self) -> str:
        """Look at the prompts that the round would draw."""
        train, held_out = draw(self.pool, self.config.prompts, self.place)
        cells = cells_of(self.config.matrix, self.place)
        asked, measured = ([list(each_prompt(some))] for some in (train, held_out))
        check_rooms(cells, asked, measured, self.place)
        return (
            f"{train.num_rows:,} train and {held_out.num_rows:,} held-out prompts of round "
            f"{self.place.round_index} leave room to answer"
        )

    def _look_at_cost(self) -> str:
        return "; ".join(self.forecast) or "no call has to be paid"

    def _look_at_disk(self) -> str:
        needed, free = self.disk
        if needed > free:
            raise StorageError(
                f"one round needs about {needed:,} bytes under {work_root()}, {free:,} are free; "
                "free some, or set TSO_WORK to a larger disk"
            )
        return f"about {needed / 1e6:,.1f} MB a round; {free / 1e9:,.1f} GB free in {work_root()}"


def _bytes(pool: Pool, split: str, count: int) -> int:
    """Bytes of the `count` longest prompts of `split`: those that are drawn have no more."""
    lengths = map(bytes_of, each_prompt(members(pool.table, split)))
    return sum(sorted(lengths, reverse=True)[:count])
