"""The scoring job: log-probabilities of responses under the reference, shard by shard."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from tasks.child import ItemLog, Reporter, in_flight
from tasks.errors import DataError
from tasks.records import ReferenceScore
from tasks.tables import to_table
from tasks.training.batches import Row, pack_rows
from tasks.training.examples import Lists, read_table
from tasks.training.logprobs import token_logps
from tasks.training.policy import Policy, load_policy
from tasks.training.settings import ScoreJob

COLUMNS = ("response_id", "prompt_ids", "response_ids")


@dataclass(frozen=True, kw_only=True)
class ScoreRows:
    """The rows of a scoring job."""

    response_ids: list[str]
    prompt_tokens: Lists
    response_tokens: Lists

    def row(self, index: int) -> Row:
        """Prompt and response of one row."""
        prompt, response = self.prompt_tokens[index], self.response_tokens[index]
        if not len(prompt):
            raise DataError(f"response {self.response_ids[index]!r} has an empty prompt")
        return Row(prompt=prompt, response=response)


def score(workdir: Path, job: ScoreJob, reporter: Reporter) -> dict[str, Any]:
    """Score the shards of `job`; each is written to shards/ and reported when complete."""
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    rows = _open_rows(workdir / job.rows)
    policy = load_policy(workdir / job.model, job.dtype, job.device)
    items = ItemLog(job.item_log, job.stage)
    (workdir / "shards").mkdir(exist_ok=True)
    done = 0
    for index, (first, end) in sorted(job.shards.items()):
        table = _score_shard(policy, job, rows, range(first, end), items, reporter)
        name = f"shards/{index:05d}.arrow"
        _write_arrow(table, workdir / name)
        done += table.num_rows
        reporter.event("shard", index=index, rows=table.num_rows, file=name)
    return {"rows": done}


def _open_rows(path: Path) -> ScoreRows:
    table = read_table(path)
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"{path} has no columns {missing}; it needs {list(COLUMNS)}")
    return ScoreRows(
        response_ids=table.column("response_id").to_pylist(),
        prompt_tokens=Lists(table.column("prompt_ids")),
        response_tokens=Lists(table.column("response_ids")),
    )


def _score_shard(
    policy: Policy, job: ScoreJob, rows: ScoreRows, span: range, items: ItemLog, reporter: Reporter
) -> pa.Table:
    """ReferenceScore rows in the order of `span`."""
    scores: dict[int, ReferenceScore] = {}
    loaded = {index: rows.row(index) for index in span}
    for part in _plan(loaded, job.tokens_per_microbatch):
        items.starting([rows.response_ids[index] for index in part])
        tokens = sum(loaded[index].num_tokens for index in part)
        with in_flight(tokens=tokens, rows=len(part), budget=job.tokens_per_microbatch):
            logps = _score_rows(policy, [loaded[index] for index in part])
        for index, values in zip(part, logps, strict=True):
            scores[index] = _record(rows.response_ids[index], job.reference, values)
        reporter.beat()
    return to_table(ReferenceScore, [scores[index] for index in span])


def _plan(rows: dict[int, Row], tokens: int) -> Iterator[list[int]]:
    """Rows by length, cut to at most `tokens` padded tokens: fixed by the shard alone."""
    part: list[int] = []
    for index in sorted(rows, key=lambda index: rows[index].num_tokens):
        if part and (len(part) + 1) * rows[index].num_tokens > tokens:
            yield part
            part = []
        part.append(index)
    if part:
        yield part


@torch.no_grad()
def _score_rows(policy: Policy, rows: Sequence[Row]) -> list[list[float]]:
    policy.check_context(max(row.num_tokens for row in rows))
    logps_RT = token_logps(policy, pack_rows(rows, policy.device)).cpu().numpy()
    return [
        values[: len(row.response)].astype(np.float64).tolist()
        for row, values in zip(rows, logps_RT, strict=True)
    ]


def _record(response_id: str, reference: str, values: list[float]) -> ReferenceScore:
    return ReferenceScore(
        response_id=response_id,
        reference=reference,
        logp=float(np.sum(values)),
        num_tokens=len(values),
        token_logps=values,
    )


def _write_arrow(table: pa.Table, path: Path) -> None:
    made = path.with_suffix(".part")
    with pa.ipc.new_file(str(made), table.schema) as writer:
        writer.write_table(table)
    made.rename(path)
