import math

import pytest
from loss_batches import tokens
from loss_cases import loss_of, only

from tasks.training.loss_batch import LossBatch


def bmc_pair():
    def of(*probabilities):
        logs = [math.log(one) for one in probabilities]
        return tokens(logs, [math.log(one) for one in (0.8, 0.4, 0.1)], edited=[0, 1, 1])

    return LossBatch(chosen=of(0.9, 0.2, 0.05), rejected=of(0.9, 0.5, 0.01))


def test_bmc_weighs_edited_tokens_up_to_the_cap():
    result = loss_of("bmc", beta=0.1, extra_weight_cap=1.5)(bmc_pair())
    assert result.loss.tolist() == pytest.approx([0.610252635], abs=1e-9)
    rewards = [result.metrics[f"reward_{name}"].item() for name in ("chosen", "rejected")]
    assert rewards == pytest.approx([-0.3347952867, -0.5080820819], abs=1e-9)


def test_bmc_weighs_rare_tokens_by_the_inverse_of_their_probability_below_the_cap():
    """With a cap of 3 the weights are (1, 4, 4) and, as 1 / 0.5 = 2, (1, 3, 4)."""
    result = loss_of("bmc", beta=1.0, extra_weight_cap=3.0)(bmc_pair())
    log = math.log
    chosen = log(9 / 8) + 4 * log(1 / 2) + 4 * log(1 / 2)
    rejected = log(9 / 8) + 3 * log(5 / 4) + 4 * log(1 / 10)
    assert result.metrics["reward_chosen"].item() == pytest.approx(chosen)
    assert result.metrics["reward_rejected"].item() == pytest.approx(rejected)


def test_bmc_without_extra_weight_is_dpo():
    losses = [
        only(loss_of("bmc", beta=0.1, extra_weight_cap=0.0), bmc_pair()),
        only(loss_of("dpo", beta=0.1), bmc_pair()),
    ]
    assert losses == pytest.approx([0.659090268] * 2, abs=1e-9)
