import math

import pytest
import torch
from loss_batches import gradients, one_token_batch, rewards_batch

from tasks.errors import ConfigError
from tasks.variants import load_variant


def dual_clip(**settings):
    return load_variant("tasks.losses", "dual_clip_dpo", **settings)


WORKED = [
    ((0.1, -0.1), 0.598138869, -0.450166003, 0.450166003),
    ((0.5, -3.0), 0.078889734, -0.075858180, 0.0),
    ((3.0, -0.5), 0.078889734, 0.0, 0.075858180),
    ((3.0, -3.0), 0.018149928, 0.0, 0.0),
    ((-1.0, -4.0), 0.313261688, -0.268941421, 0.0),
    ((-3.0, -3.0), 1.313261688, -0.731058579, 0.0),
]


@pytest.mark.parametrize(("rewards", "loss", "to_chosen", "to_rejected"), WORKED)
def test_worked_numbers(rewards, loss, to_chosen, to_rejected):
    losses, chosen, rejected = gradients(dual_clip(beta=1.0), rewards_batch([rewards]))
    assert losses == pytest.approx([loss], abs=1e-9)
    assert chosen == pytest.approx([to_chosen], abs=1e-9)
    assert rejected == pytest.approx([to_rejected], abs=1e-9)


def test_a_box_gives_a_sunken_chosen_response_no_way_back():
    losses, chosen, rejected = gradients(
        dual_clip(beta=1.0, form="box"), rewards_batch([(-3.0, -3.0)])
    )
    assert losses == pytest.approx([0.693147181], abs=1e-9)
    assert (chosen, rejected) == ([0.0], [0.0])


def test_the_penalty_is_added_to_dpo():
    losses, chosen, rejected = gradients(
        dual_clip(beta=1.0, form="penalty"), rewards_batch([(-1.0, -4.0)])
    )
    assert losses == pytest.approx([3.048587352], abs=1e-9)
    assert chosen == pytest.approx([-0.047425873 - 1], abs=1e-9)
    assert rejected == pytest.approx([0.047425873 - 1], abs=1e-9)


def test_ratios_per_token_count_up_to_their_bounds():
    losses, chosen, rejected = gradients(
        dual_clip(form="ratio", ratio_bounds=(1.2, 0.8, 3.0)),
        rewards_batch([(math.log(1.1), math.log(0.9)), (math.log(1.5), math.log(0.5))]),
    )
    assert losses == pytest.approx([0.9 - 1.1, 0.8 - 1.2])
    assert chosen == pytest.approx([-1.1, 0.0]) and rejected == pytest.approx([0.9, 0.0])


def test_bounds_may_be_given_in_nats():
    nats = dual_clip(beta=0.5, chosen_ceiling=4.0, rejected_floor=-4.0, bounds_in="log_ratio")
    batch = rewards_batch([(9.0, -9.0)], beta=0.5)
    assert nats(batch).loss.tolist() == dual_clip(beta=0.5)(batch).loss.tolist()


def test_the_worked_example_equals_dpo():
    batch = one_token_batch([-12.0], [-15.0], [-13.0], [-14.0])
    assert dual_clip(beta=0.1)(batch).loss.tolist() == pytest.approx([0.598138869], abs=1e-9)


def test_equals_dpo_bit_for_bit_inside_the_clips():
    inside = [(1.99, -1.99), (-5.0, 3.0), (0.3, 0.7)]
    ours = gradients(dual_clip(beta=0.1), rewards_batch(inside, beta=0.1))
    dpo = load_variant("tasks.losses", "dpo", beta=0.1)
    assert ours == gradients(dpo, rewards_batch(inside, beta=0.1))


def test_equals_dpo_bit_for_bit_without_bounds():
    far = [(50.0, -70.0), (-3.0, -9.0), (4.0, 5.0)]
    loss = dual_clip(beta=0.1, chosen_ceiling=None, rejected_floor=None)
    ours = gradients(loss, rewards_batch(far, beta=0.1))
    dpo = load_variant("tasks.losses", "dpo", beta=0.1)
    assert ours == gradients(dpo, rewards_batch(far, beta=0.1))


def test_the_loss_never_falls_below_the_one_at_both_bounds():
    losses = dual_clip(beta=1.0)(rewards_batch([(9.0, -9.0), (2.5, -40.0)])).loss
    assert losses.tolist() == pytest.approx([math.log(1 + math.exp(-4.0))] * 2)


@pytest.mark.parametrize("reward", [1.9, 1.999, 2.001, 2.1])
def test_gradients_around_the_ceiling_match_finite_differences(reward):
    def loss_at(value):
        return dual_clip(beta=1.0)(rewards_batch([(value, 0.0)])).loss.item()

    measured = (loss_at(reward + 1e-5) - loss_at(reward - 1e-5)) / 2e-5
    _, chosen, _ = gradients(dual_clip(beta=1.0), rewards_batch([(reward, 0.0)]))
    assert chosen == pytest.approx([measured], abs=1e-8)


def test_rewards_of_ten_thousand_give_finite_losses_and_gradients():
    losses, chosen, rejected = gradients(
        dual_clip(beta=1.0), rewards_batch([(-1e4, 1e4), (1e4, -1e4)])
    )
    assert losses[0] == 2e4
    assert all(math.isfinite(value) for value in losses + chosen + rejected)


def test_the_gradient_never_pushes_the_wrong_way():
    rewards = torch.empty(200, 2, dtype=torch.float64).uniform_(-6, 6).tolist()
    _, chosen, rejected = gradients(dual_clip(beta=1.0), rewards_batch(rewards))
    assert max(chosen) <= 0 <= min(rejected)


def test_clipped_shares_say_which_side_passed_its_bound():
    metrics = dual_clip(beta=1.0)(rewards_batch([(3, -3), (3, 0), (0, -3), (2, -2)])).metrics
    assert metrics["clipped_chosen"].tolist() == [1, 1, 0, 0]
    assert metrics["clipped_rejected"].tolist() == [1, 0, 1, 0]
    assert metrics["clipped_both"].tolist() == [1, 0, 0, 0]


def test_a_pair_that_costs_a_penalty_is_not_called_clipped():
    batch = rewards_batch([(3, -3)])
    _, _, rejected = gradients(dual_clip(beta=1.0, form="penalty"), batch)
    assert rejected[0] < 0  # far from no gradient: it is raised again
    assert "clipped_both" not in dual_clip(beta=1.0, form="penalty")(batch).metrics


def test_the_margin_reported_is_the_unclipped_one():
    assert dual_clip(beta=1.0)(rewards_batch([(3, -3)])).metrics["margin"].tolist() == [6.0]


@pytest.mark.parametrize(
    "settings",
    [
        {"beta": 0},
        {"chosen_ceiling": -1},
        {"rejected_floor": 1},
        {"beta": math.inf},
        {"form": "soft"},
        {"ratio_bounds": (0.9, 0.8, 3.0)},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        dual_clip(**settings)
