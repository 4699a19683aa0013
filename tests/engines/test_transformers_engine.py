import random
from pathlib import Path
from typing import Any

from infra.engines._contract import Decoding, Job, Request, Sample
from infra.engines.transformers import Transformers
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
