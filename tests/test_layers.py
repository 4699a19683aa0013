"""Settings laid over settings."""

import pytest

from tasks.errors import ConfigError
from tasks.layers import with_overrides

MATRIX = {"matrix": {"policy": {"share": 1}, "human": {"share": 1}, "other": {"share": 1}}}


def names(overrides):
    return sorted(with_overrides(MATRIX, overrides)["matrix"])


def test_an_exclamation_mark_stands_for_all_but_those_named():
    assert names({"matrix.!policy": None}) == ["policy"]
    assert names({"matrix.!policy!human": None}) == ["human", "policy"]
    assert names({"matrix.!": None}) == []
    halved = with_overrides(MATRIX, {"matrix.!policy.share": 0.5})["matrix"]
    assert [halved[name]["share"] for name in ("policy", "human", "other")] == [1, 0.5, 0.5]


def test_keys_apply_in_their_order():
    found = with_overrides(MATRIX, {"matrix.!policy": None, "matrix.late.share": 2})["matrix"]
    assert found == {"policy": {"share": 1}, "late": {"share": 2}}
    assert MATRIX["matrix"].keys() == {"policy", "human", "other"}, "what was given stays"


def test_a_value_is_no_section():
    with pytest.raises(ConfigError, match=r"'matrix.!policy.share.x': 'share' is a value"):
        with_overrides(MATRIX, {"matrix.!policy.share.x": 1})
