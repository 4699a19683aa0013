"""Values that can be worked out by hand.

Where nothing else is said: the policy gives chosen -12 nats (reference -13; 6 tokens) and rejected
-15 nats (reference -14; 5 tokens), so the log-ratios are +1 and -1.
"""

import math

import pytest
import torch
from loss_batches import gradients, one_token_side, rewards_batch, worked_pair
from loss_cases import loss_of, only

from tasks.training.loss_batch import Degrees, LossBatch

SMOOTHED = {"loss": {"kind": "dpo"}, "noise": 0.1}
WORKED = [
    ("dpo", {"beta": 0.1}, 0.598138869),
    ("ipo", {"beta": 0.1, "length_normalised": False}, 9.0),
    ("ipo", {"beta": 0.1}, (1 / 6 + 1 / 5 - 5) ** 2),
    ("cdpo", {"beta": 0.1, "noise": 0.1}, 0.618138869),
    ("label_smoothing", SMOOTHED, 0.618138869),
    ("robust", {"beta": 0.1, "noise": 0.1}, 0.573138869),
    ("sppo_hard", {"beta": 0.1}, 32.0),
    ("apo_zero", {"beta": 0.1}, 0.950042),
    ("sigmoid_norm", {"beta": 0.1}, 0.674982),
    ("simpo", {"beta": 2.0, "margin": 1.0}, 0.313262),
    ("orpo", {"weight": 0.1}, 2.028875),
    ("sapo_dpo", {"beta": 0.1}, 0.598138869),
    ("sapo_orpo", {"weight": 0.1}, 2.028875),
    ("rso_hinge_norm", {"gamma": 0.05}, 0.9),
    ("rso_sigmoid_norm", {"gamma": 0.05}, 0.644396660),
    ("slic_hinge", {"gamma": 0.05}, 0.85),
    ("rpo_2405_16436", {"beta": 0.1, "eta": 0.005}, 0.604138869),
    ("rpo_2405_16436", {"beta": 0.1, "eta": 0.2, "reduction": "mean"}, 0.998138869),
    ("length_desensitised", {"loss": {"kind": "dpo"}, "alpha": 1.0}, 0.598138869),
]


@pytest.mark.parametrize(("kind", "settings", "expected"), WORKED)
def test_the_worked_pair_has_its_published_value(kind, settings, expected):
    assert only(loss_of(kind, **settings), worked_pair()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("scale", "score_margin", "p", "expected"),
    [
        (1.0, 1.5, 0.817574476, 0.634623974),
        (2.2, 1.0, 0.900249511, 0.618088967),
        (1.0, 0.0, 0.5, 0.698138869),
    ],
)
def test_mmpo_meets_its_soft_target(scale, score_margin, p, expected):
    from_scores = loss_of("mmpo", beta=0.1, margin_scale=scale)
    assert only(from_scores, worked_pair(margin=score_margin)) == pytest.approx(expected, abs=1e-9)
    given = loss_of("mmpo", beta=0.1)
    assert only(given, worked_pair(p_chosen=p)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("p", "slope"), [(0.817574476, -0.267740479), (0.5, 0.049833997)])
def test_mmpo_pushes_the_margin_to_its_target_from_either_side(p, slope):
    _, [chosen], _ = gradients(
        loss_of("mmpo", beta=1.0), rewards_batch([(0.1, -0.1)], p_chosen=[p])
    )
    assert chosen == pytest.approx(slope, abs=1e-9)


def test_mmpo_with_certain_labels_is_dpo():
    batch = worked_pair(p_chosen=1.0)
    assert torch.equal(loss_of("mmpo")(batch).loss, loss_of("dpo")(batch).loss)


def test_a_hinge_has_no_gradient_once_the_margin_is_reached():
    _, chosen, rejected = gradients(loss_of("rso_hinge_norm", gamma=0.05), rewards_batch([(30, 9)]))
    assert (chosen, rejected) == ([0.0], [0.0])


def test_rpo_raises_chosen_by_eta_beta_more_than_dpo_and_leaves_rejected():
    batch = worked_pair()
    loss_of("rpo_2405_16436", eta=0.005)(batch).loss.sum().backward()
    assert batch.chosen.logps.grad[0, 0].item() == pytest.approx(-0.045516600, abs=1e-9)
    assert batch.rejected.logps.grad[0, 0].item() == pytest.approx(0.045016600, abs=1e-9)


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, 0.597938869), ({"as_released": True}, 0.596138869)]
)
def test_selm_makes_the_references_response_less_likely(settings, expected):
    pair = worked_pair()
    explored = one_token_side([-20.0], [-18.0])
    batch = LossBatch(chosen=pair.chosen, rejected=pair.rejected, others={"explored": explored})
    result = loss_of("selm", beta=0.1, alpha=0.001, **settings)(batch)
    result.loss.sum().backward()
    assert result.loss.tolist() == pytest.approx([expected], abs=1e-9)
    slope = 1e-3 if settings else 1e-4
    assert explored.logps.grad.item() == pytest.approx(slope)


def test_degrees_cost_their_cross_entropy():
    pair = worked_pair()
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    degrees = Degrees(
        logits=logits.requires_grad_(), labels=torch.tensor([0, 1]), pairs=torch.tensor([0, 0])
    )
    batch = LossBatch(chosen=pair.chosen, rejected=pair.rejected, degrees=degrees)
    result = loss_of("spo_degree", loss={"kind": "dpo"}, weight=0.1)(batch)
    mean = (0.407605964 + 1.098612289) / 2
    assert result.metrics["degree_loss"].tolist() == pytest.approx([mean], abs=1e-9)
    assert result.loss.tolist() == pytest.approx([0.598138869 + 0.1 * mean], abs=1e-9)
    result.loss.sum().backward()
    assert logits.grad.abs().sum() > 0


def test_the_odds_of_a_nearly_certain_response_stay_finite():
    batch = rewards_batch([(-1e-12, -1.0)])
    values = [number for part in gradients(loss_of("orpo"), batch) for number in part]
    assert all(math.isfinite(number) for number in values)


@pytest.mark.parametrize(
    ("p", "expected", "slope"),
    [(1.0, 16.0, -8.0), (0.7, 1.0, -2.0), (0.5, 1.0, 2.0), (0.0, 36.0, 12.0)],
)
def test_sppo_goes_to_how_often_a_response_wins(p, expected, slope):
    """With a log-ratio of 1 and beta 0.1, the goal of one that wins in 7 of 10 is 2 nats."""
    side = one_token_side([1.0], [0.0])
    side.logps.requires_grad_()
    batch = LossBatch(chosen=side, columns={"desirable": torch.tensor([p], dtype=torch.float64)})
    loss = loss_of("sppo", beta=0.1)(batch).loss
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([expected])
    assert side.logps.grad.sum().item() == pytest.approx(slope)


def test_sppo_with_certain_winners_and_losers_is_sppo_hard():
    pair, certain = worked_pair(), torch.tensor([1.0], dtype=torch.float64)
    sides = [(pair.chosen, certain), (pair.rejected, 1 - certain)]
    alone = [
        only(loss_of("sppo", beta=0.1), LossBatch(chosen=side, columns={"desirable": p}))
        for side, p in sides
    ]
    assert sum(alone) == pytest.approx(only(loss_of("sppo_hard", beta=0.1), pair))
