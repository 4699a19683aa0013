"""Whole rounds with two recipes: feedback is shared, the better policy goes on."""

import json

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.cli.what_if import imagine
from tasks.refresh import report_page
from tasks.rounds import committed_round
from tests.small_run import TRAINING
from tests.whole_runs import children, items, small_world

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

STILL = {"learning_rate": 1e-9, "epochs": 1, "keep_every": None}
"""A champion that learns nothing."""
IMITATE = {
    "training.loss": {"kind": "sft"},
    "training.learning_rate": 0.01,
    "training.epochs": 12,
    "pairs.rule": {"kind": "best_vs_worst"},
}
"""A challenger that learns to answer as the recorded people do."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The folder of one store: what runs have in common is sampled once."""
    return tmp_path_factory.mktemp("contest")


def world_of(folder, gate=None, **settings):
    changes = {"challenger": {"set": settings}} if settings else {}
    return small_world(
        folder,
        training=TRAINING | STILL,
        refresh={"gate": gate or {"kind": "every_round"}},
        **changes,
    )


def round_of(world, run):
    state = world.rounds(run)
    assert state.is_completed(), state.message
    return world.tree(run).manifests()[-1]


def test_a_challenger_that_differs_in_nothing_is_trained_once_and_loses(shared):
    plain = round_of(world_of(shared), "plain")
    before = (children(), len(items()))
    assert before[0].count("train") == 1
    same = round_of(world_of(shared, **{"training.epochs": 1}), "same")
    assert (children(), len(items())) == before, "everything is found in the store"
    assert same["contest"]["winner"] == "champion"
    assert same["contest"]["reasons"] == ["both recipes made the same weights"]
    assert same["policy"] == plain["policy"] and "contest" not in plain
    own = {role: one for role, one in same["artifacts"].items() if "challenger-" not in role}
    assert own == plain["artifacts"]
    for role in ("pair", "train", "evaluate"):
        assert same["artifacts"][f"challenger-{role}"] == plain["artifacts"][role]


SENSITIVE = {"kind": "unless_worse", "min_prompts": 2, "confidence": 0.6}
"""A gate to which the difference of a few prompts counts."""


@pytest.fixture(scope="module")
def won(shared):
    """A round that its challenger wins."""
    world = world_of(shared, SENSITIVE, **IMITATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSO_WORK", str(shared / "work"))
        return world, round_of(world, "won")


def test_the_better_policy_goes_on_and_the_other_one_stays_in_the_store(won):
    world, manifest = won
    contest = manifest["contest"]
    assert contest["winner"] == "challenger", contest
    assert manifest["policy"]["sha256"] == contest["policies"]["challenger"]
    assert manifest["policy"]["sha256"] != contest["policies"]["champion"]
    assert contest["slices"]["checks"]["estimate"] > 0
    figures = contest["figures"]["checks"]
    assert figures["challenger"] == manifest["figures"]["checks"] > figures["champion"]
    assert world.table(manifest, "champion-train").num_rows
    assert (
        world.table(manifest, "train").num_rows > world.table(manifest, "champion-train").num_rows
    )
    rules = {one["rule"] for one in world.table(manifest, "pair").to_pylist()}
    assert rules == {"best_vs_worst"}


def test_feedback_is_made_once_for_both(won):
    _, manifest = won
    shared_roles = [role for role in manifest["artifacts"] if role.startswith("judge-main-train")]
    assert shared_roles == ["judge-main-train"]
    prompts = {
        manifest["artifacts"][role]["content"]
        for role in manifest["artifacts"]
        if role.endswith("collect-evaluation")
    }
    assert len(prompts) == 1, "both are measured on the same prompts"


def test_report_card_and_what_if_know_whose_settings_made_the_policy(won, tmp_path):
    world, manifest = won
    page = world.store.read("runs/won/rounds/00000/report.html").decode()
    assert "Champion and challenger" in page and "training.loss" in page
    assert "sft" in page.partition("All figures")[0]
    config, place = committed_round(world.store, "won", 0)
    assert report_page(config, place) == page
    preset = ("--preset", str(world.preset))
    log = CliRunner().invoke(app, ["log", "won", *preset, "--as", "json"], catch_exceptions=False)
    assert json.loads(log.output)[0]["policy"] == manifest["policy"]["sha256"]
    found = imagine(world.tree("won"), 0, {"pairs.rule.min_margin": 0.0})
    assert found.changed == [] and found.fates["stays"] == found.was > 0


def test_the_next_round_begins_where_the_winner_ended(won):
    world, manifest = won
    following = round_of(world, "won")
    assert following["reference_in"]["sha256"] == manifest["reference_out"]["sha256"]
