"""Child process that samples: `python -m infra.engines._transformers_child WORKDIR`.

Reads the requests' Arrow file, writes shards/NNNNN.arrow (rows of Sample) one after another.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
import transformers

from infra.engines._contract import Decoding, Sample
from infra.engines._generation import Sampler
from infra.engines._sampling import Drawn, Row, batches
from tasks.child import ItemLog, Reporter, child_main
from tasks.errors import DataError
from tasks.tables import schema

REPORT_SECONDS = 1.0
"""Least time between two progress events."""


def work(workdir: Path, spec: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Draw all shards of `spec`; returns counts and seconds."""
    started = time.monotonic()
    if spec["threads"] is not None:
        torch.set_num_threads(spec["threads"])
    decoding = Decoding(**spec["decoding"])
    shards = _shards(workdir / spec["requests"])
    model = _loaded(spec, lambda config: _check_lengths(config, shards, decoding.max_tokens))
    reporter.event("loaded", device=str(model.device), seconds=time.monotonic() - started)
    progress = _Progress(reporter)
    sampler = Sampler(model, decoding, spec["stop_ids"])
    log = ItemLog(spec["item_log"], spec["stage"])
    (workdir / "shards").mkdir(exist_ok=True)
    tokens = 0
    for index, requests in shards.items():
        drawn: list[Drawn] = []
        for batch in batches(_rows(requests), decoding.max_tokens, spec["batch_tokens"]):
            log.starting(_item(requests[row.position]) for row in batch)
            drawn += sampler.draw(batch, progress.ended)
        tokens += sum(len(one.token_ids) for one in drawn)
        file = f"shards/{index:05d}.arrow"
        _write(workdir / file, requests, drawn)
        progress.report()
        reporter.event("shard", index=index, rows=len(drawn), file=file)
    return {"rows": progress.done, "tokens": tokens, "seconds": time.monotonic() - started}


class _Progress:
    """Reports how many responses have ended, at most once a second."""

    def __init__(self, reporter: Reporter) -> None:
        self.done = 0
        self._reporter = reporter
        self._reported = time.monotonic()

    def ended(self, count: int) -> None:
        self.done += count
        if time.monotonic() - self._reported > REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        self._reporter.event("progress", done=self.done)
        self._reported = time.monotonic()


def _shards(path: Path) -> dict[int, list[dict[str, Any]]]:
    """The requests by shard, in their order."""
    with pa.memory_map(str(path)) as file:
        rows = pa.ipc.open_file(file).read_all().to_pylist()
    shards: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        shards.setdefault(row["shard"], []).append(row)
    return shards


def _rows(requests: list[dict[str, Any]]) -> list[Row]:
    return [
        Row(position=position, prompt_ids=tuple(request["prompt_ids"]), seed=request["seed"])
        for position, request in enumerate(requests)
    ]


def _item(request: Mapping[str, Any]) -> str:
    return f"{request['prompt_id']}:{request['sample_index']}"


def _loaded(spec: Mapping[str, Any], check: Callable[[Any], None]) -> Any:
    """The model of `spec` in eval mode; `check` sees its config before the weights are read.

    Raises DataError if it cannot be loaded from safetensors.
    """
    name, device = spec["model"], spec["device"]
    source = {"trust_remote_code": False, "local_files_only": Path(name).is_dir()}
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        config = transformers.AutoConfig.from_pretrained(name, **source)
        check(config)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            name,
            config=config,
            dtype=getattr(torch, spec["dtype"]),
            attn_implementation="sdpa",
            use_safetensors=True,
            **source,
        )
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot load model {name!r}: {error}. It needs a config.json of a model class that "
            "transformers knows and safetensors weights; remote code is not run"
        ) from error
    return model.to(device).eval()


def _check_lengths(
    config: Any, shards: Mapping[int, list[dict[str, Any]]], max_tokens: int
) -> None:
    """DataError if a prompt and its response may not fit the model's positions."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    for request in (request for requests in shards.values() for request in requests):
        prompt = len(request["prompt_ids"])
        if limit is not None and prompt + max_tokens > limit:
            raise DataError(
                f"prompt {request['prompt_id']} has {prompt} tokens; with max_tokens={max_tokens} "
                f"that is {prompt + max_tokens}, and the model has {limit} positions; lower "
                "max_tokens or drop long prompts when collecting"
            )


def _write(path: Path, requests: list[dict[str, Any]], drawn: list[Drawn]) -> None:
    """The samples of one shard in the order of its requests, as a whole file or none."""
    in_order = sorted(drawn, key=lambda one: one.position)
    table = pa.Table.from_pylist(
        [dict(_columns(requests[one.position], one)) for one in in_order], schema=schema(Sample)
    )
    temporary = path.with_suffix(".tmp")
    with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    temporary.replace(path)


def _columns(request: Mapping[str, Any], drawn: Drawn) -> Iterator[tuple[str, Any]]:
    yield "prompt_id", request["prompt_id"]
    yield "sample_index", request["sample_index"]
    yield "token_ids", drawn.token_ids
    yield "finish_reason", drawn.finish_reason


if __name__ == "__main__":
    child_main(work)()
