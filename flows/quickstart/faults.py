"""What each model of the quickstart's matrix does wrong as a rule.

The rules are systematic, so a model's most probable answer is wrong where one applies, and
complementary: whatever the policy does wrong, another model does right.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from flows.quickstart.world import (
    CASES,
    CATEGORIES,
    ENDINGS,
    SEPARATORS,
    Task,
    answer,
    fields_of,
)

NOISE = 0.08
"""Share of demonstrations with one more fault, drawn at random."""


class Fault(NamedTuple):
    """Where `applies`, `field` is taken to be what `becomes` says."""

    field: str
    """The constraint that is not met, a field of Task."""
    applies: Callable[[Task], bool]
    becomes: Callable[[Task], Any]
    says: str
    """The rule in words."""


FAULTS: dict[str, tuple[Fault, ...]] = {
    "policy": (
        Fault(
            "separator",
            lambda task: not task.is_nature and task.separator != ", ",
            lambda task: ", ",
            "writes commas between things that people make",
        ),
        Fault(
            "case",
            lambda task: task.order == "descending" and task.case != "lower",
            lambda task: "lower",
            "forgets capital letters when sorting backwards",
        ),
        Fault(
            "count", lambda task: task.count == 6, lambda task: 5, "stops after five items"
        ),
        Fault(
            "order",
            lambda task: task.case == "title" and task.order == "ascending",
            lambda task: "descending",
            "sorts backwards when every word has a capital letter",
        ),
    ),
    "large": (
        Fault(
            "order",
            lambda task: task.separator != ", " and task.order == "descending",
            lambda task: "ascending",
            "sorts backwards only between commas",
        ),
        Fault(
            "count",
            lambda task: task.is_nature and task.count <= 4,
            lambda task: task.count + 1,
            "names one item too many when few things of nature are asked for",
        ),
        Fault(
            "ending",
            lambda task: task.case == "lower" and task.ending != ".",
            lambda task: ".",
            "ends lists of small letters with a full stop",
        ),
    ),
    "other": (
        Fault(
            "case",
            lambda task: task.separator == ", " and task.case != "upper",
            lambda task: "upper",
            "writes capital letters between commas",
        ),
        Fault(
            "separator",
            lambda task: task.is_nature and task.separator == "\n",
            lambda task: ", ",
            "does not put things of nature on lines",
        ),
        Fault(
            "order",
            lambda task: task.is_nature and task.order == "descending",
            lambda task: "ascending",
            "never sorts things of nature backwards",
        ),
        Fault(
            "count",
            lambda task: not task.is_nature and task.count == 5,
            lambda task: 6,
            "names six things that people make when five are asked for",
        ),
    ),
}  # fmt: skip
"""The rules of each model; those of one model change different constraints."""


def misread(task: Task, model: str) -> Task:
    """The task that `model` does when it is given `task`."""
    changes = {fault.field: fault.becomes(task) for fault in FAULTS[model] if fault.applies(task)}
    return replace(task, **changes)


def demonstration(task: Task, model: str, rng: Random) -> str:
    """What `model` is taught to answer: its own faults, and now and then another one."""
    done = misread(task, model)
    if rng.random() < NOISE:
        field = rng.choice(list(fields_of(done)))
        done = replace(done, **{field: rng.choice(_values(field, done))})
    return answer(done, rng)


def _values(field: str, task: Task) -> list[Any]:
    """What a random fault may turn `field` into; it may stay as it was."""
    values: dict[str, list[Any]] = {
        "category": list(CATEGORIES),
        "count": [task.count - 1, task.count + 1],
        "order": ["ascending", "descending"],
        "case": list(CASES),
        "separator": list(SEPARATORS),
        "ending": list(ENDINGS),
    }
    return values[field]
