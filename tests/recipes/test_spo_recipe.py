"""SPO as a whole round: variants of both responses reach the trainer, the head stays behind."""

import pytest
from safetensors.torch import load_file

from infra.models import checkpoint_folder
from tasks.derivations import Derivation
from tasks.records import Checkpoint
from tasks.step_metrics import reported
from tasks.tables import from_table

pytestmark = [pytest.mark.slow]

MADE = "transform-0-degrade"
VOWELS = {"kind": "pattern", "pattern": "[aeiou]\\w"}
"""The small model's texts are letters: there are no phrases in them."""


def spo(weight):
    return {"kind": "spo_degree", "num_degrees": 3, "weight": weight, "loss": {"kind": "dpo"}}


@pytest.fixture(scope="module")
def degraded(recipes):
    transforms = [{"kind": "degrade", "num_degrees": 3, "extractor": VOWELS}]
    return recipes.round("spo", transforms=transforms)


def test_a_round_of_spo_tells_degrees_of_both_responses_apart(degraded):
    world, manifest = degraded
    assert manifest["artifacts"]["pair"]["content"] == manifest["artifacts"][MADE]["content"]
    origins = list(from_table(Derivation, world.table(manifest, MADE, "origins")))
    texts = {
        row["response_id"]: row["text"]
        for role in manifest["artifacts"]
        if role.startswith("sample-train-") or role == f"{MADE}-responses"
        for row in world.table(manifest, role).to_pylist()
    }
    assert {one.degree for one in origins} == {1, 2}
    for one in origins:
        assert len(texts[one.response_id]) < len(texts[one.made_from])
    steps = [reported(row) for row in world.table(manifest, "train").to_pylist()]
    assert steps and all(step["degree_loss"] > 0 for step in steps)


def test_the_policy_of_spo_has_the_weights_of_a_plain_one(degraded):
    world, manifest = degraded
    policy, sft = (Checkpoint(**manifest[one]) for one in ("policy", "reference_in"))
    assert policy.sha256 != sft.sha256
    found = [shapes(checkpoint_folder(one, world.store.settings)) for one in (policy, sft)]
    assert found[0] == found[1], "the head is no part of it"
    counts = manifest["counts"][MADE]
    assert counts["degraded"] == counts["responses"] and counts["pairs"]


def shapes(folder):
    """Name and shape of each tensor of the model in `folder`."""
    found = {}
    for path in folder.glob("*.safetensors"):
        found |= {name: list(tensor.shape) for name, tensor in load_file(path).items()}
    return found


def test_without_its_weight_spo_is_the_base_loss(recipes):
    _, ours = recipes.round("spo", run="spo-neutral", training__loss=spo(0.0), transforms=[])
    plain = {"kind": "dpo"}
    _, dpo = recipes.round("spo", run="spo-plain", training__loss=plain, transforms=[])
    assert ours["artifacts"]["pair"] == dpo["artifacts"]["pair"]
    assert ours["policy"]["sha256"] == dpo["policy"]["sha256"]
