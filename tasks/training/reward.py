"""The reward job: the one number of a sequence-classification model for each response."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from tasks.child import ItemLog, Reporter
from tasks.errors import DataError
from tasks.memory import in_flight
from tasks.training.passes import Thinning
from tasks.training.settings import RewardJob

SCHEMA = pa.schema([("response_id", pa.string()), ("number", pa.float64())])
"""What a shard holds."""
PASSES_SCHEMA = SCHEMA.append(pa.field("passes", pa.list_(pa.float64())))
"""What it holds where there are passes with dropout besides."""

Row = tuple[str, list[int]]
"""Id and token ids of prompt and response together."""


def reward(workdir: Path, job: RewardJob, reporter: Reporter) -> dict[str, Any]:
    """Score the shards of `job`; each is written to shards/ and reported when complete."""
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    rows = _rows(workdir / job.rows)
    model = load_reward_model(workdir / job.model, job.dtype, job.device)
    thinning = Thinning(model, job.dropout, job.dropout_at) if job.passes else None
    items = ItemLog(job.item_log, job.stage)
    (workdir / "shards").mkdir(exist_ok=True)
    done = 0
    for index, (first, end) in sorted(job.shards.items()):
        numbers: dict[str, float] = {}
        passes: dict[str, list[float]] = {}
        for batch in batches(rows[first:end], job.tokens_per_microbatch):
            items.starting(name for name, _ in batch)
            with in_flight(rows=len(batch), budget=job.tokens_per_microbatch):
                numbers |= zip((name for name, _ in batch), rewards(model, batch), strict=True)
                if thinning:
                    passes |= _passes(model, batch, thinning, job)
            reporter.beat()
        file = f"shards/{index:05d}.arrow"
        _write(rows[first:end], numbers, passes, workdir / file)
        done += end - first
        reporter.event("shard", index=index, rows=end - first, file=file)
    return {"rows": done}


def _passes(
    model: Any, batch: Sequence[Row], thinning: Thinning, job: RewardJob
) -> dict[str, list[float]]:
    """The number of each row in every pass; a pass has one mask for all rows of all batches."""
    turns = []
    for turn in range(job.passes):
        with thinning.using(thinning.masks(1, job.seed, "pass", turn)):
            turns.append(rewards(model, batch))
    return {name: [turn[place] for turn in turns] for place, (name, _) in enumerate(batch)}


def load_reward_model(folder: Path, dtype: str, device: str) -> Any:
    """The model in `folder`, ready to score; DataError if it gives no trained single number."""
    from transformers import AutoConfig, AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(str(folder), **local)
        if config.num_labels != 1:
            raise DataError(
                f"the model in {folder} has {config.num_labels} labels; a reward model has one "
                "(num_labels: 1 in its config.json)"
            )
        model, report = AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            output_loading_info=True,
            **local,
        )
    except (OSError, ValueError) as error:
        raise DataError(f"cannot load a reward model from {folder}: {error}") from error
    if missing := sorted(report["missing_keys"]):
        raise DataError(
            f"{folder} holds no weights for {', '.join(missing)}: it is no reward model, and what "
            "it said would be chance"
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval()


def batches(rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """`rows` by length, cut so that each batch with its padding has at most `tokens` tokens.

    A row that is longer than that is a batch of its own.
    """
    batch: list[Row] = []
    for row in sorted(rows, key=lambda one: (len(one[1]), one[0])):
        if batch and len(row[1]) * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


@torch.no_grad()
def rewards(model: Any, batch: Sequence[Row]) -> list[float]:
    """The model's number for each row; DataError for one that is no number or too long."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    longest = max(len(ids) for _, ids in batch)
    if limit is not None and longest > limit:
        raise DataError(
            f"a conversation has {longest} tokens, the reward model reads {limit}; set the judge's "
            f"max_tokens to {limit} or less"
        )
    scores = scores_of(model, [ids for _, ids in batch])
    numbers: list[float] = scores.float().double().tolist()
    if not np.isfinite(numbers).all():
        name = batch[int(np.argmin(np.isfinite(numbers)))][0]
        raise DataError(f"the reward of response {name} is no number; try dtype: float32")
    return numbers


def scores_of(model: Any, rows: Sequence[list[int]]) -> torch.Tensor:
    """The model's number for each of `rows`, padded to the longest; shape (rows,)."""
    longest = max(map(len, rows))
    with _padding(model, rows) as pad:
        ids = torch.full((len(rows), longest), pad, dtype=torch.long)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for place, tokens in enumerate(rows):
            ids[place, : len(tokens)] = torch.tensor(tokens)
            mask[place, : len(tokens)] = 1
        made = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device))
    logits: torch.Tensor = made.logits.reshape(len(rows))
    return logits


@contextmanager
def _padding(model: Any, rows: Sequence[list[int]]) -> Iterator[int]:
    """The id that pads; one that no row holds where the model names none.

    The model looks for padding to find the last token.
    """
    config = model.config.get_text_config()
    pad = config.pad_token_id
    if pad is not None:
        yield pad
        return
    used = {token for ids in rows for token in ids}
    pad = next(one for one in range(config.vocab_size) if one not in used)
    model.config.pad_token_id = config.pad_token_id = pad
    try:
        yield pad
    finally:
        model.config.pad_token_id = config.pad_token_id = None


def _rows(path: Path) -> list[Row]:
    with pa.memory_map(str(path)) as source:
        rows = pa.ipc.open_file(source).read_all().to_pylist()
    return [(row["response_id"], [*row["prompt_ids"], *row["response_ids"]]) for row in rows]


def _write(
    rows: Sequence[Row],
    numbers: Mapping[str, float],
    passes: Mapping[str, list[float]],
    path: Path,
) -> None:
    names = [name for name, _ in rows]
    columns: dict[str, Any] = {"response_id": names, "number": [numbers[name] for name in names]}
    if passes:
        columns["passes"] = [passes[name] for name in names]
    table = pa.Table.from_pydict(columns, schema=PASSES_SCHEMA if passes else SCHEMA)
    made = path.with_suffix(".part")
    with pa.ipc.new_file(str(made), table.schema) as writer:
        writer.write_table(table)
    made.rename(path)
