import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sharded_program import WORLD, described, small_model, whole

from tasks.child import Reporter
from tasks.training import checkpoints

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def test_what_two_processes_saved_one_process_restores(tmp_path):
    command = [sys.executable, "-m", "tests.training.sharded_program"]
    with (tmp_path / "log.txt").open("w") as log:
        started = [
            subprocess.Popen([*command, str(rank), str(tmp_path)], cwd=ROOT, stdout=log, stderr=log)
            for rank in range(WORLD)
        ]
        codes = [process.wait(300) for process in started]
    assert codes == [0] * WORLD, (tmp_path / "log.txt").read_text()
    folder = checkpoints.latest(tmp_path, Reporter(tmp_path))
    assert folder is not None
    assert len(list(folder.glob("tensors-*.safetensors"))) == WORLD
    expected = load_file(tmp_path / "expected.safetensors")
    alone = described(small_model())
    checkpoints.restore(tmp_path, folder, alone)
    assert whole(alone).keys() == expected.keys()
    assert all(torch.equal(whole(alone)[name], tensor) for name, tensor in expected.items())
