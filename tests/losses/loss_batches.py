"""Loss batches made by hand: one token per response unless said otherwise."""

import torch

from tasks.training.loss_batch import LossBatch


def one_token_batch(chosen, rejected, reference_chosen, reference_rejected, columns=None):
    """Pairs whose responses have a single token with the given log-probabilities (float64).

    `columns` is what a loss names in REQUIRES, one number a pair: {"margin": [1.0, 0.5]}.
    """

    def column(values):
        return torch.tensor(values, dtype=torch.float64)[:, None].clone()

    chosen_logps, rejected_logps = column(chosen), column(rejected)
    return LossBatch(
        chosen_logps=chosen_logps.requires_grad_(),
        chosen_mask=torch.ones_like(chosen_logps),
        rejected_logps=rejected_logps.requires_grad_(),
        rejected_mask=torch.ones_like(rejected_logps),
        reference_chosen=column(reference_chosen)[None],
        reference_rejected=column(reference_rejected)[None],
        columns={name: column(values)[:, 0] for name, values in (columns or {}).items()},
    )


def rewards_batch(rewards, beta=1.0, **columns):
    """Pairs with the given implicit rewards (chosen, rejected) against a reference of 0.

    `columns` as for `one_token_batch`: margin=[1.0, 0.5].
    """
    chosen = [pair[0] / beta for pair in rewards]
    rejected = [pair[1] / beta for pair in rewards]
    zeros = [0.0] * len(rewards)
    return one_token_batch(chosen, rejected, zeros, zeros, columns)


def gradients(loss, batch):
    """Losses and d loss / d logp of both sides."""
    result = loss(batch)
    result.loss.sum().backward()
    return (
        result.loss.tolist(),
        batch.chosen_logps.grad[:, 0].tolist(),
        batch.rejected_logps.grad[:, 0].tolist(),
    )
