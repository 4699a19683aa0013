"""The world as rows of JSON Lines files: prompts, demonstrations and human responses."""

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any, NamedTuple

from flows.quickstart.faults import FAULTS, demonstration
from flows.quickstart.wording import request
from flows.quickstart.world import SIZES, Task, answer, draw_tasks

DEMONSTRATIONS = 12_288
"""Prompts that the models are taught with; none of them is a prompt of a split."""
HUMAN_SHARE = 0.1
"""Share of the train prompts that people answered."""

Row = dict[str, Any]


class Asked(NamedTuple):
    """A task and the words it is asked for with."""

    task: Task
    text: str


class World(NamedTuple):
    """All of the world's prompts; no two have the same text."""

    splits: dict[str, list[Asked]]
    taught: list[Asked]
    """What the models are taught with; the combinations are those of train."""


def make_world(seed: int = 0) -> World:
    """The prompts of `seed`."""
    seen: set[str] = set()
    splits: dict[str, list[Asked]] = {
        split: list(islice(_fresh(split, seen, Random(f"{seed} {split}")), size))
        for split, size in SIZES.items()
    }
    taught = islice(_fresh("train", seen, Random(f"{seed} taught")), DEMONSTRATIONS)
    return World(splits, list(taught))


def _fresh(split: str, seen: set[str], rng: Random) -> Iterator[Asked]:
    for task in draw_tasks(split, rng):
        text = request(task, rng)
        if text not in seen:
            seen.add(text)
            yield Asked(task, text)


def prompt_rows(world: World) -> list[Row]:
    """Prompts of all splits, with the checks that a good answer meets."""
    return [
        {
            "messages": messages(one.text),
            "split": split,
            "tags": one.task.tags(),
            "checks": one.task.checks(),
            "source": "quickstart",
            "source_id": f"{split}-{index}",
        }
        for split, members in world.splits.items()
        for index, one in enumerate(members)
    ]


def demonstration_rows(world: World, model: str, seed: int = 0) -> list[Row]:
    """What `model` is taught to answer."""
    if model not in FAULTS:
        raise ValueError(f"model is {model!r}; the world has {', '.join(FAULTS)}")
    rng = Random(f"{seed} demonstrations {model}")
    return [_answered(one, demonstration(one.task, model, rng)) for one in world.taught]


def human_rows(world: World, seed: int = 0) -> list[Row]:
    """Faultless responses to a random part of the train prompts."""
    rng = Random(f"{seed} people")
    train = world.splits["train"]
    answered = rng.sample(train, round(HUMAN_SHARE * len(train)))
    return [_answered(one, answer(one.task, rng)) for one in answered]


def _answered(one: Asked, response: str) -> Row:
    return {"messages": messages(one.text), "response": response}


def messages(text: str) -> list[dict[str, str]]:
    """A conversation of one user turn."""
    return [{"role": "user", "content": text}]
