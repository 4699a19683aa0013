"""One number of a model for each of many responses, by a child process, shard by shard."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from infra.arrow_files import read_arrow, write_arrow
from infra.processes import Limits, run_child
from infra.processes.smaller import with_smaller_budgets
from infra.stages import Stage
from infra.work import stage_dir, work_root
from tasks import child

SHARD_ROWS = 1024
"""Responses of one shard: fixed, so that boundaries are a function of the rows."""
NUMBERS = {"score": "logp", "reward": "number"}
"""The column that holds the number, by the child's job."""


def model_scores(
    stage: Stage,
    rows: pa.Table,
    spec: Mapping[str, Any],
    *,
    budget: int,
    limits: Limits,
    on_rows: Callable[[int], None],
) -> dict[str, float]:
    """The number of each of `rows` by response_id, as `scored_rows` has them."""
    found = scored_rows(stage, rows, spec, budget=budget, limits=limits, on_rows=on_rows)
    return {name: row[NUMBERS[spec["job"]]] for name, row in found.items()}


def scored_rows(
    stage: Stage,
    rows: pa.Table,
    spec: Mapping[str, Any],
    *,
    budget: int,
    limits: Limits,
    on_rows: Callable[[int], None],
) -> dict[str, dict[str, Any]]:
    """What a child says of each of `rows`, by response_id; what the stage has is not done again.

    `rows` have the columns response_id, prompt_ids, response_ids; `spec` names job, model and
    settings. After running out of memory half of `budget` (tokens at once) is tried.
    """
    spans = {
        index: [first, min(rows.num_rows, first + SHARD_ROWS)]
        for index, first in enumerate(range(0, rows.num_rows, SHARD_ROWS))
    }
    with_smaller_budgets(
        lambda tokens: _attempt(
            stage, rows, spans, {**spec, "tokens_per_microbatch": tokens}, limits, on_rows
        ),
        budget,
        _longest(rows),
    )
    tables = [stage.shard(index) for index in spans]
    return {
        row["response_id"]: row
        for table in tables
        if table is not None
        for row in table.to_pylist()
    }


def _attempt(
    stage: Stage,
    rows: pa.Table,
    spans: Mapping[int, list[int]],
    spec: Mapping[str, Any],
    limits: Limits,
    on_rows: Callable[[int], None],
) -> None:
    """Let one child do the shards that are still to do."""
    committed = set(stage.shards())
    to_do = {index: span for index, span in spans.items() if index not in committed}
    if not to_do:
        return
    workdir: Path = stage_dir(stage.key.verb, stage.digest)
    write_arrow(rows, workdir / "rows.arrow")
    job = {"stage": stage.digest, "rows": "rows.arrow", "shards": to_do}
    log = {"item_log": str(work_root() / "items.jsonl")}
    child.write_json(workdir / child.SPEC, {**spec, **job, **log})

    def on_event(event: Mapping[str, Any]) -> None:
        if event["event"] == "shard":
            stage.commit_shard(event["index"], read_arrow(workdir / event["file"]), {})
            on_rows(event["rows"])

    run_child("tasks.training", workdir, limits=limits, on_event=on_event)


def _longest(rows: pa.Table) -> int:
    """Tokens of the longest row: less at once is of no use."""
    lengths = (
        len(row["prompt_ids"]) + len(row["response_ids"])
        for row in rows.select(["prompt_ids", "response_ids"]).to_pylist()
    )
    return max(lengths, default=1)
