"""What the answers say of the people who gave them: known answers, repeats, habits, pace."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tasks.agreement.biases import biases_of
from tasks.agreement.calibration import Checked, accuracies, accuracy_together, label_noise
from tasks.agreement.figures import GROUPS, PEOPLE
from tasks.agreement.intervals import Estimate, Sampling, mean, share
from tasks.annotation_items import Answer, Item, item_id_of
from tasks.records import Response, Verdict
from tasks.tables import grouped

NO_KNOWN = "no item with a known answer was answered (annotate.queue.known_files)"
NO_REPEAT = "no item was answered twice by the same person (annotate.queue.repeats)"
NO_TIME = "no answer says how long it took"
LONGEST_SECONDS = 600.0
"""Whoever takes longer was away."""
FROM_VERDICTS = ("position_bias", "ties", "longer_wins", "length_effect")
"""Figures that people and judges have alike."""
OVERALL = "overall"

Named = tuple[str, str, str, str, Estimate]
"""Annotator, other, criterion, figure and what it is."""


class Asked(NamedTuple):
    """What people were asked, and what they and the judges said of it."""

    items: Mapping[str, Item]
    """By item_id."""
    answers: Sequence[Answer]
    """The last one of everybody to every item."""
    checked: Sequence[Checked]


def of_people(
    verdicts: Iterable[Verdict],
    responses: Mapping[str, Response],
    asked: Asked | None,
    sampling: Sampling,
) -> Iterator[Named]:
    """The figures of all people together, and of each who judged enough prompts to be measured."""
    said = [one for one in verdicts if one.annotator_kind == "human" and one.b_id]
    answers = list(asked.answers) if asked else []
    if not said and not answers:
        return
    everybody = GROUPS["human"]
    for name, rows, own in [(everybody, said, answers), *_each(said, answers, sampling)]:
        for figure, estimate in _habits(rows, responses, sampling):
            yield name, "", OVERALL, f"human_{figure}", estimate
        if asked is not None:
            yield name, "", OVERALL, "known_accuracy", known_accuracy(own, asked.items, sampling)
            repeated = repeat_agreement(own, asked.items, sampling)
            yield name, "", OVERALL, "repeat_agreement", repeated
            yield name, "", OVERALL, "human_seconds", seconds(own, asked.items, sampling)


def _each(
    said: Sequence[Verdict], answers: Sequence[Answer], sampling: Sampling
) -> Iterator[tuple[str, list[Verdict], list[Answer]]]:
    """The rows of each person who spoke of enough prompts."""
    own = grouped(answers, "annotator")
    for name, rows in sorted(grouped(said, "annotator").items()):
        if len({one.prompt_id for one in rows}) >= sampling.settings.min_prompts:
            yield name, rows, own.get(name, [])


def _habits(
    verdicts: Sequence[Verdict], responses: Mapping[str, Response], sampling: Sampling
) -> Iterator[tuple[str, Estimate]]:
    found = biases_of(verdicts, responses, sampling)
    for name in FROM_VERDICTS:
        yield name, found[name]


def known_accuracy(
    answers: Iterable[Answer], items: Mapping[str, Item], sampling: Sampling
) -> Estimate:
    """The share of known answers that were given; a skipped item is no answer."""
    rows = (
        (items[one.item_id].prompt_id, float(one.outcome == items[one.item_id].known))
        for one in answers
        if items[one.item_id].known is not None and one.outcome != "skip"
    )
    return share(rows, sampling, NO_KNOWN)


def repeat_agreement(
    answers: Iterable[Answer], items: Mapping[str, Item], sampling: Sampling
) -> Estimate:
    """The share of items that the same person answered alike when they were asked again."""
    said = {(one.item_id, one.annotator): one.outcome for one in answers}
    rows = []
    for (item_id, annotator), outcome in said.items():
        item = items[item_id]
        first = item_id_of(item.prompt_id, item.a_id, item.b_id)
        if item.repeat and (before := said.get((first, annotator))) is not None:
            rows.append((item.prompt_id, float(outcome == before)))
    return share(rows, sampling, NO_REPEAT)


def seconds(answers: Iterable[Answer], items: Mapping[str, Item], sampling: Sampling) -> Estimate:
    """The mean time for an answer."""
    rows = (
        (items[one.item_id].prompt_id, one.duration_seconds)
        for one in answers
        if one.duration_seconds is not None and one.duration_seconds <= LONGEST_SECONDS
    )
    return mean(rows, sampling, NO_TIME)


def calibration(asked: Asked, sampling: Sampling) -> Iterator[Named]:
    """How right each judge is, all of them together, and the noise of their labels."""
    for name, estimate in accuracies(asked.checked, sampling).items():
        yield name, PEOPLE, OVERALL, "judge_accuracy", estimate
    together = accuracy_together(asked.checked, sampling)
    yield GROUPS["judge"], PEOPLE, OVERALL, "judge_accuracy", together
    yield GROUPS["judge"], PEOPLE, OVERALL, "label_noise", label_noise(asked.checked, sampling)
