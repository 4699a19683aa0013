import numpy as np
import pytest

from tasks.statistics import PairedValues
from tasks.variants import load_variant

GATE = load_variant("tasks.gates", "unless_worse", delta=0.1)


def values(differences):
    names = [f"p{i}" for i in range(len(differences))]
    return PairedValues(
        policy=dict(zip(names, differences, strict=True)), reference=dict.fromkeys(names, 0.0)
    )


def spread(mean, n=200, deviation=0.2):
    """`n` differences with exactly this mean and standard deviation."""
    raw = np.tile([-1.0, 1.0], n // 2)
    return values(mean + deviation * raw * np.sqrt((n - 1) / n))


def test_a_clear_drop_is_refused_and_says_where():
    outcome = GATE({"safety": spread(-0.2), "win": spread(0.3)})
    assert (outcome.outcome, outcome.refreshes) == ("refused", False)
    assert outcome.reasons[0].startswith("safety fell by 0.200")
    assert "200 prompts); allowed is 0.1" in outcome.reasons[0]


def test_a_significant_drop_smaller_than_delta_is_allowed():
    assert GATE({"win": spread(-0.09)}).outcome == "promoted"


def test_a_large_drop_that_may_be_chance_is_not_refused():
    noisy = spread(-0.15, n=30, deviation=1.0)
    outcome = GATE({"win": noisy})
    assert (outcome.outcome, outcome.refreshes) == ("inconclusive", True)
    # (1.6449 + 0.8416)^2 * 1^2 / 0.1^2 = 618.3
    assert outcome.n_needed == {"win": 619}
    assert "win has 30 prompts" in outcome.reasons[0]


def test_no_change_is_promoted():
    assert GATE({"win": spread(0.0), "format": values([0.0] * 50)}).outcome == "promoted"


@pytest.mark.parametrize("few", [[], [-1.0], [-1.0] * 19])
def test_a_handful_of_prompts_cannot_refuse(few):
    outcome = GATE({"win": values(few)})
    assert (outcome.outcome, outcome.n_needed) == ("inconclusive", {"win": 20})


def test_a_drop_on_every_one_of_enough_prompts_is_refused():
    assert GATE({"win": values([-1.0] * 20)}).outcome == "refused"


def test_a_drop_is_found_among_many_slices():
    slices = {f"tag{i}": spread(0.0) for i in range(150)}
    assert GATE({**slices, "safety": spread(-0.3)}).outcome == "refused"


def test_holm_keeps_false_refusals_rare_over_many_slices():
    """Ten slices without a change, each alone wrong in 5 of 100 rounds."""
    generator = np.random.default_rng(0)
    gate = load_variant("tasks.gates", "unless_worse", delta=0.001, resamples=500)
    refused = 0
    for _ in range(100):
        slices = {f"s{i}": values(generator.normal(0, 0.3, 40).tolist()) for i in range(10)}
        refused += gate(slices).outcome == "refused"
    assert refused <= 13


def test_equal_input_gives_an_equal_outcome_in_any_order():
    slices = {"b": spread(-0.2, deviation=0.9), "a": spread(-0.11)}
    assert GATE(slices) == GATE(dict(reversed(slices.items())))


def test_nothing_measured_has_nothing_to_refuse():
    assert GATE({}).outcome == "promoted"


def test_every_round_promotes_what_is_worse():
    assert load_variant("tasks.gates", "every_round")({"win": spread(-0.9)}).outcome == "promoted"


def test_every_slice_says_how_far_how_sure_and_what_it_could_see():
    seen = GATE({"win": spread(-0.02), "safety": spread(0.2), "few": values([0.5])}).slices
    win = seen["win"]
    assert (win.n, win.estimate) == (200, pytest.approx(-0.02))
    # The standard error is 0.2 / sqrt(200) = 0.01414.
    assert (win.low, win.high) == pytest.approx((-0.02 - 0.0277, -0.02 + 0.0277), abs=0.002)
    # One-sided at 0.05 / 2: 1.96 errors are below delta, so 0.1 and 0.8416 errors.
    assert win.minimum_detectable == pytest.approx(0.1 + 0.8416 * 0.01414, abs=1e-3)
    assert seen["safety"].p_better < 0.05 < seen["safety"].p_worse
    assert (seen["few"].estimate, seen["few"].low, seen["few"].p_worse) == (0.5, None, None)


def test_p_values_are_adjusted_for_how_many_slices_are_tested():
    alone = GATE({"a": spread(-0.03)}).slices["a"].p_worse
    among = GATE({"a": spread(-0.03), **{name: spread(0.3) for name in "bcd"}}).slices["a"].p_worse
    assert among == pytest.approx(4 * alone)


def test_what_a_small_slice_would_show_is_said():
    reason = GATE({"win": spread(0.0, n=30, deviation=1.0)}).reasons[0]
    # 1.6449 + 0.8416 errors of 1 / sqrt(30).
    assert reason.endswith("what it would show is a drop of 0.454")


BETTER = load_variant("tasks.gates", "if_better", on=["win*"], delta=0.1)


def test_a_proven_gain_promotes_and_says_how_large():
    outcome = BETTER({"win": spread(0.2), "safety": spread(0.0)})
    assert outcome.outcome == "promoted"
    assert outcome.reasons[0].startswith("win changed by +0.200 (+0.17")


@pytest.mark.parametrize("slices", [{"win": spread(0.01)}, {"safety": spread(0.5)}, {}])
def test_without_a_proven_gain_where_it_counts_the_reference_stays(slices):
    assert BETTER(slices).outcome == "refused"


def test_a_gain_does_not_pay_for_a_drop_elsewhere():
    outcome = BETTER({"win": spread(0.5), "safety": spread(-0.2)})
    assert outcome.outcome == "refused"
    assert outcome.reasons == [outcome.reasons[0]]
    assert outcome.reasons[0].startswith("safety fell by 0.200")
