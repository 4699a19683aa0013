"""One number about feedback with its interval, and what each number means."""

from dataclasses import dataclass
from typing import NamedTuple

from tasks.tables import KEYS

PEOPLE = "people"
"""All people together: what most of them say of a comparison."""
GROUPS = {"judge": "all judges", "human": "all people"}
"""Names of all annotators of a kind where one figure is about them all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityFigure:
    """One figure about a judge, or about two annotators. Key: the first four fields."""

    annotator: str
    """The judge or person it is about."""
    other: str
    """Whom it is compared with: a judge, a person, people; or a cell. Empty for a figure of one."""
    criterion: str
    """What was asked, e.g. overall."""
    figure: str
    """Name, one of MEANINGS."""
    estimate: float | None
    """None where it is not measurable."""
    low: float | None
    """Lower end of the interval over prompts."""
    high: float | None
    """Upper end of the interval over prompts."""
    n: int
    """Verdicts, questions or comparisons that it rests on."""
    prompts: int
    """Prompts that these are about."""
    reason: str
    """Why it is not measurable; empty where it is."""
    version: str
    """Digest of what gave the opinions: a judge with another one is another judge."""


KEYS[QualityFigure] = ("annotator", "other", "criterion", "figure")


class Meaning(NamedTuple):
    """What a figure says."""

    label: str
    text: str
    is_share: bool
    """Between 0 and 1, shown in percent."""


MEANINGS = {
    "order_consistency": Meaning(
        "same in both orders", "questions asked in both orders with the same outcome", True
    ),
    "position_bias": Meaning(
        "first shown wins", "share of decided verdicts for the response shown first, less 1/2", True
    ),
    "ties": Meaning("ties", "readable verdicts that call it a tie", True),
    "unparsed": Meaning("unparsed", "verdicts without a readable opinion", True),
    "longer_wins": Meaning("longer wins", "decided verdicts for the longer of two responses", True),
    "length_effect": Meaning(
        "length effect",
        "log-odds to win for twice the length, between responses of equally good cells",
        False,
    ),
    "self_preference": Meaning(
        "self-preference",
        "how much more often the judge's own model wins by it than by all others",
        True,
    ),
    "judge_accuracy": Meaning(
        "accuracy",
        "comparisons decided as people decide them, each for all that it stands for",
        True,
    ),
    "label_noise": Meaning(
        "wrong labels",
        "decisions of the judges that people turn round, where no person was asked to look",
        True,
    ),
    "known_accuracy": Meaning("known answers", "known answers that were given", True),
    "repeat_agreement": Meaning("same again", "items answered alike when asked again", True),
    "human_position_bias": Meaning(
        "first shown wins", "share of decided answers for the response shown first, less 1/2", True
    ),
    "human_ties": Meaning("ties", "answers that call it a tie", True),
    "human_longer_wins": Meaning(
        "longer wins", "decided answers for the longer of two responses", True
    ),
    "human_length_effect": Meaning(
        "length effect",
        "log-odds to win for twice the length, between responses of equally good cells",
        False,
    ),
    "human_seconds": Meaning("seconds", "mean time for an answer, a pause left out", False),
    "judge_judge_agreement": Meaning("agreement", "comparisons two judges label alike", True),
    "judge_judge_kappa": Meaning("kappa", "Cohen's kappa of two judges", False),
    "judge_judge_alpha": Meaning("alpha", "Krippendorff's alpha of judges", False),
    "judge_human_agreement": Meaning(
        "agreement", "comparisons a judge labels as most people do", True
    ),
    "judge_human_kappa": Meaning("kappa", "Cohen's kappa of a judge and most people", False),
    "judge_human_alpha": Meaning("alpha", "Krippendorff's alpha of a judge and people", False),
    "human_human_agreement": Meaning("agreement", "comparisons two people label alike", True),
    "human_human_kappa": Meaning("kappa", "Cohen's kappa of two people", False),
    "human_human_alpha": Meaning("alpha", "Krippendorff's alpha of people", False),
}
"""By name, in the order of the report."""

OF_ONE = (
    *("order_consistency", "position_bias", "ties", "unparsed"),
    *("longer_wins", "length_effect", "self_preference"),
    *("judge_accuracy", "label_noise"),
)
"""Figures of a judge alone, or of all judges together."""

OF_PEOPLE = (
    *("known_accuracy", "repeat_agreement", "human_position_bias", "human_ties"),
    *("human_longer_wins", "human_length_effect", "human_seconds"),
)
"""Figures of a person, or of all people together."""

_BETTER_IF_MORE = ("order_consistency", "judge_accuracy", "known_accuracy", "repeat_agreement")

FLOORS = (*_BETTER_IF_MORE, *(name for name in MEANINGS if name not in OF_ONE + OF_PEOPLE))
"""More is better."""

CEILINGS = tuple(name for name in OF_ONE + OF_PEOPLE if name not in FLOORS)
"""Nearer to 0 is better."""
