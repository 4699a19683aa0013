"""The average door on models of two files, in a process that may be told to die."""

import json
import shutil

import pytest

from tasks.average import average_of
from tasks.describe import describe
from tests.killed import watch_commits
from tests.small_config import small_place

DECAY = 0.5


def in_two_files(model, folder):
    """A copy of a model folder whose weights lie in two files."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    for file, some in (("one", names[::2]), ("two", names[1::2])):
        save_file({name: tensors[name] for name in some}, folder / f"{file}.safetensors")
    return folder


def place_of(folder):
    """Round 1 of a run that started from `sft` and made `policy`."""
    sft, policy = (describe(folder / name) for name in ("sft", "policy"))
    root = f"file://{folder}/store"
    return small_place(root=root, round_index=1, sft=sft, reference=sft, policies={0: policy})


def averaged(folder):
    """The average of both, as the door makes it."""
    return average_of.fn(DECAY, place_of(folder))


def dies_before_it_commits(folder):
    """The process ends when the child has done its work, before the manifest is written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSO_WORK", f"{folder}/work")
        watch_commits(patch, dies_before=0)
        averaged(folder)


def undisturbed(folder):
    """What the job itself makes of both models, in this process."""
    from tests.training.training_jobs import run_here

    workdir = folder / "calm"
    workdir.mkdir()
    before, policy = str(folder / "sft"), str(folder / "policy")
    job = {"job": "average", "stage": "a", "before": before, "policy": policy, "decay": DECAY}
    (workdir / "spec.json").write_text(json.dumps(job))
    run_here(workdir, job)
    return describe(workdir / "model")
