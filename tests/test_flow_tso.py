"""The whole story on tiny models, with real child processes and a real Prefect server."""

import math
import re
from pathlib import Path

import pytest
from markupsafe import escape
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForCausalLM

from infra.artifacts import open_artifact
from infra.lease import Holder, Lease
from tasks.config import build_config
from tasks.describe import describe
from tasks.errors import ConfigError, DataError, HeldError
from tasks.gate import GateOutcome
from tasks.gates.every_round import EveryRound
from tasks.records import Artifact
from tasks.rounds import resolve
from tests.infra.chat_server import running_server, send
from tests.small_run import prompt_rows, write_rows
from tests.tiny_models import tiny_model
from tests.whole_runs import (
    MARKUP,
    children,
    error_of,
    nothing_was_done,
    retried,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def test_each_flow_run_adds_a_round(story):
    assert [state.message for state in story.states] == [
        "small: 1 rounds done, 1 in all",
        "small: 1 rounds done, 2 in all",
    ]
    assert [one["round_index"] for one in story.manifests] == [0, 1]
    counts = [(one.count("sample"), one.count("train")) for one in story.children]
    assert counts == [(4, 1), (5, 1)], "policy, other; then the distinct ones of policy, ref., sft"


def test_every_item_is_worked_on_once(story):
    assert len(story.items) == len(set(story.items)) > 50


def test_the_reference_of_a_round_is_the_policy_of_the_round_before(story):
    first, second = story.manifests
    sft = describe(tiny_model(seed=0))
    assert first["reference_in"]["sha256"] == sft.sha256 != first["policy"]["sha256"]
    assert second["reference_in"] == first["reference_out"] == first["policy"]
    assert second["policy"]["base"] == first["policy"]["sha256"]


@pytest.mark.parametrize("round_index", [0, 1])
def test_each_round_starts_from_its_reference(story, round_index):
    [first, *_] = story.world.table(story.manifests[round_index], "train").to_pylist()
    assert abs(first["margin"]) < 1e-4
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-5)


def test_training_curves_are_kept_beside_the_model(story, tmp_path):
    trained = Artifact(**story.manifests[0]["artifacts"]["train"])
    [file] = open_artifact(story.world.store, trained).files("tensorboard")
    (tmp_path / Path(file.path).name).write_bytes(story.world.store.read(file.path))
    reader = EventAccumulator(str(tmp_path))
    reader.Reload()
    losses = story.world.table(story.manifests[0], "train").column("loss").to_pylist()
    points = [point.value for point in reader.Scalars("training/loss")]
    assert points == pytest.approx(losses, rel=1e-6)


def test_policy_samples_are_drawn_from_the_rounds_reference(story):
    for manifest in story.manifests:
        artifact = Artifact(**manifest["artifacts"]["sample-train-policy"])
        facts = story.world.store.read(artifact.uri.partition("/store/")[2]).decode()
        assert manifest["reference_in"]["sha256"] in facts


def test_weights_of_every_second_step_stay_in_the_stage_and_checkpoints_go(story, tmp_path):
    store = story.world.store
    finished = open_artifact(store, Artifact(**story.manifests[0]["artifacts"]["train"]))
    last = finished.facts["steps"]
    kept = [f"models/step-{step:07d}" for step in range(2, last + 1, 2)]
    files = sorted(finished.manifest["files"])
    assert kept and [name for name in files if name.startswith("models/")] == kept
    files = finished.files(kept[-1])
    store.get_folder(files, files[0].path.rpartition("/")[0], tmp_path / "kept")
    AutoModelForCausalLM.from_pretrained(tmp_path / "kept")
    assert [path for path in store.list(finished.folder) if "/checkpoints/" in path] == []
    assert finished.facts["tokens_per_microbatch"] == 8192


def test_no_prompt_is_used_twice(story):
    used = [
        set(story.world.table(one, "collect-train").column("prompt_id").to_pylist())
        for one in story.manifests
    ]
    assert [len(one) for one in used] == [8, 8] and not used[0] & used[1]


def test_strengths_are_fitted_after_the_first_round(story):
    first, second = (manifest["strengths"] for manifest in story.manifests)
    assert first.keys() == {"policy", "other", "human"}
    assert first["human"] == 9 and (first["policy"], first["other"]) != (1, 2)
    assert second != first


@pytest.mark.parametrize("round_index", [0, 1])
def test_the_report_is_one_page_that_needs_nothing_and_runs_nothing(story, round_index):
    path = story.manifests[round_index]["report"].partition("/store/")[2]
    text = story.world.store.read(path).decode()
    tags = set(re.findall(r"<([a-z0-9]+)", text))
    assert "table" in tags and not tags & {"script", "link", "img", "iframe", "form", "base"}
    assert not re.search(r"\ssrc=|\son[a-z]+=|url\(http|@import", text)
    assert MARKUP not in text and escape(MARKUP) in text


def test_until_as_many_rounds_as_there_are_does_nothing(story):
    state = story.world.rounds(until=2)
    assert state.is_completed() and state.message == "small: 0 rounds done, 2 in all"
    assert nothing_was_done() and len(story.world.tree().manifests()) == 2


def test_a_used_up_pool_is_no_failure(story):
    state = story.world.rounds()
    assert state.is_completed() and state.name == "PoolExhausted"
    assert "add prompts to the pool" in state.message
    assert nothing_was_done() and len(story.world.tree().manifests()) == 2


