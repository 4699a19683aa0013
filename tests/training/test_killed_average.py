"""An average of weights whose child is killed between two files, and whose launcher then dies."""

from functools import partial

import pytest

import tasks.average
from infra.processes import run_child
from tasks.errors import ChildError
from tests.killed import killed
from tests.tiny_models import tiny_model
from tests.training.killed_average import (
    averaged,
    dies_before_it_commits,
    in_two_files,
    place_of,
    undisturbed,
)
from tests.whole_runs import items

pytestmark = pytest.mark.slow


def another_child(program, module, workdir, **more):
    return run_child(program, workdir, **more)


def test_files_that_are_made_are_kept_and_the_average_is_that_of_an_undisturbed_child(
    tmp_path, monkeypatch
):
    for seed, name in enumerate(("sft", "policy")):
        in_two_files(tiny_model(seed=seed), tmp_path / name)
    with monkeypatch.context() as patch:
        dying = partial(another_child, "tests.training.dying_average")
        patch.setattr(tasks.average, "run_child", dying)
        with pytest.raises(ChildError) as caught:
            averaged(tmp_path)
    assert caught.value.exit_code == 137
    assert [item for _, item in items()] == ["one.safetensors"]
    killed(dies_before_it_commits, tmp_path)
    assert not list((tmp_path / "store").rglob("manifest.json"))
    made = averaged(tmp_path)
    assert [item for _, item in items()] == ["one.safetensors", "two.safetensors"]
    assert made.sha256 == undisturbed(tmp_path).sha256
    assert made.sha256 not in {place_of(tmp_path).sft.sha256, place_of(tmp_path).reference.sha256}
    [manifest] = (tmp_path / "store").rglob("manifest.json")
    written = manifest.stat().st_mtime_ns
    assert averaged(tmp_path) == made and manifest.stat().st_mtime_ns == written
