"""The benchmark of the trainer gives both sides the same pairs, and counts and divides rightly."""

import json
import math
import os
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.measurement import RESULTS
from benchmarks.trainer.accuracy import Held, held, summary
from benchmarks.trainer.groups import Group, pairs_of, read_groups
from benchmarks.trainer.model import make_tokenizer
from benchmarks.trainer.page import page
from benchmarks.trainer.plan import read_plan
from benchmarks.trainer.prepared import Prepared
from benchmarks.trainer.rows import (
    TokenGroup,
    by_length,
    choose,
    num_tokens,
    ordered_pairs,
    pair_length,
    write_examples,
    write_trl_rows,
)
from benchmarks.trainer.speed import figures, goals
from benchmarks.trainer.table import goal_table
from tasks.training.examples import open_examples
from tasks.variants import load_variant

DATA = Path(os.environ.get("TSO_SHARED_DATA", "../shared/data"))
PLAN = read_plan()


def group(name, prompt_tokens, *responses):
    """A group with made-up ids; `responses` are numbers of tokens."""
    return TokenGroup(
        group=Group(prompt_id=name, prompt=name, responses=[f"{name}{n}" for n in responses]),
        prompt_ids=[7] * prompt_tokens,
        response_ids=[[8] * length for length in responses],
    )


def prepared(groups, steps, prompts_per_step=1, device_batches=1):
    pairs = ordered_pairs(groups, prompts_per_step, steps, seed=0)
    return Prepared(
        folder=Path("set"), groups=groups, pairs=pairs, prompts_per_step=prompts_per_step,
        device_batches=device_batches, pairs_per_device_batch=2, steps=steps,
    )  # fmt: skip


@pytest.mark.parametrize("name", PLAN.sets)
def test_the_steps_of_the_plan_fill_device_batches_of_trl(name):
    wanted = PLAN.sets[name]
    batches = PLAN.device_batches(wanted.pairs_per_step)
    assert batches * PLAN.pairs_per_device_batch == wanted.pairs_per_step


def test_four_and_eight_responses_make_6_and_28_pairs():
    assert (len(pairs_of(2)), len(pairs_of(4)), len(pairs_of(8))) == (1, 6, 28)
    assert pairs_of(3) == [(0, 1), (0, 2), (1, 2)]


def test_grouping_by_length_takes_every_pair_once_and_neighbours_in_length_together():
    groups = [group(f"p{length}", 1, length, 1) for length in (9, 2, 7, 4, 5, 3)]
    pairs = ordered_pairs(groups, 1, 6, seed=0)
    order = by_length(groups, pairs, 2, seed=0)
    assert sorted(order) == [0, 1, 2, 3, 4, 5]
    lengths = [pair_length(groups, pairs[number]) for number in order]
    assert sorted(zip(lengths[::2], lengths[1::2], strict=True)) == [(3, 4), (5, 6), (8, 10)]


def test_figures_leave_out_the_warm_up_and_count_a_response_once():
    groups = [group("a", 1, 2, 3, 4), group("b", 1, 5, 6, 7), group("c", 1, 8, 9, 10)]
    wanted = PLAN.sets["matrix_4"].model_copy(
        update={"responses": 3, "prompts_per_step": 1, "warmup_steps": 1, "timed_steps": 2}
    )
    both = prepared(groups, steps=3)
    warm = groups[both.pairs[0].group]
    result = {"seconds_at": [100.0, 101.0, 104.0], "loaded_bytes": 10**6, "load": 0.5,
              "peak_bytes_at": [2 * 10**6, 3 * 10**6, 5 * 10**6]}  # fmt: skip
    found = figures(both, wanted, range(9), result)
    assert found["seconds"] == 4.0
    assert found["pairs_per_second"] == 6 / 4
    distinct = 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 - sum(map(len, warm.response_ids))
    assert found["distinct_response_tokens_per_second"] == distinct / 4
    assert found["memory_rise_mb"] == 4.0


def test_padding_is_what_rows_lack_to_the_longest_of_their_device_batch():
    groups = [group("a", 2, 4, 1), group("b", 2, 2, 2)]
    wanted = PLAN.sets["one_pair"].model_copy(
        update={"prompts_per_step": 2, "warmup_steps": 1, "timed_steps": 0}
    )
    both = prepared(groups, steps=1, prompts_per_step=2)
    result = {"seconds_at": [1.0], "loaded_bytes": 0, "peak_bytes_at": [0], "load": 0.0}
    assert num_tokens(groups, both.pairs) == (6 + 3) + (4 + 4)
    assert both.tokens_per_microbatch == 17
    with pytest.raises(ZeroDivisionError):
        figures(both, wanted, [0, 1], result)
    wanted = wanted.model_copy(update={"timed_steps": 1})
    result |= {"seconds_at": [1.0, 2.0], "batches": [[[0, 1], 6]]}
    assert figures(both, wanted, [0, 1], result)["padding_share"] == 1 - 17 / 24


