import json
from collections import Counter
from functools import cache
from itertools import combinations, islice
from random import Random

import pytest

from flows.quickstart.data import demonstration_rows, human_rows, make_world, prompt_rows
from flows.quickstart.faults import FAULTS, misread
from flows.quickstart.world import (
    CATEGORIES,
    SIZES,
    Task,
    answer,
    combinations_of,
    draw_tasks,
)
from tasks.prompts import prompt_of
from tasks.sources import Row
from tasks.variants import load_variant

WORLD = make_world()
TASKS = list(islice(draw_tasks("train", Random(0)), 2000))
FIELD_CHECKS = {
    "count": "number_of_items",
    "order": "order",
    "case": "case",
    "separator": "separator",
    "ending": "ending",
}


@cache
def check(settings):
    return load_variant("tasks.checks", **json.loads(settings))


def failed_kinds(task, text):
    return {one["kind"] for one in task.checks() if not check(json.dumps(one))(text)}


def test_splits_have_their_sizes():
    assert {name: len(members) for name, members in WORLD.splits.items()} == SIZES
    assert SIZES["train"] >= 4000


def test_no_prompt_is_in_two_places():
    texts = [one.text for members in WORLD.splits.values() for one in members]
    texts += [one.text for one in WORLD.taught]
    assert len(set(texts)) == len(texts)


def test_held_out_and_sealed_combinations_are_in_no_other_split():
    found = {
        split: {one.task.combination for one in members} for split, members in WORLD.splits.items()
    }
    found["taught"] = {one.task.combination for one in WORLD.taught}
    assert found["taught"] == found["train"] == set(combinations_of("train"))
    for split in ("held_out", "sealed"):
        others = set().union(*(found[name] for name in found if name != split))
        assert found[split] == set(combinations_of(split))
        assert found[split].isdisjoint(others)


@pytest.mark.parametrize("split", ["held_out", "sealed"])
def test_every_two_values_meet_once_in_the_unseen_combinations(split):
    unseen = combinations_of(split)
    assert len(unseen) == 9
    for i, j in combinations(range(4), 2):
        assert len({(one[i], one[j]) for one in unseen}) == 9


def test_the_product_reads_the_prompts():
    rows = prompt_rows(WORLD)
    assert len(rows) == sum(SIZES.values())
    for row in rows[:: len(rows) // 20]:
        prompt = prompt_of(Row("here", row))
        assert prompt.messages == row["messages"]
        assert prompt.split == row["split"]
        assert len(prompt.checks) == len(row["checks"])


def test_an_answer_meets_every_check():
    rng = Random(1)
    assert not any(failed_kinds(task, answer(task, rng)) for task in TASKS)


def test_human_responses_meet_every_check_and_answer_a_tenth_of_train():
    tasks = {one.text: one.task for one in WORLD.splits["train"]}
    rows = human_rows(WORLD)
    assert len(rows) == 410
    for row in rows:
        assert not failed_kinds(tasks[row["messages"][0]["content"]], row["response"])


def test_no_word_is_in_two_categories():
    words = Counter(word for some in CATEGORIES.values() for word in some.split())
    assert set(words.values()) == {1}


@pytest.mark.parametrize("model", FAULTS)
def test_a_model_fails_exactly_the_checks_its_rules_name(model):
    rng = Random(2)
    for task in TASKS:
        ruled = {FIELD_CHECKS[fault.field] for fault in FAULTS[model] if fault.applies(task)}
        assert failed_kinds(task, answer(misread(task, model), rng)) == ruled


def test_the_policy_stops_after_five_and_forgets_capitals():
    task = Task(
        category="animals",
        count=6,
        order="descending",
        case="upper",
        separator=", ",
        ending="!",
    )
    done = misread(task, "policy")
    assert (done.count, done.case) == (5, "lower")
    assert misread(task, "large") == task


def test_whatever_the_policy_does_wrong_another_model_does_right():
    for task in TASKS:
        for fault in FAULTS["policy"]:
            if fault.applies(task):
                wanted = getattr(task, fault.field)
                others = [getattr(misread(task, name), fault.field) for name in ("large", "other")]
                assert wanted in others


def test_no_model_is_right_more_often_than_half_and_the_policy_least():
    right = {
        model: sum(misread(task, model) == task for task in TASKS) / len(TASKS) for model in FAULTS
    }
    assert 0.3 < right["policy"] < 0.4
    assert all(right["policy"] < right[model] < 0.5 for model in ("large", "other"))


def test_some_model_is_right_about_most_tasks():
    right = sum(any(misread(task, model) == task for model in FAULTS) for task in TASKS)
    assert 0.75 < right / len(TASKS) < 0.9


@pytest.mark.parametrize("model", FAULTS)
def test_about_one_demonstration_in_fifteen_has_a_fault_beyond_the_rules(model):
    rows = demonstration_rows(WORLD, model)
    extra = 0
    for one, row in zip(WORLD.taught, rows, strict=True):
        ruled = {FIELD_CHECKS[fault.field] for fault in FAULTS[model] if fault.applies(one.task)}
        extra += failed_kinds(one.task, row["response"]) != ruled
    assert 0.03 < extra / len(rows) < 0.08


def test_equal_seeds_make_equal_worlds_and_others_other_ones():
    first = json.dumps([prompt_rows(WORLD), human_rows(WORLD), demonstration_rows(WORLD, "large")])
    again = make_world()
    same = json.dumps([prompt_rows(again), human_rows(again), demonstration_rows(again, "large")])
    assert first == same
    assert make_world(1).splits["dev"] != WORLD.splits["dev"]
