"""Inverse-Q* as a whole round: prompts, own responses, a teacher; no judge and no pair."""

import pytest

from infra.work import work_root
from tasks.training.examples import read_table

pytestmark = [pytest.mark.slow]


def scores(world, manifest, role):
    found = world.table(manifest, f"score-{role}").to_pylist()
    return {row["response_id"]: row["token_logps"] for row in found}


def test_a_round_of_inverse_q_moves_tokens_of_own_responses_to_contrasted_instructions(recipes):
    teacher = {"kind": "contrastive", "guidance": "Be good.", "opposite": "Be bad."}
    world, manifest = recipes.round("inverse_q", training__teacher=teacher)
    assert not any(role.startswith("judge-") for role in manifest["artifacts"])
    assert world.table(manifest, "pair").num_rows == 0
    reference, guided, opposed = (
        scores(world, manifest, role) for role in ("reference", "teacher-guided", "teacher-opposed")
    )
    assert guided != opposed and guided.keys() == opposed.keys()
    [folder] = [path.parent for path in (work_root() / "stages/train").rglob("side.arrow")]
    examples = {row["example_id"]: row for row in read_table(folder / "examples.arrow").to_pylist()}
    taught = {row["example_id"]: row for row in read_table(folder / "side.arrow").to_pylist()}
    own = {row["response_id"] for row in world.table(manifest, "sample-train-policy").to_pylist()}
    assert examples and examples.keys() == taught.keys() <= own
    for name, row in taught.items():
        rows = zip(reference[name], guided[name], opposed[name], strict=True)
        assert row["chosen_teacher"] == pytest.approx([r + good - bad for r, good, bad in rows])
        assert examples[name]["chosen_logps"] == reference[name]
        assert examples[name]["kind"] == "response_only"
    assert manifest["policy"]["sha256"] != manifest["reference_in"]["sha256"]


def test_a_teacher_whose_instructions_say_the_same_leaves_the_policy_as_it_is(recipes):
    same = {"kind": "contrastive", "guidance": "Answer.", "opposite": "Answer."}
    world, manifest = recipes.round("inverse_q", run="inverse-q-same", training__teacher=same)
    steps = world.table(manifest, "train").to_pylist()
    assert steps and all(row["loss"] == pytest.approx(0, abs=1e-9) for row in steps)
    assert manifest["policy"]["sha256"] == manifest["reference_in"]["sha256"]
