import subprocess
import sys

import torch

from tasks.training.loss_batch import LossBatch, Side
from tasks.variants import load_variant


def test_the_loss_is_the_mean_over_the_tokens_of_each_response():
    responses = Side(
        logps=torch.tensor([[-1.0, -3.0], [-5.0, 0.0]]),
        mask=torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
    )
    batch = LossBatch(chosen=responses)
    assert load_variant("tasks.losses", "sft")(batch).loss.tolist() == [2.0, 5.0]


def test_choosing_a_loss_loads_no_torch():
    code = (
        "import sys; from tasks.variants import load_variant as load;"
        "load('tasks.losses', 'dual_clip_dpo');"
        "load('tasks.losses', 'label_smoothing', loss={'kind': 'mrpo'});"
        "import tasks.tokens, tasks.weights, tasks.training.settings; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
