from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.stages import StageKey
from tasks.errors import DataError
from tasks.variants import NotInKey, settings_of

names = st.text("abcxyz_", min_size=1, max_size=4)
plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
keys = st.builds(
    StageKey,
    verb=names,
    settings=plain_values,
    inputs=st.dictionaries(names, names, max_size=3),
    seeds=st.dictionaries(names, st.integers(0, 2**63), max_size=3),
    fingerprints=st.dictionaries(names, names, max_size=3),
    semantics=st.dictionaries(names, st.integers(1, 9), max_size=3),
)


def reversed_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reversed_order(value[name]) for name in reversed(list(value))}
    return [reversed_order(item) for item in value] if isinstance(value, list) else value


@given(keys)
def test_equal_keys_have_one_digest_whatever_the_order_of_their_mappings(key):
    fields = {name: reversed_order(getattr(key, name)) for name in key.__dataclass_fields__}
    assert StageKey(**fields).digest == key.digest


@given(keys, names, names)
def test_a_change_of_any_field_changes_the_digest(key, name, value):
    changed = [
        replace(key, verb=key.verb + "x"),
        replace(key, settings={"was": key.settings}),
        replace(key, inputs={**key.inputs, name: key.inputs.get(name, "") + value}),
        replace(key, seeds={**key.seeds, name: key.seeds.get(name, -1) + 1}),
        replace(key, fingerprints={**key.fingerprints, name + "_new": value}),
        replace(key, semantics={**key.semantics, name: key.semantics.get(name, 0) + 1}),
    ]
    digests = {key.digest, *(other.digest for other in changed)}
    assert len(digests) == 7


def test_equal_values_under_another_role_are_another_key():
    one = StageKey(verb="pair", settings={}, inputs={"a": "1"})
    other = StageKey(verb="pair", settings={}, fingerprints={"a": "1"})
    assert one.digest != other.digest


@dataclass(frozen=True, kw_only=True)
class Settings:
    limit: int
    workers: Annotated[int, NotInKey] = 1


@given(st.integers(), st.integers(), st.integers(), st.integers())
def test_only_fields_that_count_enter_the_key(limit, other_limit, workers, other_workers):
    def digest(limit, workers):
        settings = settings_of(Settings(limit=limit, workers=workers))
        return StageKey(verb="pair", settings=settings).digest

    assert digest(limit, workers) == digest(limit, other_workers)
    assert (digest(limit, workers) == digest(other_limit, workers)) == (limit == other_limit)


def test_an_integer_and_a_number_of_equal_value_differ():
    assert (
        StageKey(verb="pair", settings={"x": 1}).digest
        != StageKey(verb="pair", settings={"x": 1.0}).digest
    )


@pytest.mark.parametrize("settings", [{"x": float("nan")}, {"x": object()}, {1, 2}])
def test_settings_that_are_no_plain_data_are_refused(settings):
    with pytest.raises(DataError, match="pair stage hold something that is no plain data"):
        _ = StageKey(verb="pair", settings=settings).digest
