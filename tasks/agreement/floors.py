"""Which figures are below a floor or above a ceiling, and what to say of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tasks.agreement.figures import OF_PEOPLE, PEOPLE, QualityFigure
from tasks.agreement.settings import AgreementSettings

NOT_THERE = {
    "judge_judge": "there are not two judges who judged comparisons",
    "judge_human": "there is no judge who judged comparisons",
    "human_human": "no two people judged a comparison in common",
    **dict.fromkeys(
        ("judge_accuracy", "label_noise"), "people were asked nothing (annotate.budget)"
    ),
    **dict.fromkeys(OF_PEOPLE, "no person gave verdicts"),
}
"""Why there is no figure of this name, or of this relation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """A figure that does not keep to its floor or ceiling, or whose keeping cannot be told."""

    stops: bool
    """Whether training must not start."""
    sentence: str
    """Judge, figure, interval, floor or ceiling."""


def breaches(figures: Sequence[QualityFigure], settings: AgreementSettings) -> list[Breach]:
    """Everything that the floors and ceilings of `settings` object to, in their order."""
    limits = [(name, limit, True) for name, limit in settings.floor.items()]
    limits += [(name, limit, False) for name, limit in settings.ceiling.items()]
    found: list[Breach] = []
    for name, limit, is_floor in limits:
        concerned = [one for one in figures if one.figure == name]
        if not concerned:
            found += _unmeasurable(f"{name}: {_why_not_there(name)}", settings)
        for one in concerned:
            found += _of_one(one, limit, is_floor, settings)
    return found


def _why_not_there(name: str) -> str:
    relation = name.rpartition("_")[0]
    return NOT_THERE.get(name) or NOT_THERE.get(relation, "no judge gave verdicts")


def _of_one(
    one: QualityFigure, limit: float, is_floor: bool, settings: AgreementSettings
) -> list[Breach]:
    if one.estimate is None or one.low is None or one.high is None:
        return _unmeasurable(f"{_who(one)}: {one.figure} is not measurable, {one.reason}", settings)
    if _keeps((one.estimate, one.low, one.high), limit, is_floor, settings.holds):
        return []
    sentence = (
        f"{_who(one)}: {one.figure} is {one.estimate:.3f} [{one.low:.3f}, {one.high:.3f}] over "
        f"{one.prompts} prompts; agreement.{'floor' if is_floor else 'ceiling'}.{one.figure} is "
        f"{limit:g}" + ("" if settings.holds == "estimate" else f", to hold {settings.holds}")
    )
    return [Breach(stops=settings.action == "stop", sentence=sentence)]


def _keeps(figure: tuple[float, float, float], limit: float, is_floor: bool, holds: str) -> bool:
    """Whether a figure (estimate, low, high) keeps to its limit; a ceiling bounds its size."""
    estimate, low, high = figure
    if is_floor:
        return {"estimate": estimate, "surely": low, "perhaps": high}[holds] >= limit
    greatest = max(abs(low), abs(high))
    least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return {"estimate": abs(estimate), "surely": greatest, "perhaps": least}[holds] <= limit


def _who(one: QualityFigure) -> str:
    about = f" ({one.criterion})" if one.criterion != "overall" else ""
    if one.figure == "self_preference" or not one.other:
        return f"{one.annotator}{about}"
    joined = "against" if one.other == PEOPLE else "and"
    return f"{one.annotator} {joined} {one.other}{about}"


def _unmeasurable(sentence: str, settings: AgreementSettings) -> list[Breach]:
    if settings.unmeasurable == "ignore":
        return []
    return [Breach(stops=settings.unmeasurable == "stop", sentence=sentence)]


def why_stopped(found: Iterable[Breach], round_index: int) -> str | None:
    """What the run ends with before training, or None if nothing stops it."""
    sentences = [one.sentence for one in found if one.stops]
    if not sentences:
        return None
    return (
        f"round {round_index} is not trained on its feedback: {'; '.join(sentences)}. All that is "
        "done is kept. Change the judge and add --set 'redo=[judge]', or lower the floor "
        "(agreement.floor, agreement.ceiling, or agreement.action=warn), and run again"
    )
