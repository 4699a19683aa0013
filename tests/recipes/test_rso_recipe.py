"""RSO as a whole round: four responses of a prompt by rejection, and each of them meets one."""

import pytest

from flows.cli.evidence import why
from tasks.rounds import resolve

pytestmark = [pytest.mark.slow]
NEUTRAL = {
    "estimator": None,
    "pairs__selection": None,
    "pairs__rule": {"kind": "all_above_margin"},
}


def test_a_round_of_rso_pairs_what_it_accepted(recipes):
    world, manifest = recipes.round("rso", pairs__selection__number=2)
    counts = manifest["counts"]["pair"]
    prompts = len(world.table(manifest, "collect-train"))
    assert counts["selected"] <= 2 * prompts and counts["unselected"] > 0
    rows = world.table(manifest, "pair").to_pylist()
    rows += world.table(manifest, "pair", "held_out").to_pylist()
    assert rows and {one["rule"] for one in rows} == {"random_matches"}
    met = [one[side] for one in rows for side in ("chosen_id", "rejected_id")]
    assert len(met) == len(set(met)), "nobody meets two"
    assert len(rows) <= prompts
    _scores_are_the_estimators(world, manifest)
    known = why(world.tree("rso"), rows[0]["pair_id"])
    assert "estimator" in {one.annotator for one in known.decision.said}
    assert known.judges["estimator"].startswith("reward_model")
    assert "estimate" in known.stages
    report = world.store.read(f"{world.tree('rso').round_folder(0)}/report.html").decode()
    assert "estimator, in the right order" in report


def _scores_are_the_estimators(world, manifest):
    """Every response of the round has one, and the model that gave them is named."""
    said = world.table(manifest, "estimate").to_pylist()
    scored = {one["a_id"] for one in said if one["outcome"] == "scored"}
    answers = [role for role in manifest["artifacts"] if role.startswith("sample-train")]
    ids = {
        one["response_id"] for role in answers for one in world.table(manifest, role).to_pylist()
    }
    assert ids <= scored
    model = manifest["estimator"]
    assert model["uri"] == manifest["artifacts"]["estimate-model"]["uri"] and model["sha256"]


def test_without_selection_and_with_gamma_as_beta_rso_is_plain_dpo(recipes):
    loss = {"kind": "rso_sigmoid_norm", "gamma": 0.1}
    _, ours = recipes.round("rso", run="rso-neutral", training__loss=loss, **NEUTRAL)
    plain_loss = {"kind": "dpo", "beta": 0.1}
    _, plain = recipes.round("rso", run="rso-plain", training__loss=plain_loss, **NEUTRAL)
    assert ours["artifacts"]["pair"] == plain["artifacts"]["pair"]
    assert ours["policy"]["sha256"] == plain["policy"]["sha256"]
    assert "estimator" not in ours and "estimate" not in ours["artifacts"]


@pytest.mark.parametrize("loss", ["rso_sigmoid_norm", "rso_hinge_norm", "slic_hinge"])
def test_each_of_its_three_losses_can_be_chosen(loss):
    config, _ = resolve("quickstart+rso", {"training.loss": {"kind": loss, "gamma": 0.05}})
    assert config.training.loss.gamma == 0.05
