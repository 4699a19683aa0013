"""How often a judge prefers the checkpoint's response to an opponent's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from tasks.evaluation_view import EvaluationView, Slices
from tasks.records import Response, Verdict
from tasks.statistics import mean_of
from tasks.tables import grouped

_P_B_WINS = {"a": 0.0, "tie": 0.5, "b": 1.0}

Comparison = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class WinRate:
    """Probability that the checkpoint's response wins, a tie counting as half a win."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"judge": "second", "against": "sft"}
    SEMANTICS: ClassVar[int] = 1
    NEEDS_VERDICTS: ClassVar[bool] = True
    HIGHER_IS_BETTER: ClassVar[bool | None] = True

    judge: str
    """Name of the evaluation judge."""
    against: Literal["sft", "reference"] = "sft"
    """The opponent: the model the run started from, or the round's reference."""

    def __call__(self, view: EvaluationView) -> Slices:
        """Values 0 to 1 by slice and prompt_id, each the mean over both orders; all and tags.

        Equal texts tie without a judge. A comparison with an order that was not understood is left
        out, or the place of a response would count; so is a prompt without a comparison.
        """
        by_comparison: dict[Comparison, list[Verdict]] = {}
        for verdict in view.verdicts:
            if verdict.annotator == self.judge and verdict.annotator_kind == "judge":
                by_comparison.setdefault((verdict.a_id, verdict.b_id), []).append(verdict)
        opponents = view.opponents.get(self.against, {})
        values: dict[str, float] = {}
        for prompt, responses in view.answered():
            others = opponents.get(prompt.prompt_id, ())
            wins = [_wins(own, other, by_comparison) for own in responses for other in others]
            known = [one for one in wins if one is not None]
            if known:
                values[prompt.prompt_id] = mean_of(known).value
        return view.with_tags(values)


def _wins(
    own: Response, other: Response, verdicts: Mapping[Comparison, Sequence[Verdict]]
) -> float | None:
    """Probability that `own` wins, or None where it is not known."""
    if own.text.strip() == other.text.strip():
        return 0.5
    a_id, b_id = sorted((own.response_id, other.response_id))
    orders = grouped(verdicts.get((a_id, b_id), ()), "first_shown")
    p_b_wins = [_p_b_wins(rows) for rows in orders.values()]
    known = [one for one in p_b_wins if one is not None]
    if not known or len(known) < len(p_b_wins):
        return None
    p = mean_of(known).value
    return p if b_id == own.response_id else 1 - p


def _p_b_wins(verdicts: Sequence[Verdict]) -> float | None:
    """The mean over the replicates of one order that were understood."""
    known = [
        _P_B_WINS[verdict.outcome] if verdict.p_b_wins is None else verdict.p_b_wins
        for verdict in verdicts
        if verdict.outcome in _P_B_WINS
    ]
    return mean_of(known).value if known else None


VARIANT = WinRate
