"""A learning rate that falls from round to round."""

import pytest

from tasks.errors import ConfigError
from tasks.variants import settings_of
from tests.small_config import small_config


def rates(shares, rounds=4):
    training = small_config(training__learning_rate_shares=shares).training
    return [training.in_round(index).learning_rate for index in range(rounds)]


def test_each_round_takes_its_share_and_the_last_share_goes_on():
    assert rates([1.0, 0.6, 0.2]) == pytest.approx([1e-3, 6e-4, 2e-4, 2e-4])
    assert rates([]) == [1e-3] * 4


def test_shares_enter_keys_by_the_rate_of_the_round_alone():
    plain, falling = (
        small_config(training__learning_rate_shares=shares).training for shares in ([], [1.0, 0.5])
    )
    assert settings_of(plain.in_round(0)) == settings_of(falling.in_round(0))
    assert settings_of(plain.in_round(1)) != settings_of(falling.in_round(1))


def test_a_share_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="learning_rate_shares"):
        small_config(training__learning_rate_shares=[1.0, 0.0])
