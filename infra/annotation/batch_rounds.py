"""Where the batches of a run's rounds lie, and what came in after they had closed."""

from collections import Counter
from itertools import count

from infra.annotation.answer_objects import AnswerObjects, without_doubles
from infra.annotation.batch_records import Closed, closed_of
from infra.run_tree import RunTree
from tasks.annotation_items import Answer

Ranges = dict[str, dict[str, tuple[int, int]]]
"""By round: of each writer the numbers of the first object and of the first after the last."""


def folder_of(round_index: int) -> str:
    """Folder of a round's batches, below the run."""
    return f"rounds/{round_index:05d}/annotation"


def numbered(name: str, generation: int) -> str:
    """Name of an object of the batch that the round had after so many others."""
    return f"{name}-{generation:05d}.json" if generation else f"{name}.json"


def newest(tree: RunTree, round_index: int) -> int | None:
    """Number of the newest batch of a round; None if it has none."""
    for generation in count():
        name = f"{folder_of(round_index)}/{numbered('batch', generation)}"
        if not tree.store.exists(f"{tree.folder}/{name}"):
            return generation - 1 if generation else None
    raise AssertionError("unreachable")


def rounds_with_batches(tree: RunTree) -> list[int]:
    """Rounds that ask people, ascending; the unfinished one included."""
    rounds = range(len(tree.manifests()) + 1)
    return [index for index in rounds if newest(tree, index) is not None]


def objects_of(tree: RunTree, round_index: int) -> AnswerObjects:
    """What people said in a round."""
    return AnswerObjects(tree.store, f"{tree.folder}/{folder_of(round_index)}")


def _closings(tree: RunTree, round_index: int) -> list[Closed]:
    """How all batches of a round were closed."""
    last = newest(tree, round_index)
    names = [] if last is None else [numbered("closed", one) for one in range(last + 1)]
    read = [tree.read(f"{folder_of(round_index)}/{name}") for name in names]
    return [closed_of(one) for one in read if one]


def uncounted(tree: RunTree, before: int) -> Ranges:
    """Objects in the rounds before `before` that neither their closing nor a later one names."""
    found: Ranges = {}
    closings = [_closings(tree, index) for index in range(before)]
    for index, own in enumerate(closings):
        counted: Counter[str] = Counter()
        for one in own:
            counted |= Counter(one.answers)
        for later in (one for some in closings[index + 1 :] for one in some):
            ranges = later.late.get(str(index), {})
            counted |= Counter({writer: last for writer, (_, last) in ranges.items()})
        there = objects_of(tree, index).segments()
        new = {name: (counted[name], last) for name, last in there.items() if last > counted[name]}
        if new:
            found[str(index)] = new
    return found


def late_answers(tree: RunTree, ranges: Ranges) -> dict[int, list[Answer]]:
    """By round, the answers in such objects that are not in the objects before them, too."""
    found = {}
    for index, writers in ranges.items():
        objects = objects_of(tree, int(index))
        before = objects.upto({writer: first for writer, (first, _) in writers.items()})
        known = {(one.item_id, one.annotator, one.revision) for one in before}
        now = objects.upto({writer: last for writer, (_, last) in writers.items()})
        found[int(index)] = [
            one
            for one in without_doubles(now)
            if (one.item_id, one.annotator, one.revision) not in known
        ]
    return found
