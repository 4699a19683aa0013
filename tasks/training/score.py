"""The scoring job: log-probabilities of responses under the reference, shard by shard."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from tasks.child import ItemLog, Reporter
from tasks.errors import DataError
from tasks.memory import in_flight
from tasks.records import ReferenceScore
from tasks.tables import to_table
from tasks.training.batches import pack_parts
from tasks.training.examples import Ints, Lists, read_table
from tasks.training.logprobs import token_logps
from tasks.training.packing import Pack, pack
from tasks.training.policy import Policy, load_policy
from tasks.training.settings import ScoreJob
from tasks.training.trees import Branch, Part, Tree

COLUMNS = ("response_id", "prompt_ids", "response_ids")


@dataclass(frozen=True, kw_only=True)
class ScoreRows:
    """The rows of a scoring job."""

    response_ids: list[str]
    prompt_tokens: Lists
    response_tokens: Lists

    def prompt(self, index: int) -> Ints:
        """Prompt of one row."""
        prompt: Ints = self.prompt_tokens[index]
        if not len(prompt):
            raise DataError(f"response {self.response_ids[index]!r} has an empty prompt")
        return prompt


def score(workdir: Path, job: ScoreJob, reporter: Reporter) -> dict[str, Any]:
    """Score the shards of `job`; each is written to shards/ and reported when complete."""
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    rows = _open_rows(workdir / job.rows)
    policy = load_policy(
        workdir / job.model, job.dtype, job.device, master_weights=job.master_weights
    )
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
    logps: dict[int, list[float]] = {row: [] for row in span}
    trees = _trees(rows, span)
    policy.check_context(max((_longest(tree) for tree in trees), default=0))
    row_of = [row for tree in trees for row in tree.examples]
    for one in _packs(trees, job.tokens_per_microbatch):
        used = [row for part in one.parts for row in _span(row_of, part)]
        items.starting([rows.response_ids[row] for row in used])
        with in_flight(tokens=one.num_tokens, rows=len(used), budget=job.tokens_per_microbatch):
            logps_of_pack = _score_pack(policy, one)
        for row, values in zip(used, logps_of_pack, strict=True):
            logps[row] = values
        reporter.beat()
    records = [_record(rows.response_ids[row], job.reference, logps[row]) for row in span]
    return to_table(ReferenceScore, records)


def _longest(tree: Tree) -> int:
    return len(tree.trunk) + max(len(branch.tokens) for branch in tree.branches)


def _packs(trees: Sequence[Tree], tokens: int) -> list[Pack]:
    return [one for group in pack(trees, tokens) for one in group]


def _span(row_of: Sequence[int], part: Part) -> Sequence[int]:
    return row_of[part.first : part.first + len(part.branches)]


@torch.no_grad()
def _score_pack(policy: Policy, one: Pack) -> list[list[float]]:
    """Token log-probabilities of every branch of a pack."""
    branches = [branch for part in one.parts for branch in part.branches]
    logps_N = token_logps(policy, pack_parts(one.parts, policy.device))
    lengths = [len(branch.tokens) for branch in branches]
    return [part.double().tolist() for part in torch.split(logps_N.cpu(), lengths)]


def _trees(rows: ScoreRows, span: Iterable[int]) -> list[Tree]:
    """Rows with the same prompt as one tree, whose examples are the rows; empty responses none."""
    trees: dict[bytes, Tree] = {}
    for row in span:
        prompt, response = rows.prompt(row), rows.response_tokens[row]
        if len(response):
            tree = trees.setdefault(prompt.tobytes(), Tree(trunk=prompt))
            tree.branches.append(Branch(response))
            tree.examples.append(row)
    return list(trees.values())


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
