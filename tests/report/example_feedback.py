"""What is measured of the feedback of the made-up round, and of one before it."""

from typing import Any

from tasks.agreement.drift import drift
from tasks.agreement.floors import breaches
from tasks.agreement.intervals import Sampling
from tasks.agreement.known import FeedbackQuality
from tasks.agreement.measure import quality
from tasks.agreement.settings import AgreementSettings
from tasks.diversity.measure import cell_figures, drawn_prompts, prompt_rows
from tasks.diversity.settings import DiversitySettings
from tasks.judging import candidates_of
from tasks.records import Response, Verdict
from tasks.responses import by_id
from tasks.retiring import Retired

SETTINGS = AgreementSettings(
    resamples=100,
    floor={"order_consistency": 0.95, "judge_judge_kappa": 0.3},
    ceiling={"longer_wins": 0.6},
    action="warn",
)


def measured(
    responses: list[Response], verdicts: list[Verdict], strengths: dict[str, float]
) -> dict[str, Any]:
    """The parts of a round's report that are about feedback and diversity."""
    candidates = candidates_of(responses, strengths, 0.2)
    everybody = [one for members in candidates.values() for one in members]
    own = {"main": ["large"]}
    now, before = (
        quality(some, by_id(responses), everybody, own, Sampling(SETTINGS, seed))
        for seed, some in enumerate((verdicts, _less_sure(verdicts)))
    )
    diversity = DiversitySettings(prompts=20)
    drawn = drawn_prompts(responses, diversity, 0)
    return {
        "feedback": FeedbackQuality(
            figures=now,
            drift=drift(now, {2: before}, SETTINGS.confidence),
            breaches=breaches(now, SETTINGS),
        ),
        "diversity": cell_figures(responses, candidates, drawn, None),
        "prompt_diversity": prompt_rows(responses, candidates, drawn),
        "retired": [
            Retired(cell="small", settings="", after_round=3, rounds=[2, 3], shares=[0.011, 0.004])
        ],
    }


def _less_sure(verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts of a round in which people agreed with nobody, and fewer were given."""
    return [row for index, row in enumerate(verdicts) if index % 3]
