import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tiny_models import tiny_model
from training_jobs import lines, pair_examples, run_here, train_spec, write_examples

from tasks.child import STOPPED, Reporter
from tasks.errors import DataError
from tasks.training import checkpoints
from tasks.weights import weights_digest

SETTINGS = {"epochs": 10, "checkpoint_every": 4, "decay": "cosine", "weight_decay": 0.1}


@pytest.fixture(scope="module")
def examples():
    return pair_examples(tiny_model())


def spec(**fields):
    return train_spec(tiny_model(), settings=SETTINGS, expect_reference=True, **fields)


def stable(workdir):
    """metrics.jsonl without what depends on the clock."""
    rows = lines(workdir / "metrics.jsonl")
    return [{key: row[key] for key in row if key != "tokens_per_second"} for row in rows]


def start_child(workdir, job):
    (workdir / "spec.json").write_text(json.dumps(job))
    paths = os.pathsep.join(path for path in sys.path if path)
    with (workdir / "log.txt").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tasks.training", str(workdir)],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": paths},
        )


def wait_for_step(workdir, step, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        path = workdir / "metrics.jsonl"
        if path.exists() and path.read_text().count("\n") >= step:
            return
        time.sleep(0.005)
    raise AssertionError((workdir / "log.txt").read_text())


@pytest.mark.slow
def test_a_stopped_job_saves_its_last_step_and_ends_bit_equal_to_an_undisturbed_one(
    examples, tmp_path
):
    calm, stopped = tmp_path / "calm", tmp_path / "stopped"
    for folder in (calm, stopped):
        folder.mkdir()
        write_examples(folder, examples)
    rarely = {"epochs": 30, "checkpoint_every": 1000}
    job = train_spec(tiny_model(), settings=SETTINGS | rarely, expect_reference=True)
    run_here(calm, job)
    process = start_child(stopped, job)
    wait_for_step(stopped, 6, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=300) == STOPPED, (stopped / "log.txt").read_text()
    last = stable(stopped)[-1]["step"]
    assert [path.name for path in stopped.glob("checkpoints/*")] == [f"step-{last:07d}"]
    assert lines(stopped / "progress.jsonl")[-1]["event"] == "checkpoint"
    again = start_child(stopped, job)
    assert again.wait(timeout=300) == 0, (stopped / "log.txt").read_text()
    assert weights_digest(stopped / "model") == weights_digest(calm / "model")
    assert stable(stopped) == stable(calm)
    resumed = [e for e in lines(stopped / "progress.jsonl") if e["event"] == "resumed"]
    assert resumed == [{"event": "resumed", "step": last}]


def interrupted(workdir, examples, step, job):
    """Run until the events of `step` are written, as if the process died there."""
    write_examples(workdir, examples)

    class Died(BaseException):
        pass

    def die(self, *arguments, **fields):
        if fields.get("step") == step:
            raise Died

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr("tasks.child.Reporter.event", die)
        run_here(workdir, job)


def test_a_checkpoint_without_done_is_not_used(examples, tmp_path):
    interrupted(tmp_path, examples, 9, spec())
    (tmp_path / "checkpoints/step-0000008/DONE").unlink()
    assert checkpoints.latest(tmp_path, Reporter(tmp_path)).name == "step-0000004"
    assert not (tmp_path / "checkpoints/step-0000008").exists()


def test_the_last_two_checkpoints_stay(examples, tmp_path):
    interrupted(tmp_path, examples, 17, spec())
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-0000012", "step-0000016"]


@pytest.mark.parametrize("change", ["loss", "reference", "examples", "model", "seed"])
def test_a_checkpoint_of_other_work_is_refused(change, examples, tmp_path):
    interrupted(tmp_path, examples, 5, spec())
    job = spec()
    if change == "examples":
        write_examples(tmp_path, examples[:-1])
    else:
        job[change] = {
            "loss": {"kind": "dpo"}, "reference": "ref-2", "model": str(tiny_model(seed=1)),
            "seed": 4,
        }[change]  # fmt: skip
    with pytest.raises(DataError, match="belongs to other work"):
        run_here(tmp_path, job)


def test_how_often_checkpoints_are_written_changes_nothing(examples, tmp_path):
    write_examples(tmp_path, examples)
    run_here(tmp_path, spec())
    first = weights_digest(tmp_path / "model")
    other = tmp_path / "other"
    other.mkdir()
    write_examples(other, examples)
    run_here(other, train_spec(tiny_model(), settings=SETTINGS | {"checkpoint_every": 100}))
    assert weights_digest(other / "model") == first


def test_examples_that_change_during_training_are_noticed(examples, tmp_path, monkeypatch):
    write_examples(tmp_path, examples)
    export = checkpoints.export

    def swap(*arguments, **settings):
        write_examples(tmp_path, examples[:-1])
        return export(*arguments, **settings)

    monkeypatch.setattr(checkpoints, "export", swap)
    with pytest.raises(DataError, match="changed while training ran"):
        run_here(tmp_path, spec())


def test_a_resumed_job_may_have_another_budget_and_other_retention(examples, tmp_path):
    interrupted(tmp_path, examples, 9, spec())
    job = spec()
    job["settings"] |= {"tokens_per_microbatch": 32, "keep_last": 1, "checkpoint_every": 3}
    assert run_here(tmp_path, job)["steps"] == 30
    assert {"event": "resumed", "step": 8} in lines(tmp_path / "progress.jsonl")
    assert [path.name for path in tmp_path.glob("checkpoints/*")] == ["step-0000030"]


def test_weights_of_every_tenth_step_stay_as_models(examples, tmp_path):
    write_examples(tmp_path, examples)
    job = spec()
    job["settings"] |= {"keep_every": 10, "checkpoint_every": 10}
    run_here(tmp_path, job)
    names = [f"models/step-00000{step}" for step in (10, 20, 30)]
    events = [
        e for e in lines(tmp_path / "progress.jsonl") if e["event"] in ("model", "checkpoint")
    ]
    assert [e["folder"] for e in events if e["event"] == "model"] == names
    assert [e["event"] for e in events] == ["model", "checkpoint"] * 3
    digests = [weights_digest(tmp_path / name) for name in names]
    assert len(set(digests)) == 3 and digests[-1] == weights_digest(tmp_path / "model")


def test_models_of_steps_made_again_are_the_same(examples, tmp_path):
    calm, died = tmp_path / "calm", tmp_path / "died"
    job = spec()
    job["settings"] |= {"keep_every": 5, "checkpoint_every": 4}
    for folder in (calm, died):
        folder.mkdir()
    interrupted(died, examples, 7, job)
    before = weights_digest(died / "models/step-0000005")
    write_examples(calm, examples)
    run_here(calm, job)
    run_here(died, job)
    assert weights_digest(died / "models/step-0000005") == before
    for path in sorted(calm.glob("models/*")):
        assert weights_digest(died / "models" / path.name) == weights_digest(path)


def test_a_job_goes_on_from_the_checkpoint_before_a_damaged_one(examples, tmp_path):
    calm, died = tmp_path / "calm", tmp_path / "died"
    for folder in (calm, died):
        folder.mkdir()
    write_examples(calm, examples)
    run_here(calm, spec())
    interrupted(died, examples, 9, spec())
    weights = next((died / "checkpoints/step-0000008").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100] + bytes(100))
    run_here(died, spec())
    events = lines(died / "progress.jsonl")
    assert [e["folder"] for e in events if e["event"] == "damaged"] == ["checkpoints/step-0000008"]
    assert {"event": "resumed", "step": 4} in events
    assert weights_digest(died / "model") == weights_digest(calm / "model")
