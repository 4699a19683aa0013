"""Which losses a configuration takes, and how losses that hold losses are written."""

from typing import get_type_hints

import pytest

from tasks.config import build_config, plain_config
from tasks.consistency import PAIR_COLUMNS
from tasks.errors import ConfigError
from tasks.records import TrainingExample
from tasks.variants import variant_class
from tests.small_config import small_config


@pytest.mark.parametrize(
    ("kind", "examples", "said"),
    [
        ("dpo", "pair", "needs 'column margn'; pair examples .*: column p_chosen, column margin"),
        ("sft", "response_only", "needs 'column margn'; response_only examples .*: none"),
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


def test_one_setting_of_a_loss_within_a_loss_is_replaced():
    loss = LOSSES[1]
    config = small_config(training__loss=loss, training__loss__loss__beta=0.5)
    assert config.training.loss.loss.beta == 0.5 and config.training.loss.noise == 0.2


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ({"kind": "kto"}, "'kto' trains on unpaired examples; rounds make: pair, response_only"),
        ({"kind": "selm"}, "'selm' needs 'response explored'; pair examples of a round have"),
        ({"kind": "bmc"}, "'bmc' needs 'token column chosen.edited'"),
        ({"kind": "mrpo"}, "'mrpo' needs 'several references'"),
        ({"kind": "spo_degree", "loss": {"kind": "dpo"}}, "needs 'auxiliary head'"),
        ({"kind": "label_smoothing", "loss": {"kind": "sft"}}, "'sft' trains on response_only"),
        ({"kind": "label_smoothing", "loss": {"kind": "dpo", "bta": 1}}, "'dpo': bta"),
    ],
)
def test_a_loss_that_no_round_can_feed_is_refused_before_anything_is_sampled(loss, said):
    with pytest.raises(ConfigError, match=said):
        small_config(training__loss=loss)


def test_a_loss_may_require_what_every_pair_has_a_number_for(monkeypatch):
    hints = get_type_hints(TrainingExample)
    assert [name for name, hint in hints.items() if hint == float | None] == [*PAIR_COLUMNS]
    monkeypatch.setattr(variant_class("tasks.losses", "dpo"), "REQUIRES", PAIR_COLUMNS)
    assert small_config(training__loss={"kind": "dpo"}).training.loss.REQUIRES == PAIR_COLUMNS
