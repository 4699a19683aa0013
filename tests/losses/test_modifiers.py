"""Label smoothing, length desensitising and sums: what they do to whatever they hold."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_batches import drawn_batch, gradients, rewards_batch
from loss_cases import CASES, loss_of, name_of

from tasks.training.loss_batch import LossBatch, Side

REWARDS = st.floats(-50, 50)
PAIRS = [case for case in CASES if loss_of(**case).EXAMPLES_KIND == "pair"]
HARD = [case for case in PAIRS if not loss_of(**case).REQUIRES]


@pytest.mark.parametrize("case", HARD, ids=name_of)
def test_smoothing_without_noise_changes_nothing(case):
    inner, outer = loss_of(**case), loss_of("label_smoothing", loss=case, noise=0.0)
    batch = drawn_batch(inner)
    assert torch.equal(inner(batch).loss, outer(batch).loss)


@pytest.mark.parametrize("case", PAIRS, ids=name_of)
def test_full_weight_of_the_tail_changes_nothing(case):
    inner, outer = loss_of(**case), loss_of("length_desensitised", loss=case, alpha=1.0)
    batch = drawn_batch(inner)
    assert torch.equal(inner(batch).loss, outer(batch).loss)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_sum_of_one_loss_is_that_loss(case):
    inner, outer = loss_of(**case), loss_of("weighted_sum", terms={"it": {"loss": case}})
    batch = drawn_batch(inner)
    assert torch.equal(inner(batch).loss, outer(batch).loss)
    assert outer(batch).metrics.keys() == {*inner(batch).metrics, "loss_it"}


@given(REWARDS, REWARDS, st.floats(0, 0.49))
def test_smoothed_dpo_is_conservative_dpo(chosen, rejected, noise):
    batch = rewards_batch([(chosen, rejected)])
    smoothed = loss_of("label_smoothing", loss={"kind": "dpo"}, noise=noise)(batch).loss
    assert smoothed.tolist() == pytest.approx(loss_of("cdpo", noise=noise)(batch).loss.tolist())


@given(REWARDS, REWARDS)
def test_smoothing_imitates_the_chosen_response_alone(chosen, rejected):
    """The likelihood term of half-smoothed DPO moves chosen by its weight, rejected not at all."""
    noise, mixed = 0.4, {"kind": "dpo", "sft_weight": 0.3}
    plain, with_term = (
        gradients(
            loss_of("label_smoothing", loss=inner, noise=noise),
            rewards_batch([(chosen, rejected)]),
        )
        for inner in ({"kind": "dpo"}, mixed)
    )
    assert with_term[1][0] - plain[1][0] == pytest.approx(-0.3)
    assert with_term[2] == plain[2]


def uneven_pair():
    """Chosen has 4 tokens of +1 nat against the reference, rejected 2 of -1."""

    def side(logps, length):
        mask = (torch.arange(4) < length).double()[None]
        return Side(logps=logps * mask, mask=mask, reference=torch.zeros(1, 1, 4).double())

    return LossBatch(chosen=side(1.0, 4), rejected=side(-1.0, 2))


def test_tokens_beyond_the_shorter_response_weigh_alpha_and_lengths_stay():
    def margin(alpha, **settings):
        inner = {"kind": "dpo", "beta": 1.0, **settings}
        loss = loss_of("length_desensitised", loss=inner, alpha=alpha)
        return loss(uneven_pair()).metrics["margin"].item()

    assert margin(1.0) == 4 + 2
    assert margin(0.5) == (2 + 0.5 * 2) + 2
    assert margin(0.0) == 2 + 2
    assert margin(0.5, length_normalised=True) == pytest.approx(3 / 4 + 1)


def test_likelihood_terms_are_not_desensitised():
    inner = {"kind": "weighted_sum", "terms": {"it": {"loss": {"kind": "sft"}}}}
    pairs = {"kind": "weighted_sum", "terms": {**inner["terms"], "p": {"loss": {"kind": "dpo"}}}}
    loss = loss_of("length_desensitised", loss=pairs, alpha=0.0)
    assert loss(uneven_pair()).metrics["loss_it"].tolist() == [-1.0]


def test_a_sum_weighs_its_terms_and_reports_each():
    terms = {"first": {"loss": {"kind": "dpo"}}, "sft": {"loss": {"kind": "sft"}, "weight": 0.2}}
    batch = rewards_batch([(0.5, -0.5), (1.0, 2.0)])
    result = loss_of("weighted_sum", terms=terms)(batch)
    dpo, sft = loss_of("dpo")(batch).loss, loss_of("sft")(batch).loss
    assert result.loss.tolist() == pytest.approx((dpo + 0.2 * sft).tolist())
    assert torch.equal(result.metrics["loss_first"], dpo)
    assert torch.equal(result.metrics["loss_sft"], sft)


def test_a_sum_of_losses_on_single_responses_trains_on_single_responses():
    one = {"loss": {"kind": "sft"}}
    assert loss_of("weighted_sum", terms={"a": one}).EXAMPLES_KIND == "response_only"
    both = loss_of("weighted_sum", terms={"a": one, "b": {"loss": {"kind": "mmpo"}}})
    assert (both.EXAMPLES_KIND, both.REQUIRES) == ("pair", ("p_chosen",))


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_no_form_of_the_dual_clip_rewards_the_wrong_direction(chosen, rejected):
    """Apart from the penalty, which may hold up a rejected response that sinks too far."""
    for form in ("saturating", "box", "ratio"):
        batch = rewards_batch([(chosen, rejected)])
        _, [to_chosen], [to_rejected] = gradients(loss_of("dual_clip_dpo", form=form), batch)
        assert to_chosen <= 0 <= to_rejected


@given(st.lists(st.floats(-40, -1), min_size=2, max_size=5))
def test_the_harmonic_mean_is_near_the_lowest_reference_and_below_the_geometric(references):
    """Within log K of the lowest for equal weights; all refer to one virtual reference."""
    totals = torch.tensor(references, dtype=torch.float64)[:, None]
    weights = torch.full_like(totals, 1 / len(references))
    means = {
        mean: loss_of("mrpo", mean=mean)._virtual(totals, weights).item()
        for mean in ("harmonic", "geometric")
    }
    lowest = min(references)
    assert lowest - 1e-9 <= means["harmonic"] <= means["geometric"] + 1e-9
    assert means["harmonic"] <= lowest + torch.tensor(float(len(references))).log().item() + 1e-6
