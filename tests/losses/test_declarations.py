"""What losses declare of themselves is true."""

import pytest
import torch
from loss_batches import one_token_batch, rewards_batch

from tasks.variants import kinds, load_variant

KINDS = kinds("tasks.losses")
LOSSES = {kind: load_variant("tasks.losses", kind) for kind in KINDS}


@pytest.mark.parametrize(
    "kind", [kind for kind, loss in LOSSES.items() if loss.AT_REFERENCE is not None]
)
def test_the_loss_is_what_it_says_where_the_policy_is_the_reference(kind):
    batch = one_token_batch([-3.0, -9.0], [-5.0, -1.0], [-3.0, -9.0], [-5.0, -1.0])
    assert LOSSES[kind](batch).loss.tolist() == pytest.approx([LOSSES[kind].AT_REFERENCE] * 2)


@pytest.mark.parametrize(
    "kind", [kind for kind, loss in LOSSES.items() if loss.NEUTRAL is not None]
)
def test_the_neutral_settings_make_it_dpo(kind):
    neutral = load_variant("tasks.losses", kind, **LOSSES[kind].NEUTRAL)
    batch = rewards_batch([(9.0, -9.0), (-50.0, 30.0), (0.1, 0.2)])
    assert torch.equal(neutral(batch).loss, load_variant("tasks.losses", "dpo")(batch).loss)
