import json
import pickle
import random
from pathlib import Path

import pytest
import torch
from training_jobs import lines

from tasks.child import Reporter
from tasks.errors import DataError
from tasks.training import checkpoints, tensor_files
from tasks.training.checkpoints import Saved


def trained(seed=0, steps=2, dtype=torch.float32):
    """Two layers, of which the second has never had a gradient, and a moving average."""
    torch.manual_seed(seed)
    model = torch.nn.ModuleDict({name: torch.nn.Linear(3, 3) for name in ("used", "idle")})
    model.to(dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        model["used"](torch.randn(4, 3, dtype=dtype)).square().sum().backward()
        optimizer.step()
    average = {name: torch.rand_like(one) for name, one in model.named_parameters()}
    return Saved(
        model=dict(model.named_parameters()),
        optimizer=optimizer,
        extras={"average": average, "counts": {"seen": torch.tensor([3, 4])}},
        state={"step": steps, "windows": [0.5]},
    )


def saved(workdir: Path, what=None, keep_last=2):
    """The folder of a checkpoint of `what`."""
    (workdir / "metrics.jsonl").write_text('{"step": 1}\n')
    return workdir / checkpoints.save(workdir, what or trained(), keep_last)


def histories(one):
    names = {id(tensor): name for name, tensor in one.named().items()}
    return {names[id(key)]: entries for key, entries in one.optimizer.state.items()}


def test_everything_comes_back_bit_for_bit(tmp_path):
    one = trained()
    folder = saved(tmp_path, one)
    drawn = torch.rand(3)
    other = trained(seed=1, steps=0)
    (tmp_path / "metrics.jsonl").write_text("other\n")
    checkpoints.restore(tmp_path, folder, other)
    assert all(torch.equal(other.kept()[name], one.kept()[name]) for name in one.kept())
    assert histories(other).keys() == {"model/used.weight", "model/used.bias"}
    for name, entries in histories(one).items():
        assert histories(other)[name].keys() == entries.keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(histories(other)[name][key], entries[key]) for key in entries)
    assert checkpoints.read_state(folder) == {"step": 2, "windows": [0.5]}
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'
    assert torch.equal(torch.rand(3), drawn)


def test_a_restored_optimizer_goes_on_as_the_saved_one_would(tmp_path):
    one, other = trained(), trained(seed=1, steps=0)
    checkpoints.restore(tmp_path, saved(tmp_path, one), other)
    for each in (one, other):
        for name, parameter in each.model.items():
            parameter.grad = torch.full_like(parameter, 0.25 if "used" in name else -0.5)
        each.optimizer.step()
    assert all(torch.equal(other.model[name], one.model[name]) for name in one.model)


def test_what_is_not_trained_is_not_kept(tmp_path):
    one = trained()
    one.model["idle.weight"].requires_grad = False
    stored = tensor_files.stored_tensors(saved(tmp_path, one))
    assert "model/idle.weight" not in stored and "model/idle.bias" in stored


def test_nothing_is_pickled_on_the_way(tmp_path, monkeypatch):
    def forbidden(*arguments, **options):
        raise AssertionError("pickle was used")

    for module, name in [(torch, "load"), (torch, "save"), (pickle, "load"), (pickle, "loads")]:
        monkeypatch.setattr(module, name, forbidden)
    for name in ("dump", "dumps", "Unpickler", "Pickler"):
        monkeypatch.setattr(pickle, name, forbidden)
    folder = saved(tmp_path)
    checkpoints.restore(tmp_path, folder, trained(seed=1, steps=0))
    kinds = {path.suffix for path in folder.iterdir()}
    assert kinds == {"", ".json", ".jsonl", ".safetensors"}  # the first is DONE


def test_a_number_among_the_tensors_is_refused_instead_of_pickled(tmp_path):
    with pytest.raises(TypeError, match="x is no tensor"):
        tensor_files.write_tensors(tmp_path, {"x": 3})


