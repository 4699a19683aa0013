"""What losses declare of themselves is true."""

import pytest
import torch
from loss_batches import one_token_batch, rewards_batch

from tasks.variants import kinds, load_variant, variant_class

KINDS = kinds("tasks.losses")
LOSSES = {
    kind: load_variant("tasks.losses", kind, **variant_class("tasks.losses", kind).EXAMPLE)
    for kind in KINDS
}


def required(loss, values):
    """The columns that `loss` requires, each with `values`: they differ from pair to pair."""
    return dict.fromkeys(loss.REQUIRES, values)


def test_a_batch_of_the_tests_holds_the_columns_it_is_given():
    columns = rewards_batch([(1.0, 0.0), (2.0, 0.0)], margin=[1.0, 0.25]).columns
    assert {name: column.tolist() for name, column in columns.items()} == {"margin": [1.0, 0.25]}


@pytest.mark.parametrize(
    "kind", [kind for kind, loss in LOSSES.items() if loss.AT_REFERENCE is not None]
)
def test_the_loss_is_what_it_says_where_the_policy_is_the_reference(kind):
    logps, columns = ([-3.0, -9.0], [-5.0, -1.0]), required(LOSSES[kind], [1.0, 0.5])
    batch = one_token_batch(*logps, *logps, columns)
    assert LOSSES[kind](batch).loss.tolist() == pytest.approx([LOSSES[kind].AT_REFERENCE] * 2)


@pytest.mark.parametrize(
    "kind", [kind for kind, loss in LOSSES.items() if loss.NEUTRAL is not None]
)
def test_the_neutral_settings_make_it_dpo(kind):
    neutral = load_variant("tasks.losses", kind, **LOSSES[kind].NEUTRAL)
    columns = required(neutral, [1.0, 0.5, 0.25])
    batch = rewards_batch([(9.0, -9.0), (-50.0, 30.0), (0.1, 0.2)], **columns)
    assert torch.equal(neutral(batch).loss, load_variant("tasks.losses", "dpo")(batch).loss)
