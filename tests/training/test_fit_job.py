"""The fit job: a reward model that learns what pairs say, the same one after any stop."""

import json
import shutil
import signal

import pyarrow as pa
import pytest
import torch
from test_resume import start_child, wait_for_step
from tiny_models import tiny_model
from training_jobs import EOS, ids, lines, run_here

from tasks.child import STOPPED
from tasks.errors import DataError
from tasks.reward_rows import FIT_ROWS
from tasks.training.fit import bradley_terry, microbatches
from tasks.training.fit_rows import Pair, mixed
from tasks.training.passes import Thinning
from tasks.training.reward import load_reward_model, rewards
from tests.tiny_rewards import tiny_reward_model

GOOD = [7, 8, 9]
"""What every chosen response begins with."""


def pairs(number=24, held_out=4, own=0):
    """Chosen responses begin with the same three tokens; nothing else tells them apart."""
    rows = []
    for index in range(number):
        rest = ids((index, 1), 1 + index % 3, low=20)
        rows.append(
            {
                "pair_id": f"pair-{index}",
                "prompt_ids": ids((index, 0), 3 + index % 4, low=20),
                "chosen_ids": [*GOOD, *rest, EOS],
                "rejected_ids": [*ids((index, 2), 3, low=20), *rest, EOS],
                "p_chosen": 1.0,
                "own": index < own,
                "held_out": index >= number - held_out,
            }
        )
    return pa.Table.from_pylist(rows, FIT_ROWS)


def fit(workdir, table=None, model=None, settings=None, **fields):
    workdir.mkdir(parents=True, exist_ok=True)
    table = pairs() if table is None else table
    with pa.ipc.new_file(str(workdir / "rows.arrow"), table.schema) as writer:
        writer.write_table(table)
    chosen = {"learning_rate": 3e-3, "pairs_per_batch": 8, "epochs": 4, "checkpoint_every": 2}
    spec = {
        "job": "fit", "stage": "fit-0", "model": str(model or tiny_model()), "threads": 1,
        "rows": "rows.arrow", "seed": 3, "tokens_per_microbatch": 4096,
        "settings": chosen | (settings or {}),
    }  # fmt: skip
    return run_here(workdir, spec | fields)


def spec_of(workdir, **settings):
    """Write rows and spec.json without doing anything."""
    workdir.mkdir()
    table = pairs()
    with pa.ipc.new_file(str(workdir / "rows.arrow"), table.schema) as writer:
        writer.write_table(table)
    chosen = {"learning_rate": 3e-3, "pairs_per_batch": 8, "checkpoint_every": 1000, **settings}
    return {
        "job": "fit", "stage": "fit-0", "model": str(tiny_model()), "threads": 1,
        "rows": "rows.arrow", "seed": 3, "tokens_per_microbatch": 4096, "settings": chosen,
    }  # fmt: skip


def weights(workdir):
    from safetensors.torch import load_file

    return load_file(workdir / "model" / "model.safetensors")


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_loss_of_two_scores_is_bradley_terrys():
    """Gap 1.2 is sigmoid 0.768524783, of which the logarithm is -0.263282."""
    one = Pair("p", [], [], 1.0)
    loss, right = bradley_terry(torch.tensor([0.9, -0.3]), [one], centre=0.0)
    assert (float(loss), right) == (pytest.approx(0.263282, abs=1e-6), 1)
    unsure = one._replace(p_chosen=0.75)
    assert float(bradley_terry(torch.tensor([0.9, -0.3]), [unsure], 0.0)[0]) == pytest.approx(
        0.75 * 0.263282 + 0.25 * 1.463282, abs=1e-5
    )
    centred, _ = bradley_terry(torch.tensor([0.9, -0.3]), [one], centre=0.5)
    assert float(centred - loss) == pytest.approx(0.5 * 0.36)


def test_it_learns_what_tells_pairs_apart_and_exports_what_a_judge_loads(tmp_path):
    result = fit(tmp_path)
    assert (result["steps"], result["fitted"], result["held_out"]) == (12, 20, 4)
    assert result["held_out_accuracy"] == 1.0
    model = load_reward_model(tmp_path / "model", "float32", "cpu")
    good, bad = rewards(model, [("g", [30, 31, *GOOD, EOS]), ("b", [30, 31, 32, 33, 34, EOS])])
    assert good > bad
    assert (tmp_path / "model" / "tokenizer.json").exists()
    assert json.loads((tmp_path / "model" / "config.json").read_text())["architectures"] == [
        "Qwen2ForSequenceClassification"
    ]


def test_equal_jobs_make_equal_weights_and_another_seed_others(tmp_path):
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        fit(tmp_path / name, seed=seed, settings={"epochs": 1})
    assert equal(weights(tmp_path / "one"), weights(tmp_path / "two"))
    assert not equal(weights(tmp_path / "one"), weights(tmp_path / "other"))