def test_a_goal_is_met_from_its_ratio_on():
    theirs = {"pairs_per_second": 2.0, "memory_rise_mb": 100.0}
    medians = {
        "ours": {"pairs_per_second": 10.0, "memory_rise_mb": 36.0},
        "trl": theirs,
        "trl_by_length": theirs,
    }
    found = goals(medians, {"trl": 5.0, "memory": 0.35})
    assert [(one["ratio"], one["met"]) for one in found] == [
        (5.0, True), (0.36, False), (5.0, None), (0.36, False),
    ]  # fmt: skip
    lines = goal_table({"sets": {"matrix_4": {"goals": found}}}).splitlines()
    assert [line.split("|")[5].strip() for line in lines[2:]] == ["met", "not met", "", "not met"]


def test_the_common_best_is_the_worse_of_the_two_best():
    curves = {
        "ours": {5: Held(0.6, 0.7), 10: Held(0.8, 0.5)},
        "trl": {5: Held(0.5, 0.6), 10: Held(0.6, 0.65)},
    }
    runs = [{"ours": {5: 3.0, 10: 6.0}, "trl": {5: 10.0, 10: 24.0}}]
    found = summary(curves, runs)
    accuracy, loss = found["to_accuracy"], found["to_loss"]
    assert (accuracy["target"], accuracy["ours_steps"], accuracy["trl_steps"]) == (0.6, 5, 10)
    assert accuracy["ratio"] == 24.0 / 3.0
    assert (loss["target"], loss["ours_steps"], loss["trl_steps"]) == (0.6, 10, 5)
    assert loss["ratio"] == 10.0 / 6.0


def test_a_pair_is_right_if_the_chosen_reward_is_larger():
    groups = [group("a", 1, 1, 1), group("b", 1, 1, 1)]
    reference = {"a-0": -5.0, "a-1": -1.0, "b-0": -2.0, "b-1": -2.0}
    policy = {"a-0": -4.0, "a-1": -1.0, "b-0": -2.5, "b-1": -2.5}
    found = held(policy, reference, groups, beta=2.0)
    assert found.accuracy == 0.5
    assert found.loss == pytest.approx((math.log(1 + math.exp(-2.0)) + math.log(2)) / 2)


def test_the_page_says_what_the_results_say():
    written = Path(__file__).parents[1] / "docs" / "trainer-benchmark.md"
    result = json.loads((RESULTS / "trainer.json").read_text())
    assert written.read_text() == page(result)


def handful(name, count=6):
    """The first few prompts of a set that fit, and a tokenizer of their texts."""
    found = list(islice(read_groups(PLAN.sets[name], PLAN), count))
    texts = [text for one in found for text in (one.prompt, *one.responses)]
    tokenizer = make_tokenizer(texts, 700)
    return choose(found, tokenizer, 100_000, seed=0), tokenizer


@pytest.mark.shared_data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no public data at {DATA} (TSO_SHARED_DATA)")
@pytest.mark.parametrize("name", PLAN.sets)
def test_both_sides_read_the_same_pairs(name, tmp_path):
    groups, tokenizer = handful(name)
    steps = len(groups) // 2
    pairs = ordered_pairs(groups, 2, steps, seed=0)
    logps = {
        one.name(index): [0.0] * len(ids)
        for one in groups
        for index, ids in enumerate(one.response_ids)
    }
    write_examples(tmp_path / "examples.arrow", groups, logps)
    write_trl_rows(tmp_path / "rows.jsonl", groups, pairs, range(len(pairs)))
    ours = open_examples(tmp_path / "examples.arrow", load_variant("tasks.losses", "dpo"), 100_000)
    theirs = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert ours.num_examples == len(theirs) == len(groups) * PLAN.sets[name].pairs_per_prompt
    of_trl = Counter(as_trl_tokenises(row, tokenizer) for row in theirs)
    of_ours = Counter(
        tuple(tuple(ids[row].tolist()) for ids in (ours.prompt_ids, *ours.responses.values()))
        for row in range(ours.num_examples)
    )
    assert of_ours == of_trl
    assert max(of_ours.values()) == 1


def as_trl_tokenises(row, tokenizer):
    """Prompt, chosen and rejected ids, by the steps of DPOTrainer for conversations."""
    prompt = tokenizer.apply_chat_template(
        row["prompt"], add_generation_prompt=True, return_dict=True
    )["input_ids"]
    sides = []
    for side in ("chosen", "rejected"):
        whole = tokenizer.apply_chat_template(row["prompt"] + row[side], return_dict=True)
        assert whole["input_ids"][: len(prompt)] == prompt
        sides.append(tuple(whole["input_ids"][len(prompt) :]))
    expected = (row[f"expected_{side}_ids"] for side in ("prompt", "chosen", "rejected"))
    assert [tuple(ids) for ids in expected] == [tuple(prompt), *sides]
    return (tuple(prompt), *sides)
