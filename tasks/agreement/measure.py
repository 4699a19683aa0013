"""All figures of a round's feedback, judge by judge and between annotators."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from tasks.agreement.between import Agreement, agreement_of, alpha_of
from tasks.agreement.biases import biases_of, self_preference
from tasks.agreement.figures import GROUPS, MEANINGS, PEOPLE, QualityFigure
from tasks.agreement.intervals import Sampling
from tasks.agreement.labels import Labels, Opinions, by_criterion, majority_of, opinions
from tasks.agreement.people import Asked, Named, calibration, of_people
from tasks.agreement.settings import AGREEMENT
from tasks.candidates import Candidate
from tasks.records import Response, Verdict
from tasks.seeds import uniform_of
from tasks.tables import grouped


def measured_prompts(prompt_ids: Sequence[str], most: int, seed: int) -> set[str]:
    """The prompts on which feedback is measured: all, or `most` of them that `seed` draws."""
    if len(prompt_ids) <= most:
        return set(prompt_ids)
    return set(sorted(prompt_ids, key=lambda one: uniform_of(seed, AGREEMENT, one))[:most])


def quality(
    verdicts: Sequence[Verdict],
    responses: Mapping[str, Response],
    candidates: Iterable[Candidate],
    own_cells: Mapping[str, Sequence[str]],
    sampling: Sampling,
    asked: Asked | None = None,
) -> list[QualityFigure]:
    """Every figure of the feedback, by annotator, in the order of MEANINGS.

    `own_cells` are the cells of each judge's own model. Verdicts of the prior are no opinions.
    `asked` is what a queue of items adds.
    """
    given = [row for row in verdicts if row.annotator_kind in ("judge", "human")]
    said = opinions(given, candidates)
    versions = {row.annotator: row.annotator_version for row in given}
    found = [
        *_of_judges(given, responses, said, own_cells, sampling),
        *_between("judge_judge", GROUPS["judge"], said.judges, sampling),
        *_with_people(said, sampling),
        *_between("human_human", GROUPS["human"], said.people, sampling),
        *of_people(given, responses, asked, sampling),
        *(calibration(asked, sampling) if asked else ()),
    ]
    order = list(MEANINGS)
    ranked = sorted(found, key=lambda one: (order.index(one[3]), *one[:3]))
    return [_figure(one, versions) for one in ranked]


def _figure(one: Named, versions: Mapping[str, str]) -> QualityFigure:
    annotator, other, criterion, figure, estimate = one
    names = [name for name in (annotator, other) if name in versions]
    return QualityFigure(
        annotator=annotator,
        other=other,
        criterion=criterion,
        figure=figure,
        estimate=estimate.value,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        prompts=estimate.prompts,
        reason=estimate.reason,
        version="+".join(versions[name] for name in names),
    )


def _of_judges(
    verdicts: Sequence[Verdict],
    responses: Mapping[str, Response],
    said: Opinions,
    own_cells: Mapping[str, Sequence[str]],
    sampling: Sampling,
) -> Iterable[Named]:
    cells = {name: one.cell for name, one in responses.items()}
    judged = [row for row in verdicts if row.annotator_kind == "judge"]
    for judge, rows in grouped(judged, "annotator").items():
        own = own_cells.get(judge, ())
        others = [labels for name, labels in said.judges.items() if name != judge]
        others += said.people.values()
        for criterion, some in grouped(rows, "criterion").items():
            for name, estimate in biases_of(some, responses, sampling).items():
                yield judge, "", criterion, name, estimate
            mine = by_criterion({judge: said.judges.get(judge, {})}).get(criterion, {})
            liking = self_preference(mine.get(judge, {}), others, cells, own, sampling)
            yield judge, ", ".join(own), criterion, "self_preference", liking


def _between(
    relation: str, group: str, annotators: Mapping[str, Labels], sampling: Sampling
) -> Iterable[Named]:
    """Every two annotators, and alpha of them all.

    Two people who share no comparison are left out: there may be thousands of such pairs.
    """
    for criterion, labels in by_criterion(annotators).items():
        for one, other in combinations(labels, 2):
            if relation == "judge_judge" or labels[one].keys() & labels[other].keys():
                found = agreement_of(labels[one], labels[other], sampling)
                yield from _named(one, other, criterion, relation, found)
        if len(labels) > 2:
            alpha = alpha_of(list(labels.values()), sampling)
            yield group, "", criterion, f"{relation}_alpha", alpha


def _with_people(said: Opinions, sampling: Sampling) -> Iterable[Named]:
    """Each judge against what most people say; not measurable where they share no comparison."""
    people = by_criterion(said.people)
    for criterion, labels in by_criterion(said.judges).items():
        majority = majority_of(people.get(criterion, {}).values())
        for judge, own in labels.items():
            found = agreement_of(own, majority, sampling)
            yield from _named(judge, PEOPLE, criterion, "judge_human", found)


def _named(
    one: str, other: str, criterion: str, relation: str, found: Agreement
) -> Iterable[Named]:
    for measure, estimate in found._asdict().items():
        yield one, other, criterion, f"{relation}_{measure}", estimate
