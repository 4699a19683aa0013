import pytest
import torch
from loss_batches import worked_pair
from loss_cases import loss_of, only

from tasks.training.loss_batch import Sides

MRPO = [
    ({}, 0.652622553),
    ({"as_released": True}, 0.608233234),
    ({"mean": "geometric"}, 0.652163210),
]


@pytest.mark.parametrize(("settings", "expected"), MRPO)
def test_mrpo_has_its_worked_value(settings, expected):
    loss = loss_of("mrpo", beta=0.1, clip=0.1, **settings)
    assert only(loss, worked_pair((-10.0, -16.0))) == pytest.approx(expected, abs=1e-8)


def test_mrpo_steps_are_those_worked_out():
    loss = loss_of("mrpo")
    totals = [torch.tensor([[-13.0], [-10.0]]), torch.tensor([[-14.0], [-16.0]])]
    totals = Sides(*(one.double() for one in totals))
    weights, clipped = loss._weights(totals), loss._clipped(totals)
    assert weights[1].item() == pytest.approx(0.857142857, abs=1e-9)
    assert [one[1].item() for one in clipped] == pytest.approx([-12.435849057, -14.792452830])
    virtual = [loss._virtual(one, weights).item() for one in clipped]
    assert virtual == pytest.approx([-12.538657618, -14.711046436])


@pytest.mark.parametrize("mean", ["harmonic", "geometric"])
@pytest.mark.parametrize("weights", [None, (0.2, 0.8)])
def test_mrpo_with_equal_references_is_dpo(mean, weights):
    batch = worked_pair((-13.0, -14.0))
    loss = loss_of("mrpo", mean=mean, weights=weights)
    assert only(loss, batch) == pytest.approx(only(loss_of("dpo"), batch), rel=1e-12)
