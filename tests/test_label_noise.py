"""`training.noise_rate: estimated`: what people found goes to every loss that takes a noise."""

import math

import pytest

from tasks.agreement.figures import QualityFigure
from tasks.errors import ConfigError, DataError
from tasks.label_noise import estimate_of, takes_noise, with_noise
from tasks.variants import load_variant
from tests.golden_inputs import loss_inputs
from tests.small_config import small_config

SIMULATED = {"kind": "simulated", "judge": {"kind": "rule"}}
PEOPLE = {"annotate__people": {"ann": SIMULATED}, "annotate__budget": 0.1}


def loss(kind, **settings):
    return load_variant("tasks.losses", kind, **settings)


def figure(estimate, reason=""):
    return QualityFigure(
        annotator="all judges", other="people", criterion="overall", figure="label_noise",
        estimate=estimate, low=estimate, high=estimate, n=40, prompts=40, reason=reason, version="",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["robust", "cdpo", "mmpo"])
def test_a_loss_that_takes_noise_is_given_what_was_found(kind):
    assert with_noise(loss(kind), 0.13) == loss(kind, noise=0.13)


def test_losses_within_losses_are_given_it_too():
    terms = {"main": {"loss": {"kind": "robust"}}, "also": {"loss": {"kind": "sft"}, "weight": 0.1}}
    made = with_noise(loss("weighted_sum", terms=terms), 0.2)
    assert made.terms["main"].loss.noise == 0.2 and made.terms["also"].weight == 0.1
    assert takes_noise(made) and not takes_noise(loss("dpo"))


def test_mmpo_moves_its_target_by_the_noise():
    import torch

    batch = loss_inputs(loss("mmpo"))
    batch.columns["p_chosen"] = torch.full((4,), 0.9, dtype=torch.float64)
    noisy = loss("mmpo", noise=0.1)(batch).loss[0].item()
    assert noisy == pytest.approx(math.log(2)), "at the reference every target costs the same"
    sure = loss("mmpo")(batch).loss[1].item(), loss("mmpo", noise=0.1)(batch).loss[1].item()
    reward = 0.1 * 1.25
    target = 0.9 * 0.9 + 0.1 * 0.1
    expected = [-p * _log_sigmoid(reward) - (1 - p) * _log_sigmoid(-reward) for p in (0.9, target)]
    assert sure == pytest.approx(expected)


def _log_sigmoid(x):
    return -math.log1p(math.exp(-x))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"training__loss": {"kind": "dpo"}, **PEOPLE},
            "'dpo' takes no noise; .*cdpo.*mmpo.*robust",
        ),
        ({"training__loss": {"kind": "robust"}}, "annotate.budget, or who answers is missing"),
        (
            {
                "training__loss": {"kind": "robust"},
                **PEOPLE,
                "annotate__queue": {"random": 0.0},
            },
            "annotate.queue.random is missing",
        ),
    ],
)
def test_where_no_estimate_can_be_made_it_is_refused_by_name(settings, message):
    with pytest.raises(ConfigError, match=message):
        small_config(training__noise_rate="estimated", **settings)


def test_it_is_taken_where_people_answer_a_random_share():
    made = small_config(training__noise_rate="estimated", training__loss={"kind": "cdpo"}, **PEOPLE)
    assert made.training.noise_rate == "estimated"


def test_an_estimate_that_could_not_be_made_stops_the_training_with_the_reason():
    assert estimate_of([figure(0.12345)]) == 0.1235
    with pytest.raises(DataError, match="no estimate can be made in this round: only 4 prompts"):
        estimate_of([figure(None, "only 4 prompts")])
    with pytest.raises(DataError, match="55% of the judges' labels are wrong by 40 answers"):
        estimate_of([figure(0.55)])
