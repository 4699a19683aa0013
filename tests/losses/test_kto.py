import pytest
import torch
from loss_batches import one_token_side
from loss_cases import loss_of, only

from tasks.training.loss_batch import LossBatch


def kto_batch(ratio, drift, desirable):
    return LossBatch(
        chosen=one_token_side([ratio], [0.0]),
        columns={"desirable": torch.tensor([desirable], dtype=torch.float64)},
        others={"mismatched": one_token_side([drift], [0.0])},
    )


def test_kto_measures_a_response_from_the_drift():
    loss = loss_of("kto", beta=0.1, undesirable_weight=2.0)
    assert only(loss, kto_batch(1.0, 0.5, 1.0)) == pytest.approx(0.487503, abs=1e-6)
    assert only(loss, kto_batch(1.0, 0.5, 0.0)) == pytest.approx(2 * (1 - 0.487503), abs=1e-5)


def test_kto_takes_a_negative_drift_for_none():
    loss = loss_of("kto")
    assert only(loss, kto_batch(1.0, -3.0, 1.0)) == only(loss, kto_batch(1.0, 0.0, 1.0))


def test_kto_of_a_probable_label_is_the_mean_of_both():
    loss = loss_of("kto", undesirable_weight=2.0)
    up, down = (only(loss, kto_batch(1.0, 0.5, desirable)) for desirable in (1.0, 0.0))
    assert only(loss, kto_batch(1.0, 0.5, 0.75)) == pytest.approx(0.75 * up + 0.25 * down)
