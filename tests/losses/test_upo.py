import math

import pytest
from loss_batches import gradients, rewards_batch, worked_pair
from loss_cases import loss_of, only

BALD = [0.101749225, 0.0, 0.3]
"""Uncertainty of three pairs (nats); the first from passes (.9, .1) and (.5, .5)."""


def test_upo_bounds_how_much_a_pair_counts_the_other_way_round():
    loss = loss_of("upo", alpha_max=0.4, sft_weight=0.0)
    result = loss(worked_pair(uncertainty=BALD[0]))
    assert result.metrics["alpha"].tolist() == pytest.approx([0.058717241], abs=1e-8)
    assert result.loss.tolist() == pytest.approx([0.609882318], abs=1e-8)


@pytest.mark.parametrize("alpha_max", [0.1, 0.4])
def test_upo_is_dpo_for_a_certain_pair_and_cdpo_for_an_uncertain_one(alpha_max):
    loss = loss_of("upo", alpha_max=alpha_max, sft_weight=0.0)
    certain, unsure = worked_pair(uncertainty=0.0), worked_pair(uncertainty=math.log(2))
    assert only(loss, certain) == only(loss_of("dpo"), certain)
    assert only(loss, unsure) == pytest.approx(only(loss_of("cdpo", noise=alpha_max), unsure))


def test_upo_as_printed_pushes_every_pair_the_wrong_way_and_ours_does_not():
    rewards = [(0.1, -0.1)] * 3
    printed = loss_of("upo", beta=1.0, as_released=True, sft_weight=0.0)
    batch = rewards_batch(rewards, uncertainty=BALD)
    alpha = printed(batch).metrics["alpha"].tolist()
    assert alpha == pytest.approx([0.743, 0.722, 0.788], abs=5e-4)
    _, wrong, _ = gradients(printed, batch)
    assert wrong[0] == pytest.approx(0.292934133, abs=1e-3) and min(wrong) > 0
    ours = loss_of("upo", beta=1.0, sft_weight=0.0)
    _, right, _ = gradients(ours, rewards_batch(rewards, uncertainty=BALD))
    assert max(right) < 0


@pytest.mark.parametrize(("as_released", "sign"), [(False, -1), (True, 1)])
def test_upo_makes_chosen_responses_likelier_and_as_printed_less_likely(as_released, sign):
    settings = {"alpha_max": 0.0, "as_released": as_released}
    batches = [rewards_batch([(0.0, 0.0)], uncertainty=[0.3]) for _ in range(2)]
    _, [with_term], _ = gradients(loss_of("upo", sft_weight=0.5, **settings), batches[0])
    _, [without], _ = gradients(loss_of("upo", sft_weight=0.0, **settings), batches[1])
    assert with_term - without == pytest.approx(sign * 0.5)
