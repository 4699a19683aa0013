"""The folder is the registry: `kind: dual_clip_dpo` means `tasks/losses/dual_clip_dpo.py`.

A variant module names its class as `VARIANT`: a frozen keyword-only dataclass that carries
`__pydantic_config__` (unknown settings are refused), `EXAMPLE` (settings that build one) and
`SEMANTICS` (raised when its output changes for equal settings, so finished work is not reused).
"""

import dataclasses
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

from tasks.errors import ConfigError

SHOWN_INPUT = 120
"""Characters of a refused value that an error repeats."""


class NotInKeyMark:
    """Marks a settings field that does not enter a stage's key."""


NotInKey = NotInKeyMark()


class InKeyIfSetMark:
    """Marks a settings field that enters a stage's key only where it is not as by default.

    For settings that came later: work that does not use them keeps its key.
    """


InKeyIfSet = InKeyIfSetMark()


@cache
def kinds(family: str) -> tuple[str, ...]:
    """Names a config may use for `family`, e.g. `tasks.losses`; private modules are skipped."""
    path = import_module(family).__path__
    names = (module.name for module in pkgutil.iter_modules(path))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def variant_class(family: str, kind: str) -> Any:
    """The class behind `kind`; ConfigError lists the kinds there are."""
    if kind not in kinds(family):
        known = ", ".join(kinds(family))
        raise ConfigError(
            f"{family} has no kind {kind!r}; available: {known}. "
            f"To add one, write {family.replace('.', '/')}/{kind}.py (see CONTRIBUTING.md)"
        )
    return import_module(f"{family}.{kind}").VARIANT


def load_variant(family: str, /, kind: str, **settings: Any) -> Any:
    """The variant `kind` of `family` built from `settings`; ConfigError names what is wrong."""
    return built(family, kind, settings)


def built(family: str, kind: str, settings: Mapping[str, Any]) -> Any:
    """As `load_variant`, for settings that a user wrote and whose names may be anything."""
    variant = variant_class(family, kind)
    try:
        return _adapter(variant).validate_python(dict(settings))
    except ValidationError as error:
        known = ", ".join(field.name for field in dataclasses.fields(variant)) or "no settings"
        raise ConfigError(
            f"{family} {kind!r}: {first_problem(error)}; it takes: {known}"
        ) from error


@cache
def _adapter(variant: type) -> TypeAdapter[Any]:
    """Building one takes milliseconds, and a pool of prompts loads a check for every row."""
    return TypeAdapter(variant)


def first_problem(error: ValidationError) -> str:
    """The first thing pydantic found wrong, in words."""
    return problem_text(error.errors(include_url=False)[0])


SECRETS = ("secret", "password", "session_token", "access_key")
"""Parts of the names of settings that nobody should write into a preset, and some do."""
ALTERNATIVES = ("constrained-", "tuple[")
"""How pydantic names which of several allowed types it tried: no part of a setting's name."""


def problem_text(problem: ErrorDetails) -> str:
    """One thing that pydantic found wrong, as `path: message (got value)`.

    Our own messages name the value themselves.
    """
    named = (str(part) for part in problem["loc"])
    path = ".".join(part for part in named if not part.startswith(ALTERNATIVES))
    if problem["type"] == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
        return f"{path}: {message}" if path else message
    return f"{path or 'settings'}: {problem['msg']} (got {_shown(path, problem['input'])})"


def _shown(path: str, value: Any) -> str:
    """A value for people; one that may be a secret in the wrong place is not repeated."""
    if any(word in path.rpartition(".")[2].lower() for word in SECRETS):
        return "a value that is not shown"
    got = repr(value)
    return got if len(got) <= SHOWN_INPUT else f"{got[:SHOWN_INPUT]}…"


def kind_of(variant: Any) -> str:
    """What a config calls `variant`: the name of the file its class lives in."""
    return type(variant).__module__.rpartition(".")[2]


def settings_of(value: Any) -> Any:
    """`value` as plain data for stage keys: variants gain their `kind` and `semantics`.

    Fields annotated `NotInKey` are left out, and `InKeyIfSet` where they are as by default.
    """
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        names = [name for name, field in fields.items() if NotInKey not in field.metadata]
        return {name: settings_of(getattr(value, name)) for name in names}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        settings = {
            field.name: settings_of(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if _in_key(field, getattr(value, field.name))
        }
        if not hasattr(value, "SEMANTICS"):
            return settings
        return {"kind": kind_of(value), "semantics": value.SEMANTICS, **settings}
    if isinstance(value, Mapping):
        return {str(key): settings_of(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [settings_of(item) for item in value]
    return value


def _in_key(field: "dataclasses.Field[Any]", value: Any) -> bool:
    """Whether a field of a dataclass enters keys."""
    marks = getattr(field.type, "__metadata__", ())
    return NotInKey not in marks and not (InKeyIfSet in marks and value == field.default)


def plain(variant: Any) -> dict[str, Any]:
    """`variant` the way a config file writes it: {kind, setting: value, ...}."""
    settings = {
        field.name: _plain_value(getattr(variant, field.name))
        for field in dataclasses.fields(variant)
    }
    return {"kind": kind_of(variant), **settings} if hasattr(variant, "SEMANTICS") else settings


def _plain_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return plain(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: _plain_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_value(item) for item in value]
    return value


def family_schema(family: str) -> dict[str, Any]:
    """JSON schema of any variant of `family`: one branch per kind."""
    branches = []
    for kind in kinds(family):
        schema = _schema(variant_class(family, kind))
        schema["properties"] = {"kind": {"const": kind}} | schema.get("properties", {})
        schema["required"] = ["kind", *schema.get("required", [])]
        branches.append(schema)
    return {"anyOf": branches}


def _schema(variant: type) -> dict[str, Any]:
    """JSON schema of one class; pydantic overlooks the docstrings of fields that it inherits."""
    schema = _adapter(variant).json_schema()
    for base in variant.__mro__[1:]:
        if dataclasses.is_dataclass(base):
            for name, inherited in _adapter(base).json_schema().get("properties", {}).items():
                described = {key: inherited[key] for key in ("description",) if key in inherited}
                schema["properties"][name] = described | schema["properties"][name]
    return schema


def chosen_from(family: str) -> Any:
    """Annotation for a config field that holds one variant of `family`, written flat."""

    def build(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if "kind" not in value:
            known = ", ".join(kinds(family))
            raise ConfigError(f"{family}: `kind` is missing; available: {known}")
        settings = {key: item for key, item in value.items() if key != "kind"}
        return built(family, str(value["kind"]), settings)

    return (
        BeforeValidator(build),
        PlainSerializer(plain),
        WithJsonSchema({"type": "object", "x-family": family}),
    )
