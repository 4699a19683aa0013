"""What every preference loss keeps to, and its value on one pair that can be worked out by hand.

The policy gives chosen -12 nats (reference -13; 6 tokens) and rejected -15 nats (reference -14; 5
tokens), so the log-ratios are +1 and -1.
"""

import math

import pytest
import torch
from loss_batches import gradients, rewards_batch

from tasks.training.loss_batch import LossBatch
from tasks.variants import kinds, load_variant, variant_class

PAIR_LOSSES = [
    kind
    for kind in kinds("tasks.losses")
    if variant_class("tasks.losses", kind).EXAMPLES_KIND == "pair"
]


def loss_of(kind, **settings):
    return load_variant("tasks.losses", kind, **settings)


def tokens(value, length, longest=6):
    """`value` nats spread evenly over `length` tokens, and their mask; shape (1, longest)."""
    spread = [value / length] * length + [0.0] * (longest - length)
    mask = [1.0] * length + [0.0] * (longest - length)
    return torch.tensor([spread], dtype=torch.float64), torch.tensor([mask], dtype=torch.float64)


def worked_pair(**columns):
    chosen, chosen_mask = tokens(-12.0, 6)
    rejected, rejected_mask = tokens(-15.0, 5)
    return LossBatch(
        chosen_logps=chosen,
        chosen_mask=chosen_mask,
        rejected_logps=rejected,
        rejected_mask=rejected_mask,
        reference_chosen=tokens(-13.0, 6)[0][None],
        reference_rejected=tokens(-14.0, 5)[0][None],
        columns={name: torch.tensor([value]).double() for name, value in columns.items()},
    )


WORKED = [
    ("dpo", {"beta": 0.1}, 0.598139),
    ("ipo", {"beta": 0.1}, 9.0),
    ("cdpo", {"beta": 0.1, "noise": 0.1}, 0.618139),
    ("robust", {"beta": 0.1, "noise": 0.1}, 0.573139),
    ("sppo_hard", {"beta": 0.1}, 32.0),
    ("apo_zero", {"beta": 0.1}, 0.950042),
    ("sigmoid_norm", {"beta": 0.1}, 0.674982),
    ("simpo", {"beta": 2.0, "margin": 1.0}, 0.313262),
    ("orpo", {"weight": 0.1}, 2.028875),
    ("rso_hinge_norm", {"gamma": 0.05}, 0.9),
    ("rso_sigmoid_norm", {"gamma": 0.05}, 0.644396660),
    ("slic_hinge", {"gamma": 0.05}, 0.85),
    ("rpo_2405_16436", {"beta": 0.1, "eta": 0.005}, 0.604138869),
    ("rpo_2405_16436", {"beta": 0.1, "eta": 0.2, "reduction": "mean"}, 0.998138869),
]


@pytest.mark.parametrize(("kind", "settings", "expected"), WORKED)
def test_the_worked_pair_has_its_published_value(kind, settings, expected):
    [value] = loss_of(kind, **settings)(worked_pair()).loss.tolist()
    assert value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("scale", "score_margin", "p", "expected"),
    [
        (1.0, 1.5, 0.817574476, 0.634623974),
        (2.2, 1.0, 0.900249511, 0.618088967),
        (1.0, 0.0, 0.5, 0.698138869),
    ],
)
def test_mmpo_meets_its_soft_target(scale, score_margin, p, expected):
    assert 1 / (1 + math.exp(-scale * score_margin)) == pytest.approx(p, abs=1e-9)
    [value] = loss_of("mmpo", beta=0.1)(worked_pair(p_chosen=p)).loss.tolist()
    assert value == pytest.approx(expected, abs=1e-8)


def test_mmpo_with_certain_labels_is_dpo():
    batch = worked_pair(p_chosen=1.0)
    assert torch.equal(loss_of("mmpo")(batch).loss, loss_of("dpo")(batch).loss)


def test_a_hinge_has_no_gradient_once_the_margin_is_reached():
    _, chosen, rejected = gradients(loss_of("rso_hinge_norm", gamma=0.05), rewards_batch([(30, 9)]))
    assert (chosen, rejected) == ([0.0], [0.0])


@pytest.mark.parametrize("kind", PAIR_LOSSES)
def test_an_undecided_pair_is_pulled_apart(kind):
    """Where chosen and rejected are equally likely, chosen rises and rejected falls."""
    columns = {"p_chosen": [0.9], "margin": [0.8]}
    loss = loss_of(kind, **variant_class("tasks.losses", kind).EXAMPLE)
    batch = rewards_batch([(-1.0, -1.0)], **{name: columns[name] for name in loss.REQUIRES})
    _, [chosen], [rejected] = gradients(loss, batch)
    assert chosen < 0 < rejected


@pytest.mark.parametrize("kind", PAIR_LOSSES)
def test_losses_and_gradients_are_finite_at_ten_thousand_nats(kind):
    loss = loss_of(kind, **variant_class("tasks.losses", kind).EXAMPLE)
    columns = {name: [0.9, 0.9] for name in loss.REQUIRES}
    batch = rewards_batch([(-1e4, -1.0), (-1.0, -1e4)], **columns)
    values = [number for part in gradients(loss, batch) for number in part]
    assert all(math.isfinite(number) for number in values)


@pytest.mark.parametrize("kind", PAIR_LOSSES)
def test_references_get_no_gradient_and_need_not_be_there_if_none_is_used(kind):
    loss = loss_of(kind, **variant_class("tasks.losses", kind).EXAMPLE)
    columns = {name: [0.9] for name in loss.REQUIRES}
    batch = rewards_batch([(-1.0, -2.0)], **columns)
    loss(batch).loss.sum().backward()
    assert not batch.reference_chosen.requires_grad
    if not loss.USES_REFERENCE:
        alone = rewards_batch([(-1.0, -2.0)], **columns)
        bare = LossBatch(
            chosen_logps=alone.chosen_logps,
            chosen_mask=alone.chosen_mask,
            rejected_logps=alone.rejected_logps,
            rejected_mask=alone.rejected_mask,
        )
        assert torch.equal(loss(bare).loss, loss(alone).loss)


def test_the_odds_of_a_nearly_certain_response_stay_finite():
    batch = rewards_batch([(-1e-12, -1.0)])
    values = [number for part in gradients(loss_of("orpo"), batch) for number in part]
    assert all(math.isfinite(number) for number in values)
