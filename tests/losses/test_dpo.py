import math

import pytest
import torch
from loss_batches import gradients, one_token_batch, rewards_batch

from tasks.errors import ConfigError, DataError
from tasks.training.loss_batch import LossBatch, Side
from tasks.variants import load_variant


def dpo(**settings):
    return load_variant("tasks.losses", "dpo", **settings)


def test_the_worked_example_has_its_known_loss_and_gradients():
    batch = one_token_batch([-12.0], [-15.0], [-13.0], [-14.0])
    losses, chosen, rejected = gradients(dpo(beta=0.1), batch)
    assert losses == pytest.approx([0.598138869], abs=1e-9)
    assert chosen == pytest.approx([-0.045016600], abs=1e-9)
    assert rejected == pytest.approx([0.045016600], abs=1e-9)


def test_the_loss_is_ln_2_where_the_policy_is_the_reference():
    batch = one_token_batch([-3.0, -9.0], [-5.0, -1.0], [-3.0, -9.0], [-5.0, -1.0])
    assert dpo()(batch).loss.tolist() == [math.log(2)] * 2


def test_sum_and_mean_over_tokens_differ_by_the_lengths():
    batch = LossBatch(
        chosen=Side(
            logps=torch.tensor([[-1.0, -2.0, 0.0]]),
            mask=torch.tensor([[1.0, 1.0, 0.0]]),
            reference=torch.tensor([[[-2.0, -2.0, 0.0]]]),
        ),
        rejected=Side(
            logps=torch.tensor([[-1.0, -1.0, -4.0]]),
            mask=torch.ones(1, 3),
            reference=torch.tensor([[[-1.0, -1.0, -1.0]]]),
        ),
    )
    summed, mean = dpo(beta=1.0)(batch), dpo(beta=1.0, length_normalised=True)(batch)
    assert summed.metrics["margin"].tolist() == [1.0 + 3.0]
    assert mean.metrics["margin"].tolist() == [0.5 + 1.0]


def test_the_sft_term_adds_the_token_mean_of_the_chosen_response():
    batch = one_token_batch([-12.0], [-15.0], [-13.0], [-14.0])
    plain, mixed = dpo()(batch).loss, dpo(sft_weight=0.2)(batch).loss
    assert (mixed - plain).tolist() == pytest.approx([0.2 * 12.0])


def test_an_undecided_pair_is_no_hit():
    metrics = dpo()(rewards_batch([(1.0, 0.0), (0.5, 0.5), (0.0, 1.0)])).metrics
    assert metrics["accuracy"].tolist() == [1.0, 0.0, 0.0]


def test_rewards_of_ten_thousand_give_finite_losses_and_gradients():
    losses, chosen, rejected = gradients(dpo(beta=1.0), rewards_batch([(-1e4, 1e4), (1e4, -1e4)]))
    assert losses == [2e4, 0.0]
    assert all(math.isfinite(value) for value in chosen + rejected)


def test_a_batch_without_rejected_responses_is_refused():
    with pytest.raises(DataError, match="no rejected response"):
        dpo()(LossBatch(chosen=Side(logps=torch.zeros(1, 1), mask=torch.ones(1, 1))))


def test_an_unknown_setting_is_refused_by_name():
    with pytest.raises(ConfigError, match="gamma"):
        dpo(gamma=1.0)
