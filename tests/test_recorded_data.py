"""Real recorded responses and verdicts through the ordinary doors (data not in the repository)."""

import json
import os
from pathlib import Path

import pytest
import yaml
from scipy.stats import spearmanr

from flows.cli.leaderboard import rows_of
from infra.models import checkpoint_folder
from infra.storage import open_store
from tasks.leaderboard import leaderboard
from tasks.records import Checkpoint, Preference, Response, Verdict
from tasks.responses import by_id
from tasks.tables import from_table
from tests.recorded_presets import NAMES, alpaca_preset
from tests.small_run import TRAINING
from tests.tiny_models import tiny_model
from tests.whole_runs import World, error_of

DATA = Path(os.environ.get("TSO_SHARED_DATA", "../shared/data")).absolute()
pytestmark = [
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.shared_data,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no public data at {DATA} (TSO_SHARED_DATA)"),
]


def published(name):
    return json.loads((DATA / name / "expected_win_rates.json").read_text(encoding="utf-8"))


def brought_in(preset, folder):
    """Responses by id and verdicts of the recorded cells and judges of `preset`."""
    from flows.recorded import recorded

    file = folder / "recorded.yaml"
    file.write_text(yaml.safe_dump(preset), encoding="utf-8")
    feedback = recorded(str(file))
    store = open_store(preset["storage"]["root"])
    responses = by_id(rows_of(store, Response, feedback.responses))
    return responses, rows_of(store, Verdict, feedback.verdicts)


def win_rates(verdicts, responses, baseline):
    """Win rate (%) and verdicts by annotator and cell, against one cell."""
    return {
        (one.annotator, one.cell): (one.win_rate, one.verdicts)
        for one in leaderboard(verdicts, responses, against=baseline)
    }


def test_the_alpaca_matrix_and_its_verdicts_give_the_published_win_rates(tmp_path):
    responses, verdicts = brought_in(alpaca_preset(DATA, "memory://alpaca"), tmp_path)
    assert len(verdicts) == 15_955
    expected = published("alpaca_eval")
    assert len(expected) == 27
    found = {
        baseline: win_rates(verdicts, responses, baseline)
        for baseline in {one["baseline"] for one in expected}
    }
    for one in expected:
        rate, heard = found[one["baseline"]][one["annotator"], one["model"]]
        assert rate == pytest.approx(one["win_rate"], abs=1e-6), one
        # Compared with itself, a model is heard from both sides.
        assert heard == one["n"] * (2 if one["model"] == one["baseline"] else 1), one
    itself = [one for one in verdicts if one.a_id == one.b_id]
    assert len(itself) == 1_182


def test_the_wide_matrix_ranks_as_published(tmp_path):
    responses, verdicts = brought_in(alpaca_preset(DATA, "memory://wide", wide=True), tmp_path)
    assert len(verdicts) == 23_640
    expected = published("alpaca_eval_wide")
    found = win_rates(verdicts, responses, "text_davinci_003")
    for one in expected:
        rate, heard = found["alpaca_eval_gpt4", one["model"]]
        assert (rate, heard) == (pytest.approx(one["win_rate"], abs=1e-6), one["n"]), one
    ranked = [one for one in expected if one["published_win_rate"] is not None]
    ours = [found["alpaca_eval_gpt4", one["model"]][0] for one in ranked]
    ranks = spearmanr(ours, [one["published_win_rate"] for one in ranked])
    assert (len(expected), len(ranked)) == (40, 39) and ranks.statistic >= 0.99


def round_sections(folder):
    """What a round needs beside recorded data: a tiny policy, and short training."""
    model = tiny_model(max_position_embeddings=8192)
    return {
        "run": {"base_model": str(model), "seed": 3},
        "storage": {"root": f"file://{folder}/store"},
        "comparisons": {"kind": "all"},
        "pairs": {"rule": {"kind": "all_above_margin"}, "held_out_share": 0.1},
        "training": {**TRAINING, "max_tokens": 1024},
        "evaluation": {"metrics": {"words": {"kind": "length"}}},
        "refresh": {"gate": {"kind": "every_round"}},
    }


