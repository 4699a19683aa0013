"""Loss batches made by hand or drawn with all that a loss declares to need."""

from dataclasses import replace

import torch

from tasks.training.loss_batch import Degrees, LossBatch, Side


def column(values):
    """One token a response: (P, 1)."""
    return torch.tensor(values, dtype=torch.float64)[:, None].clone()


def one_token_side(logps, reference):
    """Responses of a single token with the given log-probabilities; gradients are kept."""
    tokens = column(logps).requires_grad_()
    return Side(logps=tokens, mask=torch.ones_like(tokens), reference=column(reference)[None])


def one_token_batch(chosen, rejected, reference_chosen, reference_rejected, columns=None):
    """Pairs whose responses have a single token with the given log-probabilities (float64).

    `columns` is what a loss names in REQUIRES, one number a pair: {"margin": [1.0, 0.5]}.
    """
    return LossBatch(
        chosen=one_token_side(chosen, reference_chosen),
        rejected=one_token_side(rejected, reference_rejected),
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


def spread(value, length, longest=6):
    """`value` nats spread evenly over `length` tokens, and their mask; shape (1, longest)."""
    evenly = [value / length] * length + [0.0] * (longest - length)
    mask = [1.0] * length + [0.0] * (longest - length)
    return torch.tensor([evenly], dtype=torch.float64), torch.tensor([mask], dtype=torch.float64)


def side(logp, references, length):
    logps, mask = spread(logp, length)
    rows = [spread(one, length)[0] for one in references]
    return Side(logps=logps.requires_grad_(), mask=mask, reference=torch.stack(rows))


def worked_pair(auxiliary=None, **columns):
    """The pair of the worked numbers: -12 nats of 6 tokens against -15 of 5; log-ratios +1 and -1.

    `auxiliary` is what a second reference gives chosen and rejected (nats).
    """
    second = [[], []] if auxiliary is None else [[one] for one in auxiliary]
    return LossBatch(
        chosen=side(-12.0, [-13.0, *second[0]], 6),
        rejected=side(-15.0, [-14.0, *second[1]], 5),
        columns={name: torch.tensor([value]).double() for name, value in columns.items()},
    )


def tokens(logps, references, **columns):
    """One response from single token probabilities or log-probabilities."""
    table = torch.tensor([logps], dtype=torch.float64)
    return Side(
        logps=table.requires_grad_(),
        mask=torch.ones_like(table),
        reference=torch.tensor([[references]], dtype=torch.float64),
        columns={name: torch.tensor([one], dtype=torch.float64) for name, one in columns.items()},
    )


def gradients(loss, batch):
    """Losses and d loss / d logp of both sides."""
    result = loss(batch)
    result.loss.sum().backward()
    return (
        result.loss.tolist(),
        batch.chosen.logps.grad[:, 0].tolist(),
        batch.rejected.logps.grad[:, 0].tolist(),
    )


RANGES = {
    "p_chosen": (0.5, 1.0),
    "margin": (0.0, 1.0),
    "uncertainty": (0.0, 0.69),
    "desirable": (0.0, 1.0),
}
"""What columns may hold; desirable is rounded to 0 or 1."""


class Draw:
    """Numbers of one seed, as float64 tensors."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def between(self, low, high, *shape):
        """Uniform numbers."""
        unit = torch.rand(*shape, generator=self.generator, dtype=torch.float64)
        return low + (high - low) * unit

    def side(self, pairs, columns=(), references=2, longest=5):
        """Responses of 1 to `longest` tokens, padded, near their references."""
        lengths = torch.randint(1, longest + 1, (pairs, 1), generator=self.generator)
        mask = (torch.arange(longest)[None] < lengths).double()
        logps = self.between(-3, -0.05, pairs, longest) * mask
        reference = (logps[None] - self.between(0, 0.7, references, pairs, longest)) * mask
        return Side(
            logps=logps.requires_grad_(),
            mask=mask,
            reference=reference,
            columns={name: self.token_column(name, logps, mask) for name in columns},
        )

    def token_column(self, name, logps, mask):
        """Log-probabilities for a teacher, else marks of 0 and 1."""
        if name == "teacher":
            return (logps.detach() + self.between(-0.5, 0.5, *logps.shape)) * mask
        return self.between(0, 1, *logps.shape).round() * mask

    def example_column(self, name, pairs):
        """One number for each example."""
        values = self.between(*RANGES[name], pairs)
        return values.round() if name == "desirable" else values


def drawn_batch(loss, seed=0, pairs=4, references=2):
    """A batch with everything that `loss` declares to need, and a rejected side for pairs."""
    draw = Draw(seed)
    names = {
        side: [name for place, name in loss.TOKEN_COLUMNS if place == side]
        for side in ("chosen", "rejected")
    }
    is_pair = loss.EXAMPLES_KIND == "pair"
    return LossBatch(
        chosen=draw.side(pairs, names["chosen"], references),
        rejected=draw.side(pairs, names["rejected"], references) if is_pair else None,
        columns={name: draw.example_column(name, pairs) for name in loss.REQUIRES},
        others={name: draw.side(pairs, (), references) for name in loss.OTHERS},
        degrees=drawn_degrees(draw, loss, pairs) if loss.HEAD_CLASSES else None,
    )


def drawn_degrees(draw, loss, pairs):
    """Two variants of each side of all pairs but the last one, which has none."""
    of_pair = torch.arange(pairs - 1).repeat(4)
    logits = draw.between(-2, 2, len(of_pair), loss.HEAD_CLASSES).requires_grad_()
    return Degrees(
        logits=logits, labels=torch.arange(len(of_pair)) % loss.HEAD_CLASSES, pairs=of_pair
    )


def sides_of(batch):
    """Every response of a batch by name."""
    pair = {"chosen": batch.chosen} | ({"rejected": batch.rejected} if batch.rejected else {})
    return pair | dict(batch.others)


def at_reference(batch):
    """`batch` with a policy that is the (only) reference."""

    def same(side):
        return replace(side, logps=side.reference[0].clone().requires_grad_())

    return replace(
        batch,
        chosen=same(batch.chosen),
        rejected=same(batch.rejected) if batch.rejected else None,
        others={name: same(side) for name, side in batch.others.items()},
    )
