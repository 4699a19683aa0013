"""Which losses a configuration takes, and how losses that hold losses are written."""

from typing import get_type_hints

import pytest
import torch

from tasks.config import build_config, plain_config
from tasks.errors import ConfigError
from tasks.loss_needs import PAIR_COLUMNS
from tasks.records import TrainingExample
from tasks.variants import variant_class
from tests.small_config import small_config


@pytest.mark.parametrize(
    ("kind", "examples", "said"),
    [
        ("dpo", "pair", "needs 'column margn'; pair examples .*: column p_chosen, column margin"),
        ("sft", "response_only", "needs 'column margn'; response_only examples .*: token col"),
    ],
)
def test_a_column_that_no_example_has_is_refused_before_anything_is_sampled(
    kind, examples, said, monkeypatch
):
    loss = variant_class("tasks.losses", kind)
    assert examples == loss.EXAMPLES_KIND
    monkeypatch.setattr(loss, "REQUIRES", ("margn",))
    with pytest.raises(ConfigError, match=f"the loss '{kind}' {said}"):
        small_config(training__loss={"kind": kind})


LOSSES = [
    {"kind": "selm", "alpha": 0},
    {"kind": "label_smoothing", "loss": {"kind": "dual_clip_dpo", "form": "box"}, "noise": 0.2},
    {
        "kind": "weighted_sum",
        "terms": {
            "preference": {"loss": {"kind": "length_desensitised", "loss": {"kind": "mmpo"}}},
            "imitation": {"loss": {"kind": "sft"}, "weight": 0.005},
        },
    },
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["kind"])
def test_a_loss_may_hold_losses_and_is_written_back_as_it_came(loss):
    config = small_config(training__loss=loss)
    written = plain_config(config)["training"]["loss"]
    assert build_config(plain_config(config)) == config
    assert written["kind"] == loss["kind"] and written.keys() >= loss.keys()


@pytest.mark.parametrize(
    ("loss", "setting", "said"),
    [
        ({"kind": "dpo"}, {"training__stop_when_clipped": 0.5}, "'dpo' clips nothing"),
        (
            {"kind": "dual_clip_dpo", "form": "penalty"},
            {"training__stop_when_clipped": 0.5},
            "'dual_clip_dpo' clips nothing",
        ),
        ({"kind": "simpo"}, {"training__live_reference": {}}, "'simpo' reads no reference"),
        (
            {"kind": "dpo"},
            {
                "training__live_reference": {"every": 1, "mixing": 0.01},
                "training__dtype": "bfloat16",
                "training__master_weights": False,
            },
            "mixing is 0.01, and weights of bfloat16 round such small steps away",
        ),
    ],
)
def test_a_setting_that_the_loss_leaves_without_effect_is_refused(loss, setting, said):
    with pytest.raises(ConfigError, match=said):
        small_config(training__loss=loss, **setting)


def test_a_loss_around_one_that_clips_may_end_a_round_early():
    loss = {"kind": "label_smoothing", "loss": {"kind": "dual_clip_dpo"}}
    small_config(training__loss=loss, training__stop_when_clipped=0.5)


def test_a_moving_average_of_weights_in_bfloat16_would_stand_still():
    """Why it is refused: a policy 5 % away is never followed."""
    reference, policy = torch.ones(1).bfloat16(), torch.tensor([1.05]).bfloat16()
    for _ in range(500):
        reference.lerp_(policy, 0.01)
    assert reference.item() == 1.0


def test_one_setting_of_a_loss_within_a_loss_is_replaced():
    loss = LOSSES[1]
    config = small_config(training__loss=loss, training__loss__loss__beta=0.5)
    assert config.training.loss.loss.beta == 0.5 and config.training.loss.noise == 0.2


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (
            {"kind": "inverse_q"},
            "'inverse_q' follows a teacher, and training.teacher is null; write",
        ),
        (
            {"kind": "sapo_dpo", "tokens": "segment"},
            r"'token column chosen.segment' \(add a transform that makes it: .*regenerate_segment",
        ),
        (
            {"kind": "spo_degree", "loss": {"kind": "dpo"}},
            r"'auxiliary head' \(add a transform that makes it: transforms: \[{kind: degrade",
        ),
        ({"kind": "mrpo"}, "'mrpo' needs several references; .* names .*: name others besides it"),
        ({"kind": "label_smoothing", "loss": {"kind": "sft"}}, "'sft' trains on response_only"),
        ({"kind": "label_smoothing", "loss": {"kind": "dpo", "bta": 1}}, "'dpo': bta"),
    ],
)
def test_a_loss_that_no_round_can_feed_is_refused_before_anything_is_sampled(loss, said):
    with pytest.raises(ConfigError, match=said):
        small_config(training__loss=loss)


def test_what_the_reference_answers_itself_is_not_known_of_replayed_prompts():
    replay = {"kind": "recent_rounds", "number": 4}
    with pytest.raises(ConfigError, match="'selm' reads a response that the round's reference"):
        small_config(training__loss={"kind": "selm"}, replay=replay)
    assert small_config(training__loss={"kind": "selm", "alpha": 0}, replay=replay)


def test_a_loss_may_require_what_every_pair_has_a_number_for(monkeypatch):
    hints = get_type_hints(TrainingExample)
    assert [name for name, hint in hints.items() if hint == float | None] == [*PAIR_COLUMNS]
    monkeypatch.setattr(variant_class("tasks.losses", "dpo"), "REQUIRES", PAIR_COLUMNS)
    assert small_config(training__loss={"kind": "dpo"}).training.loss.REQUIRES == PAIR_COLUMNS


def test_further_references_are_for_losses_that_read_them():
    assert small_config(training__loss={"kind": "mrpo"}, training__references=["round:0"])
    with pytest.raises(ConfigError, match=r"'dpo' reads the round's reference alone; .*'round:0'"):
        small_config(training__loss={"kind": "dpo"}, training__references=["round:0"])


@pytest.mark.parametrize(
    "within", [lambda one: one, lambda one: {"kind": "spo_degree", "loss": one, "weight": 0}]
)
def test_weights_of_references_are_counted_before_anything_is_sampled(within):
    loss = within({"kind": "mrpo", "weights": [0.2, 0.3, 0.5]})
    assert small_config(training__loss=loss, training__references=["round:0", "round:1"])
    with pytest.raises(ConfigError, match=r"takes 3 references, .* names 1 besides it: .'round:0'"):
        small_config(training__loss=loss, training__references=["round:0"])


def test_a_pass_must_hold_the_longest_example():
    assert small_config(training__max_tokens=64, training__tokens_per_microbatch=64)
    with pytest.raises(ConfigError, match=r"tokens_per_microbatch is 63, below .*max_tokens: 64"):
        small_config(training__max_tokens=64, training__tokens_per_microbatch=63)


@pytest.mark.parametrize("loss", ["kto", "bmc", "selm"])
def test_a_round_makes_what_these_losses_need(loss):
    assert small_config(training__loss={"kind": loss}).training.loss


def test_the_uncertainty_of_a_single_opinion_is_refused_before_anybody_is_asked():
    once = {"kind": "pairwise", "model": "m", "base_url": "http://x", "both_orders": False}
    loss = {"kind": "upo"}
    with pytest.raises(ConfigError, match=r"'upo' reads how far opinions .* judges gives each pai"):
        small_config(training__loss=loss, judges={"one": once})
    assert small_config(training__loss=loss, judges={"one": once | {"both_orders": True}})
    assert small_config(training__loss=loss, judges={"one": once, "two": once | {"model": "n"}})
