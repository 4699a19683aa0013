"""Self-rewarding as a whole round: vLLM serves the policy, which grades its own responses."""

import pytest

from infra.artifacts import open_artifact
from tasks.judge_models import fingerprint_of
from tasks.records import Artifact, Checkpoint
from tests.services.vllm_cells import SERVER, served_model

pytestmark = [pytest.mark.slow, pytest.mark.service]

QUESTION = "{{ fence }}{{ response }}{{ fence }} Score?"


@pytest.fixture
def judge(tmp_path):
    """A tiny policy knows no grades: it is held to them."""
    template = tmp_path / "grade.j2"
    template.write_text(QUESTION, encoding="utf-8")
    held = {"structured": "choice", "template": str(template), "max_tokens": 8}
    own = {"kind": "likert", "model": "policy", "server": SERVER}
    return {**own, **held, "lowest": 0, "highest": 100}


def test_the_round_s_own_policy_grades_and_the_best_is_chosen_over_the_worst(recipes, judge):
    world, manifest = recipes.round(
        "self_rewarding", run__base_model=str(served_model()), judges__self=judge
    )
    artifact = Artifact(**manifest["artifacts"]["judge-self-train"])
    stage = open_artifact(world.store, artifact)
    start = Checkpoint(**manifest["reference_in"])
    assert stage.manifest["key"]["fingerprints"] == {"judge": fingerprint_of(start)}
    graded = {one["a_id"]: one["score"] for one in stage.table().to_pylist() if not one["b_id"]}
    pairs = world.table(manifest, "pair").to_pylist()
    assert pairs and all(graded[one["chosen_id"]] > graded[one["rejected_id"]] for one in pairs)