def test_a_used_up_pool_goes_on_when_a_file_is_added(story, tmp_path, monkeypatch):
    def stops(*arguments):
        raise DataError("far enough")

    story.world.rounds(run="grown", until=2)
    assert story.world.rounds(run="grown").name == "PoolExhausted"
    more = write_rows(tmp_path / "more.jsonl", prompt_rows(train=40, held_out=0)[30:])
    files = [*resolve(str(story.world.preset), {})[0].prompts.files, str(more)]
    monkeypatch.setattr("flows.tso.resolve_matrix", stops)
    error = error_of(story.world.rounds(run="grown", overrides={"prompts.files": files}))
    assert str(error) == "far enough"


def test_a_retried_flow_run_never_adds_a_round(story):
    before = story.world.tree().claims()
    [first] = [one for one in before if one["last_index"] == 0]
    state = retried(first["flow_run_id"])
    assert state.is_completed() and state.message == "small: 0 rounds done, 1 in all"
    assert nothing_was_done() and len(story.world.tree().manifests()) == 2
    assert story.world.tree().claims() == before


def test_an_equal_run_under_another_name_shares_every_stage(story):
    state = story.world.rounds(run="twin", until=2)
    assert state.message == "twin: 2 rounds done, 2 in all"
    assert nothing_was_done()
    for one, other in zip(story.manifests, story.world.tree("twin").manifests(), strict=True):
        assert one["artifacts"] == other["artifacts"] and one["policy"] == other["policy"]


def test_a_retry_finishes_the_round_that_its_flow_run_began(story, monkeypatch):
    def fails(*arguments):
        raise DataError("the gate broke")

    with monkeypatch.context() as patch:
        patch.setattr("tasks.refresh._decide", fails)
        assert "the gate broke" in str(error_of(story.world.rounds(run="broken")))
    [claim] = story.world.tree("broken").claims()
    assert story.world.tree("broken").manifests() == []
    for _ in range(2):
        assert retried(claim["flow_run_id"]).is_completed()
        assert len(story.world.tree("broken").manifests()) == 1
    assert nothing_was_done()


def test_a_refused_gate_keeps_the_reference(story, monkeypatch):
    def refuses(self, slices):
        return GateOutcome(outcome="refused", reasons=["worse"])

    monkeypatch.setattr(EveryRound, "__call__", refuses)
    assert story.world.rounds(run="refused").is_completed()
    [manifest] = story.world.tree("refused").manifests()
    assert manifest["reference_out"] == manifest["reference_in"] != manifest["policy"]
    seen = []
    monkeypatch.setattr("flows.tso.collect", lambda settings, place: seen.append(place))
    story.world.rounds(run="refused")
    [place] = seen  # what the doors of the next round are told
    assert (place.round_index, place.reference.sha256) == (1, place.sft.sha256)
    assert place.policies[0].sha256 == manifest["policy"]["sha256"]


def test_train_alone_is_done_again_and_recorded(story):
    state = story.world.rounds(run="redone", overrides={"redo": ["train"]})
    assert state.is_completed(), state.message
    [manifest] = story.world.tree("redone").manifests()
    first = story.manifests[0]
    assert children() == ["train"] and manifest["redo"] == {"train": 1}
    changed = {
        role for role, one in manifest["artifacts"].items() if one != first["artifacts"][role]
    }
    assert changed == {"train"}
    assert manifest["artifacts"].keys() == first["artifacts"].keys()
    assert manifest["policy"]["sha256"] == first["policy"]["sha256"]
    recorded = story.world.tree("redone").read_round(0, "config.json")
    assert recorded["redo"] == {"train": 1} and len(recorded["redo_by"]) == 1


def test_other_settings_in_the_middle_of_a_round_are_refused_by_name(story):
    with running_server() as server:
        server.play = lambda handler, number, text: send(handler, 401, "{}")
        judge = {"kind": "pairwise", "model": "m", "base_url": server.url}
        world = story.world.with_preset(judges={"main": judge})
        error = error_of(world.rounds(run="unfinished"))
    assert isinstance(error, ConfigError) and "judge 'main'" in str(error)
    assert world.tree("unfinished").read_round(0, "stages/sample-train-policy.json")
    error = error_of(world.rounds(run="unfinished", overrides={"training.epochs": 2}))
    assert isinstance(error, ConfigError)
    assert "round 0 was begun with other values of training.epochs" in str(error)
    assert "redo=[train]" in str(error)


def test_another_base_model_is_refused_by_name(story):
    other = {"run.base_model": str(tiny_model(seed=1))}
    error = error_of(story.world.rounds(overrides=other))
    assert isinstance(error, ConfigError) and nothing_was_done()
    assert "base model of run 'small' is frozen since its first round" in str(error)


def test_other_held_out_prompts_are_refused_by_name(story, tmp_path):
    pool = write_rows(tmp_path / "pool.jsonl", prompt_rows(train=30, held_out=5))
    error = error_of(story.world.rounds(overrides={"prompts.files": [str(pool)]}))
    assert isinstance(error, DataError) and nothing_was_done()
    assert "the members of split 'held_out' changed since the first round of 'small'" in str(error)


def test_a_second_live_flow_run_is_told_who_holds_the_run(story):
    holder = Holder.here("the-other-flow-run")
    with Lease(story.world.store, "runs/small/lease.json", holder):
        error = error_of(story.world.rounds())
    assert isinstance(error, HeldError) and nothing_was_done()
    assert f"held by flow run the-other-flow-run (process {holder.pid} on" in str(error)


def test_the_configuration_of_every_round_is_kept(story):
    for index in (0, 1):
        recorded = story.world.tree().read_round(index, "config.json")
        assert build_config(recorded["config"]).run.seed == 5 and recorded["redo"] == {}
