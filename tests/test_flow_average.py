"""A run whose matrix and references hold a moving average of its policies."""

import pytest

from infra.artifacts import open_artifact
from infra.models import checkpoint_folder
from tasks.records import Artifact, Checkpoint
from tasks.storage_settings import StorageSettings
from tests.small_run import TRAINING
from tests.whole_runs import children, small_world

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def test_an_average_of_the_policies_samples_and_scores_from_the_second_round_on(tmp_path):
    from safetensors.torch import load_file

    engine = {"engine": "transformers", "threads": 1, "max_tokens": 12, "samples": 1}
    policy = {**engine, "model": "policy", "samples": 2}
    matrix = {"policy": policy, "slow": {**engine, "model": "ema"}}
    training = TRAINING | {"loss": {"kind": "mrpo"}, "references": ["ema"]}
    world = small_world(tmp_path, matrix=matrix, training=training)
    state = world.rounds("ema", rounds=2)
    assert state.is_completed(), state.message
    first, second = world.tree("ema").manifests()
    assert "average-0.5" not in first["artifacts"], "there is no policy yet"
    average = open_artifact(world.store, Artifact(**second["artifacts"]["average-0.5"]))
    storage = StorageSettings(root=world.store.root)
    sft, trained = (
        load_file(checkpoint_folder(Checkpoint(**first[one]), storage) / "model.safetensors")
        for one in ("reference_in", "policy")
    )
    files = {file.path.rpartition("/")[2]: file for file in average.files("model")}
    made = load_file(tmp_path / "store" / files["model.safetensors"].path)
    for name, tensor in made.items():
        assert ((sft[name] + trained[name]) / 2 - tensor).abs().max() < 1e-6, name
    cells = [
        open_artifact(world.store, Artifact(**manifest["artifacts"][role])).manifest["key"]
        for manifest in (first, second)
        for role in ("sample-train-policy", "sample-train-slow")
    ]
    own, slow, own_now, slow_now = (one["settings"]["cell"] for one in cells)
    assert own == slow, "both are the model that the run started from"
    assert len({own, own_now, slow_now}) == 3
    scored = world.table(second, "score-further-1").to_pylist()
    assert scored and {row["reference"] for row in scored}.isdisjoint(
        row["reference"] for row in world.table(second, "score-reference").to_pylist()
    )
    before = children()
    assert world.rounds("twin", rounds=2).is_completed()
    assert world.tree("twin").manifests()[1]["artifacts"] == second["artifacts"]
    assert children() == before, "the average is made once"
