import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tiny_models import tiny_model
from training_jobs import lines, pair_examples, run_here, train_spec, write_examples

from tasks.child import Reporter
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


def test_a_killed_job_ends_bit_equal_to_an_undisturbed_one(examples, tmp_path):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for folder in (calm, killed):
        folder.mkdir()
        write_examples(folder, examples)
    job = train_spec(tiny_model(), settings=SETTINGS | {"epochs": 60}, expect_reference=True)
    run_here(calm, job)
    process = start_child(killed, job)
    wait_for_step(killed, 6, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "result.json").exists()
    again = start_child(killed, job)
    assert again.wait(timeout=600) == 0, (killed / "log.txt").read_text()
    assert weights_digest(killed / "model") == weights_digest(calm / "model")
    assert stable(killed) == stable(calm)
    assert [row["step"] for row in stable(killed)] == list(range(1, 181))
    resumed = [e for e in lines(killed / "progress.jsonl") if e["event"] == "resumed"]
    assert len(resumed) == 1 and resumed[0]["step"] >= 4


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

    def swap(*arguments):
        write_examples(tmp_path, examples[:-1])
        return export(*arguments)

    monkeypatch.setattr(checkpoints, "export", swap)
    with pytest.raises(DataError, match="changed while training ran"):
        run_here(tmp_path, spec())
