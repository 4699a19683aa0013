"""Which of a prompt's checks a text meets: what the rule judge and the pass rate are made of."""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from tasks.prompts import load_check
from tasks.records import Prompt

Check = Callable[[str], bool]
KNOWN_CHECKS = 65_536
"""Checks that are kept in memory; each prompt may have some of its own."""


class CheckResult(NamedTuple):
    """One check of one text."""

    kind: str
    met: bool


def check_results(prompt: Prompt, text: str) -> list[CheckResult]:
    """The result of every check of `prompt`, in its order."""
    return [CheckResult(kind_of_check(check), _load(check)(text)) for check in prompt.checks]


def checks_of(prompt: Prompt) -> list[Check]:
    """The checks of `prompt` themselves, in its order."""
    return [_load(check) for check in prompt.checks]


@lru_cache(maxsize=KNOWN_CHECKS)
def kind_of_check(check: str) -> str:
    """The `kind` in the JSON of a check."""
    return str(json.loads(check)["kind"])


@lru_cache(maxsize=KNOWN_CHECKS)
def _load(check: str) -> Check:
    loaded: Check = load_check(check)
    return loaded
