"""What is written down for another flow run: every door's arguments come back as they were."""

import json
from typing import Any

import pytest

from infra.prefect.orders import built_arguments, plain_arguments, put_order, read_order
from infra.run_tree import RunTree
from infra.stages import Stage, StageKey
from infra.storage import open_store
from tasks.config import Config
from tasks.errors import ConfigError, DamagedError
from tasks.estimate import estimated
from tasks.evaluate import evaluate
from tasks.judge import judge_with
from tasks.model_matrix import Cell
from tasks.placement import Part, Placement
from tasks.records import Artifact, Drawn, Feedback
from tasks.sample import sample_cell
from tasks.score import score
from tasks.spending import Terms
from tasks.storage_settings import StorageSettings
from tasks.train import train
from tasks.transform import transformed
from tasks.variants import settings_of
from tests.small_config import checkpoint, small_config, small_place

WHERE = {"base_url": "http://one/v1", "api_key_env": "KEY"}
ASKED = {"kind": "pairwise", "model": "m", **WHERE}
PANEL = {"kind": "panel", "members": {"a": {"kind": "rule"}, "b": {"kind": "rule", "margin": 0.5}}}
ENDPOINTS = {"home": {"base_url": "http://one/v1", "requests_per_minute": 60}}
CONFIG: Config = small_config(
    judges={"main": ASKED, "both": PANEL},
    prices={"m": [1.0, 2.5]},
    endpoints=ENDPOINTS,
    training__adapter={"rank": 4},
    transforms=[
        {"kind": "edit_rejected", "writer": {"engine": "openai", "model": "m", **WHERE}},
        {"kind": "regenerate_segment", "writer": {"engine": "vllm", "model": "policy"}},
    ],
    estimator={"kind": "reward_model", "files": ["own.jsonl"], "self_training": {"keep": 0.2}},
    storage__root="s3://bucket/tso",
    placement__train="gpu-training",
)


def artifact(name):
    return Artifact(uri=f"s3://b/stages/x/{name}/manifest.json", content=name, rows=3)


def place(**changes):
    return small_place(terms=CONFIG.terms, placement=CONFIG.placement, redo={"train": 1}, **changes)


def cell(name):
    section = CONFIG.matrix[name]
    found = checkpoint("sft") if section.engine.NEEDS_WEIGHTS else None
    return Cell(name=name, settings=section, checkpoint=found, fingerprint="f", origin="model")


def calls() -> dict[str, tuple[Any, dict[str, Any]]]:
    """A call of every door that may be done elsewhere."""
    one, two, at = artifact("one"), artifact("two"), place()
    feedback = Feedback(responses=[one], verdicts=[one, two])
    common = {"prompts": one, "pairs": two}
    judged = {"prompts": one, "responses": [two], "comparisons": CONFIG.comparisons, "place": at}
    return {
        "sample": (sample_cell, {"name": "policy · train", "prompts": one, "cell": cell("policy"),
                                 "role": "train", "place": at}),
        "scripted": (sample_cell, {"name": "large · train", "prompts": one, "cell": cell("large"),
                                   "role": "train", "place": at}),
        "judge": (judge_with, {"name": "main · train", "judge": CONFIG.judges["main"], **judged}),
        "panel": (judge_with, {"name": "both · train", "judge": CONFIG.judges["both"], **judged}),
        "estimate": (estimated, {"prompts": one, "feedback": feedback, "place": at,
                                 "estimator": CONFIG.estimator, "correction": CONFIG.correction}),
        "edit": (transformed, {**common, "name": "0-edit_rejected", "feedback": feedback,
                               "settings": CONFIG.transforms[0], "place": at}),
        "regenerate": (transformed, {**common, "name": "1-regenerate_segment", "feedback": feedback,
                                     "settings": CONFIG.transforms[1], "place": at}),
        "score": (score, {**common, "name": "reference", "responses": [two],
                          "checkpoint": checkpoint("one"), "training": CONFIG.training,
                          "place": at}),
        "train": (train, {**common, "feedback": feedback, "scores": [one],
                          "training": CONFIG.training, "filters": CONFIG.pairs.filters,
                          "place": at}),
        "evaluate": (evaluate, {**common, "answers": [one], "opinions": [], "scores": [one, two],
                                "drawn": Drawn(responses=[one], scores={"policy": two}),
                                "policy": checkpoint("two"), "settings": CONFIG.evaluation,
                                "place": at}),
    }  # fmt: skip


@pytest.mark.parametrize("name", calls())
def test_arguments_come_back_as_they_were(name):
    door, given = calls()[name]
    said = plain_arguments(door.fn, given)
    assert built_arguments(door.fn, json.loads(json.dumps(said))) == given


@pytest.mark.parametrize("name", calls())
def test_settings_that_come_back_make_the_same_stage_key(name):
    door, given = calls()[name]
    back = built_arguments(door.fn, plain_arguments(door.fn, given))
    for argument, value in given.items():
        assert settings_of(back[argument]) == settings_of(value), argument


@pytest.fixture
def stage(tmp_path):
    return Stage(open_store(f"file://{tmp_path}/store"), StageKey(verb="score", settings={}))


def put(stage):
    door, given = calls()["score"]
    return put_order(stage, "score", door.fn, {**given, "place": place(root=stage.store.root)})


def test_an_order_is_small_and_holds_no_settings(stage):
    order = put(stage)
    assert order.what == "score · reference" and order.stage == stage.folder
    text = order.model_dump_json()
    assert len(text) < 1000 and "learning_rate" not in text and "KEY" not in text


def test_who_carries_an_order_out_works_in_its_own_process(stage):
    asked = put(stage).model_copy(update={"part": 1, "parts": 3})
    at = read_order(asked, score.fn)["place"]
    assert at.placement == Placement() and at.part == Part(index=1, of=3)
    assert at.terms.limits_at("http://one/v1").requests_per_minute == 20
    assert read_order(put(stage), score.fn)["place"].terms == CONFIG.terms != Terms()


def test_the_same_order_is_written_once(stage):
    assert put(stage) == put(stage)
    [path] = stage.store.list("runs/r/rounds/00002/orders")
    assert path.endswith(put(stage).arguments)


def test_a_worker_that_does_not_see_the_store_says_so(stage, tmp_path):
    order = put(stage).model_copy(
        update={"store": StorageSettings(root=f"file://{tmp_path}/another")}
    )
    with pytest.raises(ConfigError, match="is it the same store here"):
        read_order(order, score.fn)


def test_an_order_that_was_changed_is_refused(stage):
    order = put(stage)
    tree = RunTree(stage.store, order.run)
    tree.write(order.arguments, {**(tree.read(order.arguments) or {}), "name": "policy"})
    with pytest.raises(DamagedError, match="is damaged"):
        read_order(order, score.fn)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"further": 1}, "different versions of the code"),
        ({"training": {"loss": {"kind": "dpoo"}}}, "tasks.losses has no kind 'dpoo'"),
        ({"prompts": {"uri": "u", "content": "c"}}, "does not understand rows"),
    ],
)
def test_what_the_worker_does_not_understand_is_named(changes, said):
    door, given = calls()["score"]
    with pytest.raises(ConfigError) as caught:
        built_arguments(door.fn, {**plain_arguments(door.fn, given), **changes})
    assert said in str(caught.value)
