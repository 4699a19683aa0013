"""Door: champion and challenger each make a policy of the same feedback; one of them goes on."""

from collections.abc import Sequence
from dataclasses import replace

from infra.place import records_of
from tasks.challenger import recipes_of
from tasks.config import Config
from tasks.contest import CHALLENGER, CHAMPION, Contest, decided, terms_of
from tasks.measuring import Measured, guarded_slices
from tasks.records import Artifact, EvalReport, Place, RoundWork

MAIN_SLICE = "all"


def contenders(config: Config, place: Place) -> list[tuple[Config, Place]]:
    """The recipes of a round and where each notes its stages: one, or champion and challenger.

    A round that is not measured cannot tell them apart: the champion is then alone.
    """
    if config.challenger is None or not config.evaluation.due(place.round_index):
        return [(config, place)]
    recipes = recipes_of(config)
    return [(one, replace(place, contender=f"{name}-")) for name, one in recipes.items()]


def winner(works: Sequence[RoundWork], config: Config, place: Place) -> RoundWork:
    """The work that the round goes on with; of two, the better policy's, and why."""
    if config.challenger is None or len(works) == 1:
        return works[0]
    reports = [one.report.artifact for one in works if one.report]
    measured = [records_of(place, Measured, one, "values") for one in reports]
    slices = guarded_slices(_side_by_side(*measured), config.refresh.guards)
    policies = [one.trained.policy.sha256 for one in works]
    won, reasons, seen = decided(
        slices, terms_of(config.refresh.gate), same=policies[0] == policies[1]
    )
    contest = Contest(
        winner=won,
        reasons=reasons,
        set=dict(config.challenger.set),
        policies=dict(zip((CHAMPION, CHALLENGER), policies, strict=True)),
        figures=_figures(reports, policies, place),
        slices=seen,
    )
    return replace(works[won == CHALLENGER], contest=contest)


def _side_by_side(champion: Sequence[Measured], challenger: Sequence[Measured]) -> list[Measured]:
    """What was measured of both policies, the champion's in the place of a reference."""
    ours = [replace(one, who="reference") for one in champion if one.who == "policy"]
    return [*ours, *(one for one in challenger if one.who == "policy")]


def _figures(
    reports: Sequence[Artifact], policies: Sequence[str], place: Place
) -> dict[str, dict[str, float]]:
    """Each metric over all prompts, by contender."""
    found: dict[str, dict[str, float]] = {}
    for name, report, policy in zip((CHAMPION, CHALLENGER), reports, policies, strict=True):
        for row in records_of(place, EvalReport, report):
            if row.slice == MAIN_SLICE and row.checkpoint == policy:
                found.setdefault(row.metric, {})[name] = row.value
    return found
