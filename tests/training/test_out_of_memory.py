import json
import signal

import pytest
import torch
from tiny_models import tiny_model
from training_jobs import EOS, example, ids, lines, pair_examples, side, train_spec, write_examples

from infra.processes import Limits, run_child
from infra.processes.smaller import with_smaller_budgets
from tasks import child
from tasks.memory import in_flight
from tasks.records import TrainingExample
from tasks.training.__main__ import work

SAID = "[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: 99 bytes"


@pytest.fixture
def own_signals():
    """What a child does to SIGTERM is undone."""
    former = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, former)


@pytest.mark.parametrize("error", [RuntimeError(SAID), MemoryError(), torch.OutOfMemoryError(SAID)])
def test_memory_used_up_in_backward_is_reported_with_what_was_in_flight(
    error, tmp_path, monkeypatch, own_signals
):
    backward, calls = torch.autograd.backward, []

    def fails_late(*arguments, **options):
        calls.append(1)
        if len(calls) > 4:
            raise error
        return backward(*arguments, **options)

    monkeypatch.setattr(torch.autograd, "backward", fails_late)
    write_examples(tmp_path, pair_examples(tiny_model()))
    spec = train_spec(tiny_model(), settings={"tokens_per_microbatch": 500})
    (tmp_path / "spec.json").write_text(
        json.dumps(spec | {"settings": {**spec["settings"], "epochs": 9}})
    )
    assert child.run(work, tmp_path) == child.OUT_OF_MEMORY
    report = json.loads((tmp_path / "error.json").read_text())
    done = len(lines(tmp_path / "metrics.jsonl"))
    in_flight = report["in_flight"]
    assert (report["type"], report["exit_code"]) == ("OutOfMemory", 3)
    assert (in_flight["step"], in_flight["budget"]) == (done + 1, 500)
    assert 0 < in_flight["tokens"] <= 500 and in_flight["responses"] > 0
    assert report["message"].startswith("out of memory: ")
    assert f"step {done + 1}, budget 500, tokens {in_flight['tokens']}" in report["message"]


def test_memory_used_up_while_scoring_is_reported(tmp_path, monkeypatch, own_signals):
    import pyarrow as pa

    from tasks.training import score

    def fails(*arguments):
        raise RuntimeError(SAID)

    monkeypatch.setattr(score, "_score_pack", fails)
    rows = {"response_id": ["a", "b"], "prompt_ids": [[7, 8]] * 2, "response_ids": [[9], [9, 5]]}
    table = pa.table(rows)
    with pa.ipc.new_file(str(tmp_path / "rows.arrow"), table.schema) as writer:
        writer.write_table(table)
    spec = {
        "job": "score", "stage": "s", "model": str(tiny_model()), "rows": "rows.arrow",
        "shards": {0: [0, 2]}, "reference": "r", "tokens_per_microbatch": 64, "threads": 1,
    }  # fmt: skip
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert child.run(work, tmp_path) == child.OUT_OF_MEMORY
    report = json.loads((tmp_path / "error.json").read_text())
    assert report["in_flight"] == {"tokens": 5, "rows": 2, "budget": 64}


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), in_flight(step=1):
        raise RuntimeError("shapes do not match")


def long_examples(num_prompts):
    rows = []
    for index in range(num_prompts):
        prompt = ids((index, 0), 100)
        sides = [[*ids((index, 1 + k), 149), EOS] for k in range(2)]
        fields = example(f"{index}", index, prompt, 1.0)
        for name, tokens in zip(("chosen", "rejected"), sides, strict=True):
            fields |= side(name, tokens, [-6.0] * len(tokens))
        rows.append(TrainingExample(**fields))
    return rows


def run_limited(workdir, settings, first=1 << 30, room=0, on_event=lambda event: None):
    """Train with the address space limited from step `first` on."""
    settings = {"prompts_per_batch": 24, "checkpoint_every": 1, "max_tokens": 512, **settings}
    job = train_spec(tiny_model(hidden_size=128, intermediate_size=256), settings=settings)
    child.write_json(workdir / child.SPEC, job | {"limited_from": first, "room_bytes": room})
    return run_child("tests.training.limited_trainer", workdir, limits=Limits(), on_event=on_event)


@pytest.mark.slow
def test_a_trainer_that_outgrows_its_memory_goes_on_from_its_checkpoint_with_less(tmp_path):
    calm, limited, seen = tmp_path / "calm", tmp_path / "limited", []
    for folder in (calm, limited):
        folder.mkdir()
        write_examples(folder, long_examples(48))
    small = run_limited(calm, {"max_steps": 1, "tokens_per_microbatch": 1024})
    room = small["rise"] + (48 << 20)

    def attempt(budget):
        settings = {"epochs": 2, "tokens_per_microbatch": budget}
        return run_limited(limited, settings, first=2, room=room, on_event=seen.append)

    result, budget = with_smaller_budgets(attempt, 12_288, 512)
    assert result["steps"] == 4 and 512 <= budget < 12_288
    assert [one["step"] for one in lines(limited / "metrics.jsonl")] == [1, 2, 3, 4]
    resumed = [one["step"] for one in seen if one["event"] == "resumed"]
    assert resumed and resumed[0] in (2, 3)
    said = f"in flight: step {resumed[0] + 1}, budget 12288"
    assert said in (limited / "log.txt").read_text()
