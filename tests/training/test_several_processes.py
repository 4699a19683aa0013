"""Two processes on the CPU train what one trains."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file
from test_resume import interrupted, stable
from tiny_models import tiny_model
from training_jobs import (
    lines,
    pair_examples,
    response_examples,
    run_here,
    train_spec,
    write_examples,
)

from infra.processes import Limits, run_child
from tasks.errors import ChildError
from tasks.weights import weights_digest
from tests.infra.alive import gone

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
LIMITS = Limits(deadline_seconds=300, grace_seconds=60)
PAIRS, ALONE = {"kind": "dual_clip_dpo"}, {"kind": "sft"}
SETTINGS = {
    "epochs": 3, "checkpoint_every": 4, "decay": "cosine", "weight_decay": 0.1,
    "max_grad_norm": 0.2, "prompts_per_batch": 3,
}  # fmt: skip
CASES = {
    "a head tied to the embeddings": ("qwen2", PAIRS, {}, {}),
    "a head of its own": ("llama", PAIRS, {}, {}),
    "trees that are split": ("llama", PAIRS, {"tokens_per_microbatch": 24}, {}),
    "trees in three parts": ("llama", PAIRS, {"tokens_per_microbatch": 16}, {}),
    "a batch in one piece": ("qwen2", PAIRS, {"tokens_per_microbatch": 48}, {}),
    "responses alone": ("llama", ALONE, {"prompts_per_batch": 5}, {}),
    "a checkpoint of one process": ("qwen2", PAIRS, {"checkpoint_every": 2}, {}),
    "activations computed again": ("llama", PAIRS, {}, {"gradient_checkpointing": True}),
    "a reference that follows": ("qwen2", PAIRS, {}, {"live_reference": {"every": 2}}),
}
"""Kind of model, loss, settings, and further fields of the job."""


def lopsided(model):
    """Pairs whose weights differ, and so do policy and reference.

    In round robins and at the reference gradients and margins cancel. What is left is rounding, and
    AdamW makes whole steps of it.
    """
    weights = {"01": 0.5, "20": 0.3, "12": 0.2}
    return [replace(one, weight=weights[one.example_id[-2:]]) for one in pair_examples(model)]


def prepared(workdir, kind="qwen2", loss=PAIRS, settings=None, examples=None, **fields):
    """A work folder, and its job."""
    workdir.mkdir()
    pairs = examples or lopsided(tiny_model(kind, seed=1))
    write_examples(workdir, response_examples() if loss == ALONE else pairs)
    job = train_spec(tiny_model(kind), loss, SETTINGS | (settings or {}), device="cpu", **fields)
    (workdir / "spec.json").write_text(json.dumps(job))
    return job


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Folders of every case, done by one process and by two."""
    base = tmp_path_factory.mktemp("both")
    for case, (kind, loss, settings, fields) in CASES.items():
        one, two = base / f"{case}, one", base / f"{case}, two"
        run_here(one, prepared(one, kind, loss, settings, **fields))
        prepared(two, kind, loss, settings, **fields, processes=2)
    half = base / "a checkpoint of one process, two"
    examples = lopsided(tiny_model("qwen2", seed=1))
    job = json.loads((half / "spec.json").read_text())
    interrupted(half, examples, 3, job | {"processes": 1})
    (half / "spec.json").write_text(json.dumps(job))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    torchrun.append(f"--log-dir={base / 'logs'}")
    folders = [str(base / f"{case}, two") for case in CASES]
    command = [*torchrun, "-m", "tests.training.jobs_program", *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return base


def distance(one, other):
    """How far two model folders' weights are apart, as a share of their norm."""
    first, second = (load_file(folder / "model.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    flat = [torch.cat([some[k].double().flatten() for k in first]) for some in (first, second)]
    return float((flat[0] - flat[1]).norm() / flat[0].norm())


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_what_one_trains(case, both):
    one, two = both / f"{case}, one", both / f"{case}, two"
    for first, second in zip(stable(one), stable(two), strict=True):
        assert second == pytest.approx(first, rel=1e-4, abs=1e-6)
    assert distance(one / "model", two / "model") < 1e-6
    assert distance(one / "model", tiny_model(CASES[case][0])) > 1e-3


def test_two_processes_go_on_from_a_checkpoint_of_one(both):
    [event] = [
        one
        for one in lines(both / "a checkpoint of one process, two/progress.jsonl")
        if one["event"] == "resumed"
    ]
    assert event["step"] == 2


def ended_after(step, number, workdir, rank=None):
    """The error of a job of which a process, or the launcher, gets a signal after `step`."""
    there = []

    def end_it(event):
        if event["event"] == "step" and event["step"] == step:
            launcher = psutil.Process(int((workdir / "child.pid").read_text()))
            workers = sorted(one.pid for one in launcher.children())
            there.extend([launcher.pid, *workers])
            os.kill(launcher.pid if rank is None else workers[rank], number)

    with pytest.raises(ChildError) as caught:
        run_child("tasks.training", workdir, limits=LIMITS, on_event=end_it)
    assert len(there) == 3 and gone(there)
    return caught.value


def test_a_job_of_two_processes_of_which_one_is_killed_goes_on_bit_equal(tmp_path):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    examples = pair_examples(tiny_model())
    for folder in (calm, killed):
        prepared(folder, settings={"epochs": 10}, examples=examples, expect_reference=True,
                 processes=2)  # fmt: skip
    events = []
    run_child("tasks.training", calm, limits=LIMITS, on_event=events.append)
    assert [one["step"] for one in events if one["event"] == "step"] == list(range(1, 21))
    assert "process 1 was ended by SIGKILL" in str(ended_after(6, signal.SIGKILL, killed, rank=1))
    run_child("tasks.training", killed, limits=LIMITS, on_event=events.append)
    assert [one["step"] for one in events if one["event"] == "resumed"] == [4]
    assert weights_digest(killed / "model") == weights_digest(calm / "model")
    assert stable(killed) == stable(calm)


@pytest.mark.parametrize("rank", [None, 1])
def test_sigterm_stops_both_at_a_checkpoint_from_which_one_process_goes_on(rank, tmp_path):
    """To the launcher, or to the process that does not report."""
    one, two = tmp_path / "one", tmp_path / "two"
    run_here(one, prepared(one, settings={"epochs": 10}))
    job = prepared(two, settings={"epochs": 10, "checkpoint_every": 100}, processes=2)
    assert ended_after(3, signal.SIGTERM, two, rank).exit_code == 75
    [saved] = (two / "checkpoints").iterdir()
    result = run_here(two, job | {"processes": 1})
    [event] = [one for one in lines(two / "progress.jsonl") if one["event"] == "resumed"]
    assert saved.name == f"step-{event['step']:07d}" and 3 <= event["step"] < 20
    assert result["steps"] == 20
    assert distance(one / "model", two / "model") < 1e-6
