"""Quotas at the sampling door: which prompts are answered, and under which stage key."""

import pytest

from infra.artifacts import open_artifact
from infra.storage import open_store
from tasks.collect import _commit
from tasks.model_matrix import Cell
from tasks.prompts import prompt_of
from tasks.records import Artifact, Prompt
from tasks.sample import cells_of, sample_cell
from tasks.sources import Row
from tasks.tables import to_table
from tests.small_config import small_config, small_place


@pytest.fixture
def place(tmp_path):
    return small_place(root=f"file://{tmp_path}/store", round_index=0, run="one")


def asked(place):
    prompts = [prompt_of(Row("x", {"prompt": f"Name fruit {number}."})) for number in range(10)]
    return _commit(to_table(Prompt, prompts), "train", {}, place)


def sampled(place, share, run="one", **settings) -> Artifact:
    """What the cell `large` answers with this share; `run` must not matter."""
    made = small_place(root=place.storage.root, round_index=0, run=run, shares={"large": share})
    matrix = {"large": small_config(**settings).matrix["large"]}
    cell: Cell = cells_of(matrix, made)["large"]
    return sample_cell.fn(name="large", prompts=asked(made), cell=cell, role="train", place=made)


def rows(place, artifact):
    table = open_artifact(open_store(place.storage), artifact).table()
    return {row["prompt_id"]: row["response_id"] for row in table.to_pylist()}


def test_a_cell_answers_its_share_and_keeps_its_responses_when_the_share_is_raised(place):
    few, more, every = (rows(place, sampled(place, share)) for share in (0.3, 0.6, 1.0))
    assert [len(one) for one in (few, more, every)] == [3, 6, 10]
    assert few.items() < more.items() < every.items()


def test_a_share_of_1_has_the_key_of_a_stage_without_shares(place):
    artifact = sampled(place, 1.0)
    key = open_artifact(open_store(place.storage), artifact).manifest["key"]
    assert key["inputs"] == {"prompts": asked(place).content}
    assert "share" not in key["settings"]


def test_runs_of_other_names_draw_the_same_prompts_and_share_the_stage(place):
    assert sampled(place, 0.3) == sampled(place, 0.3, run="two")


def test_a_declared_share_enters_no_key_by_itself(place):
    assert sampled(place, 0.3) == sampled(place, 0.3, matrix__large__share=0.7)


def test_a_cell_with_share_0_answers_nothing(place):
    assert sampled(place, 0.0).rows == 0
