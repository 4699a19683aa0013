import pytest

from tasks.claims import (
    CONCERNS,
    NOT_FROZEN,
    Claim,
    changed_keys,
    first_concerned,
    frozen_facts_changed,
    new_claim,
    round_config,
)
from tasks.config import Config
from tasks.errors import ConfigError
from tasks.rounds import VERBS

CONFIG = {"training": {"epochs": 1, "loss": {"kind": "dpo"}}, "machine": {"side_by_side": 1}}


def claim(flow_run_id="f1"):
    return Claim(flow_run_id=flow_run_id, first_index=3, last_index=3)


def changed(**training):
    return {**CONFIG, "training": {**CONFIG["training"], **training}}


@pytest.mark.parametrize(
    ("committed", "rounds", "until", "expected"),
    [
        (0, 1, None, [0]),
        (2, 3, None, [2, 3, 4]),
        (0, 1, 2, [0, 1]),
        (2, 1, 2, []),
        (5, 1, 2, []),
    ],
)
def test_rounds_are_added_and_until_is_a_total(committed, rounds, until, expected):
    assert list(new_claim("f", committed, rounds, until).indices) == expected


@pytest.mark.parametrize(("rounds", "until"), [(0, None), (-1, None), (1, 0)])
def test_less_than_one_round_is_refused(rounds, until):
    with pytest.raises(ConfigError, match="must be 1 or more"):
        new_claim("f", 0, rounds, until)


def test_changed_keys_are_dotted_and_sorted():
    after = {"training": {"epochs": 2, "loss": {"kind": "sft"}, "new": 1}}
    assert changed_keys(CONFIG, after) == [
        *("machine", "training.epochs", "training.loss.kind", "training.new")
    ]
    assert changed_keys(CONFIG, CONFIG) == []


def test_a_new_round_records_its_configuration_and_what_it_redoes():
    recorded = round_config(None, CONFIG, ["train"], claim(), 3)
    assert recorded == {"config": CONFIG, "redo": {"train": 1}, "redo_by": ["f1"]}


def test_an_unfinished_round_goes_on_with_the_same_settings_only():
    begun = round_config(None, CONFIG, [], claim(), 3)
    assert round_config(begun, CONFIG, [], claim("f2"), 3) == begun
    with pytest.raises(
        ConfigError, match=r"round 3 was begun with other values of training\.epochs"
    ):
        round_config(begun, changed(epochs=2), [], claim(), 3)


@pytest.mark.parametrize(
    ("keys", "verb"),
    [
        (["pairs.filters"], "pair"),
        (["correction.tie", "training.epochs"], "pair"),
        (["judges.main.noise"], "judge"),
        (["comparisons.budget"], "judge"),
        (["evaluation.temperature", "matrix.other"], "sample"),
        (["prompts.per_round"], "collect"),
        (["refresh.gate.kind"], "refresh"),
    ],
)
def test_the_first_verb_that_changed_settings_concern_is_the_one_to_redo(keys, verb):
    assert first_concerned(keys) == verb


def test_a_refused_change_says_how_to_go_on_with_it():
    begun = round_config(None, CONFIG, [], claim(), 3)
    with pytest.raises(ConfigError, match=r"add --set 'redo=\[train\]': train is done again"):
        round_config(begun, changed(epochs=2), [], claim(), 3)


def test_every_section_that_may_be_refused_concerns_a_verb_in_the_order_of_the_verbs():
    assert set(CONCERNS) == set(Config.model_fields) - set(NOT_FROZEN)
    assert list(CONCERNS.values()) == sorted(CONCERNS.values(), key=VERBS.index)


def test_what_changes_no_result_may_change_in_the_middle():
    begun = round_config(None, CONFIG, [], claim(), 3)
    faster = {**CONFIG, "machine": {"side_by_side": 2}}
    assert round_config(begun, faster, [], claim(), 3)["config"] == faster


def test_redo_allows_other_settings_and_counts():
    begun = round_config(None, CONFIG, [], claim(), 3)
    once = round_config(begun, changed(epochs=2), ["train"], claim("f2"), 3)
    assert (once["config"], once["redo"]) == (changed(epochs=2), {"train": 1})
    twice = round_config(once, changed(epochs=2), ["train", "evaluate"], claim("f3"), 3)
    assert twice["redo"] == {"train": 2, "evaluate": 1}


def test_the_retry_of_a_flow_run_does_not_redo_again():
    begun = round_config(None, CONFIG, [], claim(), 3)
    once = round_config(begun, CONFIG, ["train"], claim("f2"), 3)
    assert round_config(once, CONFIG, ["train"], claim("f2"), 3) == once


def test_what_the_first_round_froze_may_not_change():
    frozen = {"base model": "aaa", "tokenizer": "bbb"}
    frozen_facts_changed(frozen, dict(frozen), "r")
    with pytest.raises(ConfigError, match="tokenizer of run 'r' is frozen"):
        frozen_facts_changed(frozen, {**frozen, "tokenizer": "ccc"}, "r")
