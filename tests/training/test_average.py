"""The moving average of weights, as the job makes it."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import tiny_model
from training_jobs import run_here

from tasks.errors import DataError
from tasks.training.policy import load_policy


def folder(path, value, files=("model.safetensors",), dtype=torch.float32, shape=(2, 2)):
    path.mkdir(parents=True)
    for number, name in enumerate(files):
        tensors = {f"layer{number}": torch.full(shape, value, dtype=dtype)}
        save_file(tensors | {f"steps{number}": torch.tensor([int(value)])}, path / name)
    (path / "config.json").write_text(json.dumps({"hidden": value}))
    return path


def average(workdir, before, policy, decay=0.5):
    workdir.mkdir(exist_ok=True)
    spec = {"job": "average", "stage": "a", "before": str(before), "policy": str(policy)}
    assert run_here(workdir, spec | {"decay": decay}) == {}
    return workdir / "model"


def test_from_0_towards_1_an_average_of_half_goes_as_in_the_paper(tmp_path):
    current, policy = folder(tmp_path / "zero", 0.0), folder(tmp_path / "one", 1.0)
    seen = []
    for step in range(3):
        current = average(tmp_path / f"step{step}", current, policy)
        [value] = load_file(current / "model.safetensors")["layer0"].unique().tolist()
        seen.append(value)
    assert seen == [0.5, 0.75, 0.875]


def test_the_decay_is_what_the_average_keeps(tmp_path):
    before, policy = folder(tmp_path / "zero", 1.0), folder(tmp_path / "one", 3.0)
    made = load_file(average(tmp_path / "work", before, policy, 0.75) / "model.safetensors")
    assert made["layer0"].unique().tolist() == [1.5]
    assert made["steps0"].tolist() == [3], "whole numbers are the policy's"


def test_averages_are_float32_so_that_small_steps_are_not_rounded_away(tmp_path):
    half = torch.bfloat16
    before = folder(tmp_path / "a", 1.0, dtype=half)
    policy = folder(tmp_path / "b", 1.0078125, dtype=half)
    made = load_file(average(tmp_path / "work", before, policy, 0.99) / "model.safetensors")
    assert made["layer0"].dtype == torch.float32
    assert made["layer0"].unique().tolist() == pytest.approx([1.000078125])


def test_files_are_the_policys_and_one_that_is_done_is_kept(tmp_path):
    before = folder(tmp_path / "a", 0.0, files=("one.safetensors", "two.safetensors"))
    policy = folder(tmp_path / "b", 1.0, files=("one.safetensors", "two.safetensors"))
    part = tmp_path / "work" / "model.part"
    part.mkdir(parents=True)
    save_file({"layer0": torch.full((2, 2), 9.0)}, part / "one.safetensors")
    made = average(tmp_path / "work", before, policy)
    assert load_file(made / "one.safetensors")["layer0"][0, 0] == 9.0, "done before the job died"
    assert load_file(made / "two.safetensors")["layer1"][0, 0] == 0.5
    assert json.loads((made / "config.json").read_text()) == {"hidden": 1.0}


def test_models_of_other_shapes_have_no_average(tmp_path):
    before = folder(tmp_path / "a", 0.0, shape=(3, 2))
    policy = folder(tmp_path / "b", 1.0)
    with pytest.raises(DataError, match=r"'layer0' is \(2, 2\) in the policy and \(3, 2\)"):
        average(tmp_path / "work", before, policy)


def test_an_average_of_models_is_a_model(tmp_path):
    one, two = tiny_model(seed=0), tiny_model(seed=1)
    made = load_policy(average(tmp_path / "work", one, two), "float32", "cpu")
    first, second = (load_policy(each, "float32", "cpu") for each in (one, two))
    for name, parameter in made.parameters.items():
        both = (first.parameters[name] + second.parameters[name]) / 2
        torch.testing.assert_close(parameter, both)