def test_what_goes_on_from_a_checkpoint_comes_to_the_same_weights(tmp_path):
    fit(tmp_path / "whole")
    fit(tmp_path / "cut")
    for folder in sorted((tmp_path / "cut" / "checkpoints").glob("step-*"))[1:]:
        shutil.rmtree(folder)
    left = sorted(one.name for one in (tmp_path / "cut" / "checkpoints").glob("step-*"))
    shutil.rmtree(tmp_path / "cut" / "model")
    fit(tmp_path / "cut")
    events = lines(tmp_path / "cut" / "progress.jsonl")
    assert left == ["step-0000010"]
    assert {"event": "resumed", "step": 10} in events
    assert equal(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    steps = [one["step"] for one in lines(tmp_path / "cut" / "metrics.jsonl")]
    assert steps == list(range(1, 13))


@pytest.mark.slow
def test_a_stopped_job_saves_its_step_and_ends_bit_equal_to_an_undisturbed_one(tmp_path):
    job = spec_of(tmp_path / "calm", epochs=40)
    run_here(tmp_path / "calm", job)
    job = spec_of(tmp_path / "cut", epochs=40)
    process = start_child(tmp_path / "cut", job)
    wait_for_step(tmp_path / "cut", 3, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=300) == STOPPED, (tmp_path / "cut" / "log.txt").read_text()
    last = lines(tmp_path / "cut" / "metrics.jsonl")[-1]["step"]
    assert [one.name for one in (tmp_path / "cut" / "checkpoints").glob("*")] == [
        f"step-{last:07d}"
    ]
    again = start_child(tmp_path / "cut", job)
    assert again.wait(timeout=300) == 0, (tmp_path / "cut" / "log.txt").read_text()
    assert equal(weights(tmp_path / "calm"), weights(tmp_path / "cut"))


def test_smaller_passes_change_nothing_but_rounding(tmp_path):
    fit(tmp_path / "large", settings={"epochs": 1})
    fit(tmp_path / "small", settings={"epochs": 1}, tokens_per_microbatch=40)
    large, small = weights(tmp_path / "large"), weights(tmp_path / "small")
    assert max(float((large[name] - small[name]).abs().max()) for name in large) < 1e-4


def test_microbatches_hold_every_pair_once_within_the_budget():
    batch = [Pair(f"p{n}", [1] * length, [1], 1.0) for n, length in enumerate([5, 1, 30, 2])]
    cut = list(microbatches(batch, 12))
    assert sorted(place for some in cut for place in some) == [0, 1, 2, 3]
    assert cut == [[1, 3], [0], [2]]


def test_a_mixture_of_one_to_one_leaves_out_what_there_is_too_much_of():
    import numpy as np

    rows, own = np.arange(10), np.arange(10) < 3
    assert mixed(rows, own, None, 0).tolist() == list(range(10))
    half = mixed(rows, own, 0.5, 0)
    assert len(half) == 6 and set(half) >= {0, 1, 2}
    assert mixed(rows, own, 0.0, 0).tolist() == list(range(3, 10))
    assert mixed(rows, own, 0.3, 0).tolist() == list(range(10)), "3 of 10"


def test_without_a_pair_of_ones_own_a_mixture_of_halves_is_refused(tmp_path):
    with pytest.raises(DataError, match="no pair to learn from"):
        fit(tmp_path, own_share=0.5)


@pytest.mark.parametrize("where", ["head", "layers"])
def test_a_pass_thins_all_rows_alike_and_training_each_row_by_itself(tmp_path, where):
    model = load_reward_model(tiny_reward_model(tmp_path), "float32", "cpu")
    thinning = Thinning(model, 0.5, where)
    rows = [(f"r{n}", [30 + n, 31, 32]) for n in range(3)]
    plain = rewards(model, rows)
    with thinning.using(thinning.masks(1, 1, "pass", 0)):
        together = rewards(model, rows)
        alone = [rewards(model, [one])[0] for one in rows]
    assert together == pytest.approx(alone, abs=1e-6)
    assert together != pytest.approx(plain, abs=1e-6)
    same = [("a", rows[0][1]), ("b", rows[0][1])]
    with thinning.using(thinning.masks(2, 1, "step", 0)):
        one, other = rewards(model, same)
    assert one != pytest.approx(other, abs=1e-6)
    assert rewards(model, rows) == plain, "outside of a pass nothing is dropped"


def test_without_dropout_a_pass_is_the_plain_score(tmp_path):
    model = load_reward_model(tiny_reward_model(tmp_path), "float32", "cpu")
    thinning, rows = Thinning(model, 0.0, "layers"), [("r", [30, 31, 32])]
    plain = rewards(model, rows)
    with thinning.using(thinning.masks(1, "any")):
        assert rewards(model, rows) == plain
    assert all(bool((one == 1).all()) for one in thinning.masks(4, "any"))


def test_a_reward_job_gives_passes_whose_mean_is_near_its_score(tmp_path):
    rows = pa.Table.from_pylist(
        [{"response_id": f"r{n}", "prompt_ids": [30, 31], "response_ids": [40 + n, 5]}
         for n in range(5)]
    )  # fmt: skip
    with pa.ipc.new_file(str(tmp_path / "rows.arrow"), rows.schema) as writer:
        writer.write_table(rows)
    model = tiny_reward_model(tmp_path / "rm")
    spec = {
        "job": "reward", "stage": "s", "model": str(model), "threads": 1, "rows": "rows.arrow",
        "shards": {"0": [0, 2], "1": [2, 5]}, "passes": 200, "dropout": 0.1,
        "dropout_at": "head", "seed": 1,
    }  # fmt: skip
    run_here(tmp_path, spec)
    shards = [pa.ipc.open_file(str(tmp_path / f"shards/0000{n}.arrow")).read_all() for n in (0, 1)]
    found = pa.concat_tables(shards).to_pylist()
    for one in found:
        assert len(one["passes"]) == 200
        mean, sd = torch.tensor(one["passes"]).mean(), torch.tensor(one["passes"]).std()
        assert abs(float(mean) - one["number"]) < 4 * float(sd) / 200**0.5 and float(sd) > 0
