import math

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.statistics import (
    PairedValues,
    bootstrap_means,
    holm,
    holm_adjusted,
    mean_of,
    minimum_detectable,
    paired_bootstrap,
    prompts_needed,
)


def test_the_mean_has_the_textbook_standard_error():
    mean = mean_of([1.0, 2.0, 3.0, 4.0])
    assert (mean.value, mean.n) == (2.5, 4)
    # Sample variance 5/3 over 4 values.
    assert mean.standard_error == pytest.approx(math.sqrt(5 / 3 / 4))


def test_one_value_has_no_standard_error_and_none_has_no_mean():
    assert mean_of([7.0]).standard_error is None
    with pytest.raises(DataError, match="no mean of no values"):
        mean_of([])


def test_the_bootstrap_agrees_with_the_normal_interval():
    values = np.random.default_rng(0).normal(0.3, 1.0, 400)
    interval = paired_bootstrap(values, np.zeros(400), seed=1, resamples=8000)
    error = values.std(ddof=1) / 20
    assert interval.estimate == pytest.approx(values.mean())
    assert interval.standard_error == pytest.approx(error, rel=0.04)
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.01)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.01)


def test_pairing_removes_what_the_prompts_share():
    shared = np.random.default_rng(0).normal(0, 10, 50)
    interval = paired_bootstrap(shared + 0.5, shared, seed=0)
    assert (interval.low, interval.high) == (pytest.approx(0.5), pytest.approx(0.5))


def test_swapping_the_sides_turns_the_sign():
    a, b = [0.1, 0.9, 0.4], [0.3, 0.2, 0.2]
    there, back = paired_bootstrap(a, b, seed=5), paired_bootstrap(b, a, seed=5)
    assert (back.estimate, back.low) == pytest.approx((-there.estimate, -there.high))


def test_a_bootstrap_in_parts_has_the_asked_size(monkeypatch):
    monkeypatch.setattr("tasks.statistics._DRAWS_AT_ONCE", 30)
    means = bootstrap_means(np.arange(10.0), seed=0, resamples=100)
    assert means.shape == (100,)
    assert 0 < means.min() < 4.5 < means.max() < 9


def test_the_bootstrap_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(3)
    hits = 0
    for seed in range(300):
        values = generator.random(60) < 0.4
        interval = paired_bootstrap(values, np.zeros(60), seed=seed, resamples=500)
        hits += interval.low <= 0.4 <= interval.high
    assert 0.90 <= hits / 300 <= 0.98


def test_unequal_sides_are_refused():
    with pytest.raises(DataError, match="got 2 and 1"):
        paired_bootstrap([1.0, 2.0], [1.0], seed=0)


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ({"a": 0.01, "b": 0.04, "c": 0.03}, ["a"]),  # 0.01 <= 0.05/3, then 0.03 > 0.05/2
        ({"a": 0.01, "b": 0.04, "c": 0.02}, ["a", "c", "b"]),  # 0.02 <= 0.05/2, 0.04 <= 0.05
        ({"a": 0.02, "b": 0.02, "c": 0.02}, []),  # 0.02 > 0.05/3
        ({}, []),
    ],
)
def test_holm_steps_down(p_values, expected):
    assert holm(p_values, 0.05) == expected


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ({"a": 0.01, "b": 0.04, "c": 0.03}, {"a": 0.03, "b": 0.06, "c": 0.06}),  # 3, 2, 1 times
        ({"a": 0.01, "b": 0.04, "c": 0.02}, {"a": 0.03, "b": 0.04, "c": 0.04}),
        ({"a": 0.02, "b": 0.02, "c": 0.02}, {"a": 0.06, "b": 0.06, "c": 0.06}),
        ({"a": 0.7, "b": 0.9}, {"a": 1.0, "b": 1.0}),
        ({}, {}),
    ],
)
def test_holm_multiplies_by_how_many_are_left(p_values, adjusted):
    assert holm_adjusted(p_values) == pytest.approx(adjusted)


def test_few_different_values_are_drawn_by_their_counts_and_mean_the_same(monkeypatch):
    values = np.repeat([-1.0, 0.0, 1.0], [72, 409, 31])
    by_counts = bootstrap_means(values, seed=0, resamples=4000)
    monkeypatch.setattr("tasks.statistics._FEW_VALUES", 0)
    one_by_one = bootstrap_means(values, seed=0, resamples=4000)
    assert by_counts.mean() == pytest.approx(one_by_one.mean(), abs=0.002)
    assert by_counts.std() == pytest.approx(one_by_one.std(), rel=0.05)
    assert np.allclose(by_counts * 512, np.round(by_counts * 512))


def test_the_smallest_detectable_drop_is_the_textbook_formula():
    # (1.644854 + 0.841621) * 0.04, unless a drop is only one beyond 0.1.
    assert minimum_detectable(0.04, 0.03, level=0.05, power=0.8) == pytest.approx(0.09946, abs=1e-4)
    assert minimum_detectable(0.04, 0.1, level=0.05, power=0.8) == pytest.approx(0.13366, abs=1e-4)


def test_prompts_needed_is_the_textbook_formula():
    # (1.644854 + 0.841621)^2 * 0.5^2 / 0.1^2 = 154.6
    assert prompts_needed(0.5, 0.1, level=0.05, power=0.8) == 155


def test_only_prompts_on_both_sides_are_paired():
    values = PairedValues(policy={"p": 1.0, "q": 0.5}, reference={"q": 0.25, "r": 0.0})
    assert values.differences().tolist() == [0.25]
