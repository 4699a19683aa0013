"""Whole rounds with losses that need more than pairs, through the flow and real child processes."""

import math

import pytest
import torch

from infra.artifacts import open_artifact
from infra.work import work_root
from tasks.errors import ConfigError
from tasks.further_responses import crossed_id
from tasks.records import Artifact
from tasks.tokens import load_tokenizer, render, response_ids
from tasks.training.examples import read_table
from tests.small_run import TRAINING
from tests.tiny_models import tiny_model
from tests.training.training_jobs import plain_logps, plain_model
from tests.whole_runs import World, children, error_of, small_world

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The folder of one store: what runs have in common is sampled and scored once."""
    return tmp_path_factory.mktemp("losses")


def world_of(folder, **training) -> World:
    return small_world(folder, training=TRAINING | training)


def round_of(world, run):
    """The manifest of the next round."""
    state = world.rounds(run)
    assert state.is_completed(), state.message
    return world.tree(run).manifests()[-1]


def tables():
    """examples.arrow and side.arrow of the one training of this test, by example."""
    [folder] = [path.parent for path in (work_root() / "stages/train").rglob("examples.arrow")]
    examples = read_table(folder / "examples.arrow").to_pylist()
    side = {}
    if (folder / "side.arrow").exists():
        side = {row["example_id"]: row for row in read_table(folder / "side.arrow").to_pylist()}
    return examples, side


def scores(world, manifest, role="reference"):
    found = world.table(manifest, f"score-{role}").to_pylist()
    return {row["response_id"]: row for row in found}


def first_step(world, manifest):
    return world.table(manifest, "train").to_pylist()[0]


def counts(world, manifest, role):
    return open_artifact(world.store, Artifact(**manifest["artifacts"][role])).counts


def test_a_round_with_kto_trains_on_single_responses(shared):
    world = world_of(shared, loss={"kind": "kto"})
    manifest = round_of(world, "kto")
    examples, side = tables()
    pairs = world.table(manifest, "pair").to_pylist()
    chosen = {pair["chosen_id"] for pair in pairs}
    rejected = {pair["rejected_id"] for pair in pairs}
    assert {one["example_id"] for one in examples} <= chosen ^ rejected
    assert {one["kind"] for one in examples} == {"unpaired"}
    both = counts(world, manifest, "train").get("dropped_both_chosen_and_rejected", 0)
    assert both == len(chosen & rejected)
    known = scores(world, manifest)
    for one in examples:
        row = side[one["example_id"]]
        assert row["desirable"] == float(one["example_id"] in chosen)
        crossed = [
            score
            for name, score in known.items()
            if name.endswith(crossed_id(one["prompt_id"], ""))
            and score["token_logps"] == row["mismatched_logps"]
        ]
        assert crossed, "the mismatched response is scored under this prompt"
    assert first_step(world, manifest)["loss"] == pytest.approx(0.5, abs=1e-3)


def test_a_round_with_bmc_marks_the_tokens_in_which_responses_differ(shared):
    world = world_of(shared, loss={"kind": "bmc"})
    manifest = round_of(world, "bmc")
    examples, side = tables()
    marks = [side[one["example_id"]]["chosen_edited"] for one in examples]
    assert [len(one) for one in marks] == [len(one["chosen_ids"]) for one in examples]
    assert {mark for one in marks for mark in one} == {0.0, 1.0}
    assert first_step(world, manifest)["loss"] == pytest.approx(math.log(2), abs=1e-5)


def test_rounds_with_mrpo_score_by_several_references_once_each(shared):
    other = str(tiny_model(seed=1))
    world = world_of(shared, loss={"kind": "mrpo"}, references=[other, "round:0"])
    first = round_of(world, "mrpo")
    examples, _ = tables()
    assert all(len(one["chosen_logps"]) == 3 * len(one["chosen_ids"]) for one in examples)
    base, far, earlier = (
        scores(world, first, role) for role in ("reference", "further-1", "further-2")
    )
    one = examples[0]
    first_logps = one["chosen_logps"][: len(one["chosen_ids"])]
    known = [some for some in base.values() if some["token_logps"] == first_logps]
    assert known and far.keys() <= base.keys()
    assert earlier.keys() == far.keys(), "before round 1, round:0 is what the run started from"
    assert {row["reference"] for row in earlier.values()} == {known[0]["reference"]}
    assert {row["reference"] for row in far.values()}.isdisjoint({known[0]["reference"]})
    assert all(math.isfinite(row["loss"]) for row in world.table(first, "train").to_pylist())
    before = children()
    assert round_of(world, "twin")["artifacts"] == first["artifacts"] and children() == before


def test_a_reference_with_another_tokenizer_is_refused_by_losses_that_look_at_tokens(tmp_path):
    other = str(tiny_model(seed=1, bos=True))
    loss = {"kind": "length_desensitised", "loss": {"kind": "mrpo"}}
    world = world_of(tmp_path, loss=loss, references=[other])
    error = error_of(world.rounds())
    assert isinstance(error, ConfigError) and children() == []
    assert f"training.references names {other!r}, whose tokenizer" in str(error)
    assert "'length_desensitised' looks at single tokens" in str(error)


def test_a_round_with_mrpo_takes_sums_of_a_reference_with_another_tokenizer(shared):
    other = tiny_model(seed=1, bos=True)
    world = world_of(shared, loss={"kind": "mrpo"}, references=[str(other)])
    manifest = round_of(world, "mrpo-far")
    base, far = (scores(world, manifest, role) for role in ("reference", "further-1"))
    assert all(row["token_logps"] is None for row in far.values())
    assert all(row["token_logps"] is not None for row in base.values())
    examples, _ = tables()
    for pair in world.table(manifest, "pair").to_pylist():
        one = next(row for row in examples if row["example_id"] == pair["pair_id"])
        number = len(one["chosen_ids"])
        assert sum(one["chosen_logps"][number:]) == pytest.approx(far[pair["chosen_id"]]["logp"])
    prompts = {row["prompt_id"]: row for row in world.table(manifest, "collect-train").to_pylist()}
    answers = {
        row["response_id"]: row for row in world.table(manifest, "sample-train-policy").to_pylist()
    }
    name = next(name for name in far if name in answers)
    answer, tokenizer = answers[name], load_tokenizer(other)
    asked = render(tokenizer, prompts[answer["prompt_id"]]["messages"])
    read = response_ids(tokenizer, answer["text"], answer["finish_reason"] == "stop")
    assert far[name]["num_tokens"] == len(read)
    with torch.no_grad():
        alone = float(plain_logps(plain_model(other), asked, read).sum())
    assert far[name]["logp"] == pytest.approx(alone, abs=1e-3), "the same text, by its own tokens"
    assert all(math.isfinite(row["loss"]) for row in world.table(manifest, "train").to_pylist())


def test_a_round_with_selm_scores_and_trains_on_what_the_policy_said_besides(shared):
    world = world_of(shared, loss={"kind": "selm", "alpha": 0.1})
    manifest = round_of(world, "selm")
    examples, side = tables()
    own = {row["response_id"] for row in world.table(manifest, "sample-train-policy").to_pylist()}
    known = [row["token_logps"] for name, row in scores(world, manifest).items() if name in own]
    assert examples and all(side[one["example_id"]]["explored_logps"] in known for one in examples)
    assert first_step(world, manifest)["loss"] == pytest.approx(math.log(2), abs=1e-4)


def test_a_round_with_upo_knows_how_far_opinions_differ(shared):
    rule = {"kind": "rule", "margin": 0.0}
    faulty = {
        name: {"kind": "simulated", "judge": rule, "name": name, "noise": 0.3}
        for name in ("first", "second")
    }
    world = small_world(
        shared, training=TRAINING | {"loss": {"kind": "upo"}}, judges={"main": rule} | faulty
    )
    round_of(world, "upo")
    examples, side = tables()
    values = {row["uncertainty"] for row in side.values()}
    assert len(side) == len(examples) and 0 in values
    two_of_six = math.log(3) - 2 / 3 * math.log(2)
    assert any(one == pytest.approx(two_of_six) for one in values), values
