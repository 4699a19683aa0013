import math

import pytest
from loss_batches import tokens
from loss_cases import loss_of, only

from tasks.training.loss_batch import LossBatch


@pytest.mark.parametrize("references", [(-1.0, -2.0), (-0.3, -4.0)])
def test_inverse_q_moves_each_token_to_the_teacher_whatever_the_reference(references):
    chosen = tokens([-1.0, -2.0], references, teacher=[-1.5, -1.0])
    loss = loss_of("inverse_q", beta=0.1, reduction="sum")
    result = loss(LossBatch(chosen=chosen))
    result.loss.sum().backward()
    assert result.loss.tolist() == pytest.approx([0.0125])
    assert chosen.logps.grad[0].tolist() == pytest.approx([0.01, -0.02])
    mean = loss_of("inverse_q", beta=0.1)(LossBatch(chosen=chosen))
    assert mean.loss.tolist() == pytest.approx([0.00625])


def test_inverse_q_rests_where_policy_teacher_and_reference_agree():
    chosen = tokens([-1.0, -2.0], [-1.0, -2.0], teacher=[-1.0, -2.0])
    result = loss_of("inverse_q")(LossBatch(chosen=chosen))
    result.loss.sum().backward()
    assert result.loss.tolist() == [0.0] and chosen.logps.grad.tolist() == [[0.0, 0.0]]


def test_inverse_q_follows_a_teacher_at_most_to_the_clip():
    chosen = tokens([-9.0], [-9.0], teacher=[-1.0])
    near = tokens([-9.0], [-9.0], teacher=[-4.0])
    losses = [only(loss_of("inverse_q"), LossBatch(chosen=one)) for one in (chosen, near)]
    assert losses[0] == losses[1] == pytest.approx((0.1 * 5) ** 2)
    assert only(loss_of("inverse_q", clip=None), LossBatch(chosen=chosen)) == pytest.approx(0.64)


def test_the_divergence_form_weighs_tokens_by_teacher_over_reference():
    chosen = tokens([-1.0, -2.0], [-1.0, -1.0], teacher=[-1.0 + math.log(3), -1.0 - math.log(2)])
    result = loss_of("inverse_q_kl")(LossBatch(chosen=chosen))
    result.loss.sum().backward()
    assert result.loss.tolist() == pytest.approx([(3 * 1.0 + 0.5 * 2.0) / 2])
    assert chosen.logps.grad[0].tolist() == pytest.approx([-1.5, -0.25])
    assert result.metrics["teacher_weight"].tolist() == pytest.approx([1.75])
    assert result.metrics["teacher_clipped"].tolist() == [0.0]


def test_the_divergence_form_clips_weights_and_counts_what_it_clipped():
    chosen = tokens([-1.0, -2.0], [-9.0, -2.0], teacher=[-1.0, -2.0])
    result = loss_of("inverse_q_kl", weight_cap=4.0)(LossBatch(chosen=chosen))
    assert result.loss.tolist() == pytest.approx([(4 * 1.0 + 1 * 2.0) / 2])
    assert result.metrics["teacher_clipped"].tolist() == [0.5]


def test_over_tokens_of_the_reference_the_divergence_form_is_the_cross_entropy():
    """All three tokens of a vocabulary, as often as the reference draws them."""
    reference, teacher, policy = ((0.5, 0.3, 0.2), (0.2, 0.7, 0.1), (0.4, 0.4, 0.2))
    loss, mean = loss_of("inverse_q_kl"), 0.0
    for r, t, p in zip(reference, teacher, policy, strict=True):
        one = tokens([math.log(p)], [math.log(r)], teacher=[math.log(t)])
        mean += r * only(loss, LossBatch(chosen=one))
    wanted = -sum(t * math.log(p) for t, p in zip(teacher, policy, strict=True))
    assert mean == pytest.approx(wanted) == pytest.approx(0.985605, abs=1e-6)


def test_where_teacher_and_reference_agree_the_divergence_form_is_imitation():
    chosen = tokens([-1.0, -2.0], [-3.0, -1.0], teacher=[-3.0, -1.0])
    assert only(loss_of("inverse_q_kl"), LossBatch(chosen=chosen)) == pytest.approx(1.5)
