"""The forms in which a judge may answer, and how each is read: exactly, or not at all."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Structured = Literal["none", "json_schema", "choice"]
Value = str | int

REASONS = "reasons"
"""Key of the reasons in an answer that is a JSON object."""


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """One value of a list: on the last line as `Name: value`, in a JSON object, or alone."""

    name: str
    """What the value is called, e.g. verdict."""
    values: Sequence[Value]
    """What it may be."""
    any_case: Sequence[Value] = ()
    """Values that may be written in capitals or not."""

    def request(self, structured: Structured) -> dict[str, Any]:
        """Settings of the API with which the server holds the reply to the form."""
        if structured == "choice":
            return {"structured_outputs": {"choice": list(map(str, self.values))}}
        return _schema(self.name, self._schema) if structured == "json_schema" else {}

    @property
    def _schema(self) -> dict[str, Any]:
        kind = "integer" if isinstance(self.values[0], int) else "string"
        return {self.name: {"type": kind, "enum": list(self.values)}}

    def read(self, reply: str, structured: Structured) -> Value | None:
        """The value in `reply`; None unless it has the agreed form and nothing else."""
        if structured == "json_schema":
            return _one(_object(reply, (self.name,)).get(self.name), self.values)
        if structured == "choice":
            return self._named(reply.strip())
        return self._on_last_line(reply)

    def _on_last_line(self, reply: str) -> Value | None:
        """From the one line that names it, which must be the last."""
        lines = _lines(reply)
        named = [line for line in lines if _named_line(self.name).match(line)]
        said = _value_of(self.name, lines[-1]) if len(named) == 1 else None
        return None if said is None else self._named(said)

    def _named(self, said: str) -> Value | None:
        loose = {str(value).lower(): value for value in self.any_case}
        exact = {str(value): value for value in self.values}
        return exact.get(said, loose.get(said.lower() if said.isascii() else said))


@dataclass(frozen=True, kw_only=True)
class EachOf:
    """A value for each of several names: on the last lines, one each, or in a JSON object."""

    names: Sequence[str]
    """What needs a value."""
    values: Sequence[int]
    """What each may be."""

    def request(self, structured: Structured) -> dict[str, Any]:
        """As for `OneOf`."""
        value = {"type": "integer", "enum": list(self.values)}
        scores = _closed(dict.fromkeys(self.names, value))
        return _schema("scores", {"scores": scores}) if structured == "json_schema" else {}

    def read(self, reply: str, structured: Structured) -> dict[str, int] | None:
        """The values by name; None unless every name has exactly one, in the agreed form."""
        if structured == "json_schema":
            said = _object(reply, ("scores",)).get("scores")
            found = said if isinstance(said, dict) else {}
        else:
            found = self._on_last_lines(reply)
        if set(found) != set(self.names):
            return None
        values = {name: _one(found[name], self.values) for name in self.names}
        whole = {name: value for name, value in values.items() if isinstance(value, int)}
        return whole if len(whole) == len(self.names) else None

    def _on_last_lines(self, reply: str) -> dict[str, Any]:
        lines = _lines(reply)
        last = lines[-len(self.names) :]
        known = {str(value): value for value in self.values}
        named = [
            (name, place)
            for place, line in enumerate(lines)
            for name in self.names
            if _named_line(name).match(line)
        ]
        if len(named) != len(self.names) or any(p < len(lines) - len(last) for _, p in named):
            return {}
        return {name: known.get(_value_of(name, lines[place]) or "") for name, place in named}


def _schema(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """A response_format: an object with reasons, then `properties`, and nothing else."""
    schema = _closed({REASONS: {"type": "string"}, **properties})
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": name, "strict": True, "schema": schema},
        }
    }


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _object(reply: str, names: Iterable[str]) -> dict[str, Any]:
    """The JSON object that `reply` is, with reasons and `names` and no other key; else empty."""
    try:
        said = json.loads(reply, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return {}
    wanted = {REASONS, *names}
    if not isinstance(said, dict) or set(said) != wanted or not isinstance(said[REASONS], str):
        return {}
    return said


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that says a thing twice may mean either."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _one(said: Any, values: Sequence[Value]) -> Value | None:
    """`said` if it is one of `values` and of its type: true is not 1, nor is 1.0."""
    return next((one for one in values if type(said) is type(one) and said == one), None)


def _lines(reply: str) -> list[str]:
    return [line.strip() for line in reply.splitlines() if line.strip()]


def _named_line(name: str) -> re.Pattern[str]:
    """A line that gives the value of `name`, in the agreed form or not."""
    return re.compile(rf"[\s*#>_-]*{re.escape(name)}\s*[*_]*\s*[:=]", re.IGNORECASE)


def _value_of(name: str, line: str) -> str | None:
    """What stands behind `Name:`, bold or not, with a full stop or not."""
    form = rf"(?i:\**{re.escape(name)}:\**)[^\S\n]*\**([^\s*.:]+)\**\.?\**"
    match = re.fullmatch(form, line, re.ASCII)  # a dotless i is no i
    return match and match[1]
