"""The soak of benchmarks/soak/trainer_kills.py, with fewer kills of a shorter training."""

import pytest

from benchmarks.soak.trainer_kills import soak

pytestmark = pytest.mark.slow


def test_a_trainer_killed_three_times_ends_bit_equal_to_an_undisturbed_one(tmp_path):
    metrics = soak(tmp_path, kills=3, seed=0, steps=60)
    assert metrics["missed"] == 0 and metrics["starts"] == 4
    assert metrics["equal_weights"] and metrics["equal_metrics"]
