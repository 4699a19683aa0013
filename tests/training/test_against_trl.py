"""The same losses as TRL's DPOTrainer, which runs beside ours on a tiny model."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.trainer.groups import Group
from benchmarks.trainer.jobs import Trainers
from benchmarks.trainer.model import make_tokenizer, save_model
from benchmarks.trainer.plan import Plan, read_plan
from benchmarks.trainer.prepared import choose_groups
from benchmarks.trainer.trajectory import compare_losses

pytestmark = pytest.mark.skipif(
    find_spec("trl") is None, reason="TRL is not installed; it is in the dependency group dev"
)

WORDS = ("fox", "lake", "boat", "wind", "water", "deer", "owl", "bear", "snow", "train", "noon")
SHAPE = {
    "vocabulary": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}


def small_plan(steps: int, pairs_per_step: int) -> Plan:
    """The benchmark's plan for a tiny model that learns fast."""
    plan = read_plan()
    trajectory = plan.trajectory.model_copy(
        update={"steps": steps, "pairs_per_step": pairs_per_step}
    )
    small = {"model": SHAPE, "threads": 1, "max_tokens": 128, "learning_rate": 3e-3}
    return plan.model_copy(update={**small, "trajectory": trajectory})


def made_groups(count: int, responses: int) -> list[Group]:
    """Prompts of random words; better responses have fewer words."""
    rng = np.random.default_rng(0)

    def text(length: int) -> str:
        return " ".join(rng.choice(WORDS, length))

    return [
        Group(
            prompt_id=f"p{number}",
            prompt=text(3 + number % 5),
            responses=[text(2 + 3 * better + number % 3) for better in range(responses)],
        )
        for number in range(count)
    ]


def compared(folder: Path, plan: Plan, groups: list[Group]) -> dict:
    """The losses of both trainers on `groups`."""
    texts = [text for group in groups for text in (group.prompt, *group.responses)]
    save_model(folder / "model", make_tokenizer(texts, SHAPE["vocabulary"]), plan)
    trainers = Trainers(plan=plan, model=folder / "model", trl_python=Path(sys.executable))
    return compare_losses(trainers, folder / "set", choose_groups(trainers, groups))


@pytest.mark.slow
def test_fifty_steps_on_one_pair_a_prompt_have_the_losses_of_trl(tmp_path):
    found = compared(tmp_path, small_plan(50, 4), made_groups(200, 2))
    assert (found["steps"], found["goal"], found["met"]) == (50, 1e-4, True), found
    assert found["ours"][0] == pytest.approx(np.log(2), abs=1e-4)
    assert found["ours"][-1] < 0.5, "it must have learned: equal losses of nothing say nothing"


@pytest.mark.slow
def test_trees_of_four_responses_have_the_losses_of_trl_pair_by_pair(tmp_path):
    found = compared(tmp_path, small_plan(10, 24), made_groups(40, 4))
    assert (found["steps"], found["met"]) == (10, True), found
    assert found["ours"][-1] < 0.65
