import dataclasses
import json
import random
import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

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


def drawn(engine: Transformers, work: Job) -> dict[tuple[str, int], Sample]:
    return {
        (sample.prompt_id, sample.sample_index): sample
        for _, samples in engine.sample(work)
        for sample in samples
    }


def test_shards_come_back_in_request_order_with_progress(tmp_path: Path) -> None:
    counts: list[int] = []
    shards = {0: requests(5), 3: requests(4, seed=1)}
    work = job(tmp_path, shards, on_progress=counts.append)
    results = dict(Transformers(threads=1).sample(work))
    for index in (0, 3):
        wanted = [(request.prompt_id, request.sample_index) for request in shards[index]]
        assert [(one.prompt_id, one.sample_index) for one in results[index]] == wanted
    assert sum(counts) == 18


def test_another_attempt_at_some_shards_is_bit_equal(tmp_path: Path) -> None:
    shards = {0: requests(6), 1: requests(5, seed=1)}
    engine = Transformers(threads=1)
    both = dict(engine.sample(job(tmp_path / "a", shards)))
    alone = dict(Transformers(threads=1).sample(job(tmp_path / "b", {1: shards[1]})))
    assert alone[1] == both[1]


def test_the_budget_of_a_batch_does_not_change_tokens(tmp_path: Path) -> None:
    shards = {0: requests(8)}
    small = drawn(Transformers(threads=1, batch_tokens=100), job(tmp_path / "a", shards))
    large = drawn(Transformers(threads=1), job(tmp_path / "b", shards))
    assert small == large


def test_a_finished_shard_is_yielded_while_the_child_works_and_closing_stops_it(
    tmp_path: Path,
) -> None:
    many = {index: requests(40, samples=4, seed=index) for index in range(200)}
    running = Transformers(threads=1).sample(job(tmp_path, many, stop_ids=[]))
    index, samples = next(running)
    assert (index, len(samples)) == (0, 160)
    pid = int((tmp_path / "child.pid").read_text())
    assert psutil.pid_exists(pid)
    running.close()
    assert not psutil.pid_exists(pid)


def test_every_request_is_logged_once_before_it_is_drawn(tmp_path: Path) -> None:
    log = tmp_path / "items.jsonl"
    list(Transformers(threads=1).sample(job(tmp_path / "w", {0: requests(3)}, item_log=log)))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sorted(line["item"] for line in lines) == [f"p{n}:{k}" for n in range(3) for k in (0, 1)]
    assert {line["stage"] for line in lines} == {"sample"}


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
    assert "has 512 positions" in str(error)


def test_a_folder_without_safetensors_is_bad_input(tmp_path: Path) -> None:
    source = tiny_model()
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(source / "config.json", folder)
    torch.save({}, folder / "pytorch_model.bin")
    error = failure(Transformers(), job(tmp_path / "w", {0: requests(1)}, model=str(folder)))
    assert error.exit_code == 2
    assert "safetensors" in str(error)


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
