"""The quickstart's world: lists of words under constraints that anyone can check.

A task is one value for each of six constraints. Everything a user sees of it is data: prompts,
checks, demonstrations and human responses (written by `write.py`).
"""

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Literal

CATEGORIES = {
    "animals": "bear cat dog fox goat horse lion pig tiger wolf",
    "birds": "crow duck eagle finch hawk lark owl robin swan wren",
    "fruits": "apple cherry date fig grape lemon mango orange peach plum",
    "tools": "axe bolt clamp drill file hammer nail pliers rake saw",
    "clothes": "apron belt coat dress glove hat jacket scarf tie vest",
    "instruments": "banjo cello drum flute gong harp lute oboe piano viola",
}
"""Words by category; no word is in two."""

NATURE = ("animals", "birds", "fruits")
"""Half of the categories; some models treat them in another way than the rest."""

COUNTS = (3, 4, 5, 6)
ORDERS = ("any", "ascending", "descending")
CASES = ("lower", "upper", "title")
SEPARATORS = (", ", "; ", "\n")
ENDINGS = (".", "!", "?")

Split = Literal["train", "dev", "held_out", "sealed"]
SIZES: dict[Split, int] = {"train": 4096, "dev": 512, "held_out": 512, "sealed": 512}
"""Prompts of each split."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one prompt asks for, or what a faulty model takes it to ask for."""

    category: str
    """Key of CATEGORIES."""
    count: int
    """Items of the list."""
    order: str
    """any leaves it open."""
    case: str
    """lower, upper or title."""
    separator: str
    """What stands between two items."""
    ending: str
    """The mark after the last item."""

    @property
    def is_nature(self) -> bool:
        """Whether the category is one of NATURE."""
        return self.category in NATURE

    @property
    def combination(self) -> tuple[str, str, str, str]:
        """The values that are combined in another way in held-out and sealed prompts."""
        return self.order, self.case, self.separator, self.ending

    def checks(self) -> list[dict[str, Any]]:
        """The constraints as settings of `tasks/checks`."""
        checks: list[dict[str, Any]] = [
            {"kind": "number_of_items", "count": self.count},
            {"kind": "membership", "words": CATEGORIES[self.category].split()},
            {"kind": "case", "case": self.case},
            {"kind": "separator", "separator": self.separator},
            {"kind": "ending", "ending": self.ending},
        ]
        if self.order == "any":
            return checks
        return [*checks, {"kind": "order", "direction": self.order}]

    def tags(self) -> list[str]:
        """Slices that reports show."""
        return [self.category, f"{self.count} items"]


def combinations_of(split: str) -> list[tuple[str, str, str, str]]:
    """The combinations of order, case, separator and ending that prompts of `split` have.

    Held-out and sealed prompts have 9 of the 81 each, in which every two values of two
    constraints meet once (an orthogonal array); train and dev share the other 63.
    """
    values = itertools.product(ORDERS, CASES, SEPARATORS, ENDINGS)
    return [combination for combination in values if _group(combination) == _group_of(split)]


def _group(combination: tuple[str, str, str, str]) -> str:
    order, case, separator, ending = combination
    i, j, k, m = (
        ORDERS.index(order), CASES.index(case), SEPARATORS.index(separator), ENDINGS.index(ending)
    )  # fmt: skip
    sums = ((i + j + k) % 3, (i + 2 * j + m) % 3)
    return {(0, 0): "held_out", (1, 2): "sealed"}.get(sums, "train")


def _group_of(split: str) -> str:
    return split if split in ("held_out", "sealed") else "train"


def draw_tasks(split: str, rng: Random) -> Iterator[Task]:
    """Tasks of `split` without end."""
    combinations = combinations_of(split)
    categories = list(CATEGORIES)
    while True:
        order, case, separator, ending = rng.choice(combinations)
        yield Task(
            category=rng.choice(categories),
            count=rng.choice(COUNTS),
            order=order,
            case=case,
            separator=separator,
            ending=ending,
        )


def answer(task: Task, rng: Random) -> str:
    """A list that meets every constraint of `task`; where the order is open it is either one."""
    words = sorted(rng.sample(CATEGORIES[task.category].split(), task.count))
    descending = rng.random() < 0.5 if task.order == "any" else task.order == "descending"
    if descending:
        words.reverse()
    return task.separator.join(in_case(word, task.case) for word in words) + task.ending


def in_case(word: str, case: str) -> str:
    """`word` in lower, upper or title case."""
    return {"lower": word.lower(), "upper": word.upper(), "title": word.capitalize()}[case]


def fields_of(task: Task) -> dict[str, Any]:
    """The constraints by name."""
    return asdict(task)