def test_large_states_are_cut_into_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tensor_files, "FILE_BYTES", 64)
    one, other = trained(), trained(seed=1, steps=0)
    folder = saved(tmp_path, one)
    assert len(list(folder.glob("*.safetensors"))) > 3
    checkpoints.restore(tmp_path, folder, other)
    assert all(torch.equal(other.kept()[name], one.kept()[name]) for name in one.kept())


@pytest.mark.parametrize("change", ["dtype", "shape", "more", "fewer"])
def test_a_checkpoint_of_another_model_is_refused(change, tmp_path):
    folder = saved(tmp_path)
    other = trained(steps=0, dtype=torch.bfloat16 if change == "dtype" else torch.float32)
    seen = torch.zeros(3 if change == "shape" else 2, dtype=torch.int64)
    average = dict(other.extras["average"])
    if change == "fewer":
        del average["idle.bias"]
    extras = {"average": average, "counts": {"seen": seen}}
    if change == "more":
        extras["head"] = {"weight": torch.zeros(1)}
    asked = Saved(model=other.model, optimizer=other.optimizer, extras=extras)
    with pytest.raises(DataError, match=r"made by other work|weights of another model"):
        checkpoints.restore(tmp_path, folder, asked)


def truncate(folder):
    path = next(folder.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_byte(folder):
    path = next(folder.glob("*.safetensors"))
    data = bytearray(path.read_bytes())
    data[random.Random(0).randrange(len(data))] ^= 1
    path.write_bytes(data)


def lose_a_file(folder):
    next(folder.glob("*.safetensors")).unlink()


def add_a_file(folder):
    (folder / "stray.safetensors").touch()


def tear_done(folder):
    (folder / "DONE").write_text('{"files": {')


def change_the_state(folder):
    (folder / "state.json").write_text('{"step": 3}')


@pytest.mark.parametrize(
    "harm", [truncate, flip_a_byte, lose_a_file, add_a_file, tear_done, change_the_state]
)
def test_of_a_damaged_checkpoint_the_one_before_is_taken_with_a_message(harm, tmp_path, capfd):
    before = saved(tmp_path, trained(steps=2))
    newest = saved(tmp_path, trained(steps=4))
    assert checkpoints.latest(tmp_path, Reporter(tmp_path)) == newest
    harm(newest)
    assert checkpoints.latest(tmp_path, Reporter(tmp_path)) == before
    (event,) = lines(tmp_path / "progress.jsonl")
    assert (event["event"], event["folder"]) == ("damaged", "checkpoints/step-0000004")
    assert "step-0000004 is damaged and not used" in capfd.readouterr().err
    assert not newest.exists()


def test_if_every_checkpoint_is_damaged_the_work_begins_anew(tmp_path):
    for steps in (2, 4):
        truncate(saved(tmp_path, trained(steps=steps)))
    assert checkpoints.latest(tmp_path, Reporter(tmp_path)) is None
    assert len(lines(tmp_path / "progress.jsonl")) == 2


@pytest.mark.parametrize("keep_last", [1, 3])
def test_as_many_checkpoints_stay_as_are_asked_for(keep_last, tmp_path):
    for steps in (2, 4, 6, 8):
        saved(tmp_path, trained(steps=steps), keep_last)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == [f"step-000000{step}" for step in (2, 4, 6, 8)][-keep_last:]


def test_done_names_every_other_file_with_its_digest(tmp_path):
    folder = saved(tmp_path)
    listed = json.loads((folder / "DONE").read_text())["files"]
    assert listed.keys() == {path.name for path in folder.iterdir()} - {"DONE"}
    assert all(tensor_files.digest_of(folder / name) == file for name, file in listed.items())


def test_a_full_disk_is_reported_as_what_it_is(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_files, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        saved(tmp_path)
    assert checkpoints.latest(tmp_path, Reporter(tmp_path)) is None