POLICY = {"engine": "transformers", "model": "policy", "max_tokens": 8, "threads": 1}


def one_round(folder, preset):
    """The manifest of one round of `preset`, whose policy transformers loads and samples."""
    file = folder / "preset.yaml"
    file.write_text(yaml.safe_dump(preset), encoding="utf-8")
    world = World(folder, file)
    state = world.rounds(run="real")
    assert state.is_completed(), error_of(state)
    [manifest] = world.tree("real").manifests()
    policy = checkpoint_folder(Checkpoint(**manifest["policy"]), world.store.settings)
    assert speaks(policy)
    assert manifest["policy"]["sha256"] != manifest["reference_in"]["sha256"]
    return world, manifest


def speaks(folder):
    """Whether transformers loads the folder as it is and draws tokens from it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    messages = [{"role": "user", "content": "Name a fruit."}]
    asked = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    drawn = model.generate(**asked, max_new_tokens=5, do_sample=False)
    return drawn.shape[1] > asked["input_ids"].shape[1]


def test_a_round_on_human_references_by_the_prior_alone(tmp_path):
    table = str(DATA / "selfinstruct_matrix" / "selfinstruct_matrix.parquet")

    def cell(response, model, **settings):
        source = {"file": table, "columns": {**NAMES, "response": response}}
        only = {**source, "where": {"model": model}}
        return {"engine": "recorded", "origin": "recorded", "files": [only], **settings}

    matrix = {
        "policy": {**POLICY, "strength": 0},
        "strong": cell("response", "text-davinci-003", strength=2),
        "weak": cell("response", "davinci", strength=1),
        # The reference stands in every row of its prompt; one of them is enough.
        "human": cell("human_reference", "davinci", origin="human", strength=9),
    }
    prompts = {
        "files": [{"file": table, "columns": {"prompt": "prompt", **NAMES}}],
        "split_shares": {"held_out": 0.1},
        **{"per_round": 24, "held_out": 4},
    }
    sections = {"prompts": prompts, "matrix": matrix, "correction": {"uncompared": "prior"}}
    # All of it in memory: what a store on disk does, this one does as well.
    storage = {"storage": {"root": "memory://a-whole-round"}}
    world, manifest = one_round(tmp_path, {**round_sections(tmp_path), **sections, **storage})
    pairs = world.table(manifest, "pair").to_pylist()
    human = {row["response_id"] for row in world.table(manifest, "sample-train-human").to_pylist()}
    assert len(human) == 24
    assert human & {row["chosen_id"] for row in pairs}
    assert not human & {row["rejected_id"] for row in pairs}


def test_a_round_on_recorded_verdicts(tmp_path):
    preset = alpaca_preset(DATA, "unused")
    names = ("text_davinci_003", "alpaca-7b", "gpt4", "vicuna-7b-v1.5")
    matrix = {name: {**preset["matrix"][name], "strength": 1} for name in names}
    [table] = preset["prompts"]["files"]
    prompts = {
        "files": [{**table, "where": {"dataset": ["vicuna"]}}],
        "split_shares": {"held_out": 0.2},
        **{"per_round": 24, "held_out": 4},
    }
    sections = {
        **{"prompts": prompts, "judges": preset["judges"]},
        "matrix": {"policy": {**POLICY, "strength": 0}, **matrix},
        "correction": {"single_order": "full"},
    }
    world, manifest = one_round(tmp_path, {**round_sections(tmp_path), **sections})
    verdicts = list(from_table(Verdict, world.table(manifest, "judge-recorded-train")))
    assert {one.annotator for one in verdicts} >= {"alpaca_eval_gpt4"}
    believed = list(from_table(Preference, world.table(manifest, "pair", "preferences")))
    kept = [one for one in believed if one.outcome in ("a", "b")]
    assert kept and {one.decided_by for one in kept} == {"judge"}
    assert all(one.a_id != one.b_id for one in believed)
