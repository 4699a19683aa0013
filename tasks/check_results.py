"""Which of a prompt's checks a text meets: what the rule judge and the pass rate are made of."""

import json
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, cast

from tasks.errors import DataError
from tasks.records import Prompt
from tasks.variants import load_variant


class CheckResult(NamedTuple):
    """One check of one text."""

    kind: str
    met: bool


def check_results(prompt: Prompt, text: str) -> list[CheckResult]:
    """The result of every check of `prompt`, in its order."""
    return [CheckResult(kind_of_check(check), _load(check)(text)) for check in prompt.checks]


@cache
def kind_of_check(check: str) -> str:
    """The `kind` in a check's JSON; DataError if there is none."""
    return str(_read(check)["kind"])


@cache
def _load(check: str) -> Callable[[str], bool]:
    settings = _read(check)
    return cast(Callable[[str], bool], load_variant("tasks.checks", **settings))


def _read(check: str) -> dict[str, str]:
    try:
        settings = json.loads(check)
    except json.JSONDecodeError as error:
        raise DataError(f"check {check!r} is not JSON; write it as {{kind, ...}}") from error
    if not isinstance(settings, dict) or "kind" not in settings:
        raise DataError(f"check {check!r} has no `kind`; write it as {{kind, ...}}")
    return settings
