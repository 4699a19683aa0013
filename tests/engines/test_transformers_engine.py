import dataclasses
import json
import random
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import torch

from infra.engines import _transformers_child
from infra.engines._contract import Decoding, Job, Request, Sample
from infra.engines.transformers import Transformers
from tasks.errors import ChildError, DataError
from tests.tiny_models import tiny_model

END = 5
"""<|end|> of the tiny tokenizer."""


def requests(count: int, samples: int = 2, seed: int = 0) -> list[Request]:
    """`samples` requests for each of `count` prompts of 3 to 20 tokens."""
    draw = random.Random(seed)
    return [
        Request(
            prompt_id=f"p{number}",
            sample_index=index,
            seed=draw.getrandbits(63),
            messages=[],
            prompt_ids=prompt,
        )
        for number in range(count)
        for prompt in [[draw.randrange(6, 384) for _ in range(draw.randint(3, 20))]]
        for index in range(samples)
    ]


def job(workdir: Path, shards: dict[int, list[Request]], **changes: Any) -> Job:
    decoding = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 24} | changes.pop("decoding", {})
    settings = {"stage": "sample", "model": str(tiny_model()), "stop_ids": [END], "item_log": None}
    return Job(
        workdir=workdir, shards=shards, decoding=Decoding(**decoding), **(settings | changes)
    )


class Run(NamedTuple):
    """What came of one job over the shards 0 and 3."""

    shards: dict[int, list[Request]]
    samples: dict[int, list[Sample]]
    progress: list[int]
    items: list[dict[str, Any]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    workdir = tmp_path_factory.mktemp("finished")
    shards = {0: requests(6), 3: requests(4, seed=1)}
    counts: list[int] = []
    work = job(workdir, shards, on_progress=counts.append, item_log=workdir / "items.jsonl")
    samples = dict(Transformers(threads=1).sample(work))
    items = [json.loads(line) for line in (workdir / "items.jsonl").read_text().splitlines()]
    return Run(shards, samples, counts, items)


def test_shards_come_back_in_the_order_of_their_requests(finished: Run) -> None:
    for index in (0, 3):
        wanted = [(one.prompt_id, one.sample_index) for one in finished.shards[index]]
        assert [(one.prompt_id, one.sample_index) for one in finished.samples[index]] == wanted
    assert sum(finished.progress) == 20


def test_every_request_is_logged_once_with_its_stage(finished: Run) -> None:
    wanted = [f"{one.prompt_id}:{one.sample_index}" for part in finished.shards.values()
              for one in part]  # fmt: skip
    assert sorted(line["item"] for line in finished.items) == sorted(wanted)
    assert {line["stage"] for line in finished.items} == {"sample"}


def test_another_attempt_at_one_shard_with_small_batches_gives_equal_tokens(
    finished: Run, tmp_path: Path
) -> None:
    alone = job(tmp_path, {3: finished.shards[3]})
    assert dict(Transformers(threads=1, batch_tokens=100).sample(alone)) == {3: finished.samples[3]}


def test_a_finished_shard_is_yielded_while_the_child_works_and_closing_stops_it(
    tmp_path: Path,
) -> None:
    many = {index: requests(40, samples=4, seed=index) for index in range(60)}
    running = Transformers(threads=1).sample(job(tmp_path, many, stop_ids=[]))
    index, samples = next(running)
    assert (index, len(samples)) == (0, 160)
    pid = int((tmp_path / "child.pid").read_text())
    assert psutil.pid_exists(pid)
    running.close()
    assert not psutil.pid_exists(pid)


def failure(engine: Transformers, work: Job) -> ChildError:
    with pytest.raises(ChildError) as caught:
        list(engine.sample(work))
    return caught.value


def test_a_prompt_that_does_not_fit_is_bad_input_with_numbers(tmp_path: Path) -> None:
    error = failure(Transformers(), job(tmp_path, {0: requests(1)}, decoding={"max_tokens": 510}))
    assert error.exit_code == 2
    length = len(requests(1)[0].prompt_ids or [])
    assert f"prompt p0 has {length} tokens" in str(error)
    assert f"max_tokens=510 that is {length + 510}" in str(error)
    assert "the model has 512 positions" in str(error)


def test_a_folder_without_safetensors_is_bad_input(tmp_path: Path) -> None:
    shutil.copy(tiny_model() / "config.json", tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    spec = {"model": str(tmp_path), "device": "cpu", "dtype": "float32"}
    with pytest.raises(DataError, match=r"cannot load model .*safetensors"):
        _transformers_child._loaded(spec, lambda config: None)


def test_the_hub_is_asked_for_ids_only_not_for_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []

    def events(module: str, workdir: Path, *, limits: Any, environment: dict[str, str]) -> Any:
        seen.append(environment)
        yield {"event": "shard", "index": 0, "file": "none"}

    monkeypatch.setattr("infra.engines.transformers.child_events", events)
    monkeypatch.setattr("infra.engines.transformers._read_samples", lambda path: [])
    for model in (str(tiny_model()), "owner/name"):
        list(Transformers().sample(job(tmp_path, {0: requests(1)}, model=model)))
    assert seen == [{"HF_HUB_OFFLINE": "1"}, {}]
    assert json.loads((tmp_path / "spec.json").read_text())["model"] == "owner/name"


def test_a_child_that_leaves_out_a_shard_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.engines.transformers.child_events", lambda *_, **__: iter_none())
    assert "ended without shards [4]" in str(
        failure(Transformers(), job(tmp_path, {4: requests(1)}))
    )


def iter_none() -> Any:
    yield from ()


def test_a_request_without_token_ids_is_refused_before_a_process_starts(tmp_path: Path) -> None:
    bare = dataclasses.replace(requests(1)[0], prompt_ids=None)
    with pytest.raises(DataError, match="p0:0 has no token ids"):
        list(Transformers().sample(job(tmp_path, {0: [bare]})))


def test_out_of_memory_is_tried_again_with_half_the_batch_for_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[int], int]] = []

    def attempt(self: Any, work: Job, waiting: dict[int, Any], batch_tokens: int) -> Any:
        asked.append((sorted(waiting), batch_tokens))
        first = min(waiting)
        yield first, []
        if waiting:
            raise ChildError("no memory", 3)

    monkeypatch.setattr(Transformers, "_attempt", attempt)
    work = job(tmp_path, {0: requests(1), 1: requests(1), 2: requests(1)})
    assert [index for index, _ in Transformers(batch_tokens=8192).sample(work)] == [0, 1, 2]
    assert asked == [([0, 1, 2], 8192), ([1, 2], 4096), ([2], 2048)]


def test_out_of_memory_with_the_smallest_batch_is_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def attempt(self: Any, work: Job, waiting: Any, batch_tokens: int) -> Any:
        asked.append(batch_tokens)
        raise ChildError("no memory", 3)
        yield

    monkeypatch.setattr(Transformers, "_attempt", attempt)
    assert failure(Transformers(batch_tokens=2000), job(tmp_path, {0: requests(1)})).exit_code == 3
    assert asked == [2000, 1000]
