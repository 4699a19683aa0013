"""Settings laid over settings: dotted keys replaced in plain data."""

from collections.abc import Mapping
from typing import Any

from tasks.errors import ConfigError

BUT = "!"
"""Begins a name that stands for all others: `matrix.!policy` is every cell but `policy`."""


def with_overrides(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`data` with dotted keys replaced, e.g. {"judges.main.noise": 0.1}; None removes a key.

    A name that begins with `!` stands for all entries but those it names: `matrix.!policy!human`.
    """
    result: dict[str, Any] = _copied(data)
    for dotted, value in overrides.items():
        *path, last = dotted.split(".")
        for place in _places(result, path, dotted):
            for name in _meant(place, last):
                if value is None:
                    place.pop(name, None)
                else:
                    place[name] = value
    return result


def _places(data: dict[str, Any], path: list[str], dotted: str) -> list[dict[str, Any]]:
    """The sections that `path` leads to; those that are not there yet are made."""
    places = [data]
    for name in path:
        inner = [one.setdefault(each, {}) for one in places for each in _meant(one, name)]
        if not all(isinstance(one, dict) for one in inner):
            raise ConfigError(f"override {dotted!r}: {name!r} is a value, not a section")
        places = inner
    return places


def _meant(place: Mapping[str, Any], name: str) -> list[str]:
    """The names in `place` that `name` stands for."""
    if not name.startswith(BUT):
        return [name]
    spared = name.split(BUT)[1:]
    return [each for each in place if each not in spared]


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return value
