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
