"""Settings laid over settings: dotted keys replaced in plain data."""

from collections.abc import Mapping
from typing import Any

from tasks.errors import ConfigError


def with_overrides(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`data` with dotted keys replaced, e.g. {"judges.main.noise": 0.1}; None removes a key."""
    result: dict[str, Any] = _copied(data)
    for dotted, value in overrides.items():
        *path, last = dotted.split(".")
        place = result
        for name in path:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ConfigError(f"override {dotted!r}: {name!r} is a value, not a section")
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return result


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return value
