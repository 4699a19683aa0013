"""TensorBoard's own reader finds in the event files what metrics.jsonl says, each step once."""

import json
import math
import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_models import tiny_model
from training_jobs import lines, pair_examples, run_here, train_spec, write_examples

from tasks.training import checkpoints
from tasks.training.events import CURVES, EVENTS, EventFiles


def curves(folder):
    """{name: [(step, value)]} as TensorBoard reads them."""
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {
        name: [(point.step, point.value) for point in reader.Scalars(name)]
        for name in reader.Tags()["scalars"]
    }


def said(workdir):
    """The same of metrics.jsonl."""
    found = {}
    for line in lines(workdir / checkpoints.METRICS):
        for name, value in line.items():
            if name not in ("step", "steps"):
                found.setdefault(f"training/{name}", []).append((line["step"], value))
    return found


def next_second():
    """Viewers read files in the order of their names, which begin with the second."""
    time.sleep(1.01 - time.time() % 1)


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, points in wanted.items():
        assert [step for step, _ in found[name]] == [step for step, _ in points]
        values = [value for _, value in points]
        assert [value for _, value in found[name]] == pytest.approx(values, rel=1e-6)


def test_every_number_of_metrics_becomes_a_point_of_its_curve(tmp_path):
    write_examples(tmp_path, pair_examples(tiny_model(), 4))
    run_here(tmp_path, train_spec(tiny_model()))
    wanted = said(tmp_path)
    assert {"training/loss", "training/kl", "training/tokens_per_second"} <= wanted.keys()
    assert_same(curves(tmp_path / EVENTS), wanted)


def test_a_resumed_job_continues_its_curves_and_doubles_no_step(tmp_path, monkeypatch):
    write_examples(tmp_path, pair_examples(tiny_model(), 6))
    settings = {"epochs": 3, "checkpoint_every": 4}
    spec = train_spec(tiny_model(), settings=settings, expect_reference=True)

    class Died(BaseException):
        pass

    def die(self, *arguments, **fields):
        if fields.get("step") == 6:
            raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr("tasks.child.Reporter.event", die)
        run_here(tmp_path, spec)
    before = curves(tmp_path / EVENTS)["training/loss"]
    assert [step for step, _ in before] == [1, 2, 3, 4, 5, 6]
    next_second()
    run_here(tmp_path, spec)
    found = curves(tmp_path / EVENTS)
    assert [step for step, _ in found["training/loss"]] == list(range(1, 10))
    assert_same(found, said(tmp_path))


def test_a_viewer_that_has_read_an_earlier_file_forgets_its_points(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    written = [{"step": step, "steps": 9, "loss": 0.5 / step} for step in range(1, 7)]
    metrics.write_text("")
    with EventFiles(tmp_path / "tb", metrics) as events:
        for line in written:
            events.add(line)
    viewer = EventAccumulator(str(tmp_path / "tb"))
    viewer.Reload()
    assert len(viewer.Scalars("training/loss")) == 6
    next_second()
    metrics.write_text("".join(json.dumps(line) + "\n" for line in written[:4]))
    with EventFiles(tmp_path / "tb", metrics) as events:
        events.add({"step": 5, "steps": 9, "loss": 9.0})
    viewer.Reload()
    points = [(point.step, point.value) for point in viewer.Scalars("training/loss")]
    expected = [(step, 0.5 / step) for step in range(1, 5)] + [(5, 9.0)]
    assert [step for step, _ in points] == [1, 2, 3, 4, 5]
    assert [value for _, value in points] == pytest.approx([value for _, value in expected])


def test_a_job_that_resumes_on_another_machine_has_all_curves(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 1, "steps": 2, "loss": 0.5}\n')
    with EventFiles(tmp_path / "tb", metrics) as events:
        events.add({"step": 2, "steps": 2, "loss": 0.25})
    assert curves(tmp_path / "tb") == {"training/loss": [(1, 0.5), (2, 0.25)]}


def test_what_is_no_number_is_no_point(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("")
    with EventFiles(tmp_path / "tb", metrics) as events:
        events.add({"step": 1, "steps": 1, "loss": 0.5, "kl": math.nan, "margin": None})
    assert list(curves(tmp_path / "tb")) == ["training/loss"]


def test_the_curves_of_a_finished_job_are_the_same_bytes_and_say_nothing_of_speed(tmp_path):
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        write_examples(folder, pair_examples(tiny_model()))
        run_here(folder, train_spec(tiny_model()))
        [file] = (folder / CURVES).iterdir()
        made.append(file)
    assert made[0].read_bytes() == made[1].read_bytes()
    reader = EventAccumulator(str(made[0].parent))
    reader.Reload()
    losses = [line["loss"] for line in lines(tmp_path / "one/metrics.jsonl")]
    points = [point.value for point in reader.Scalars("training/loss")]
    assert points == pytest.approx(losses, rel=1e-6)
    assert "training/tokens_per_second" not in reader.Tags()["scalars"]
