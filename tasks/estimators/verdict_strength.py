"""Scores without a model: the strengths that a prompt's own verdicts give its responses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from tasks.bradley_terry import DEFAULT_RIDGE, Fit, fit, wins_of
from tasks.estimators._contract import Estimated, Estimates
from tasks.pairs import PromptPreferences
from tasks.records import Preference
from tasks.seeds import seed_of


@dataclass(frozen=True, kw_only=True)
class VerdictStrength(Estimates):
    """A Bradley-Terry fit of the corrected preferences between the responses of each prompt.

    A pass is a draw of all strengths of a prompt from the normal that the posterior nearly is.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {"passes": 3, "compares": "all"}
    FITS: ClassVar[bool] = True

    ridge: Annotated[float, Field(gt=0, allow_inf_nan=False)] = DEFAULT_RIDGE
    """Precision of the normal prior over each strength: larger ones hold strengths together."""

    def __call__(self, prompt: PromptPreferences, prompt_id: str, seed: int) -> Estimated:
        """Strengths (logits) of all responses: the prior's, 0, where nobody compared one.

        A near-duplicate has those of the response that was compared in its place.
        """
        ids = prompt.standing_ids()
        if not ids:
            return Estimated({}, {})
        fitted = self.fit(ids, prompt.kept())
        chance = np.random.default_rng(seed_of(seed, "estimate", prompt_id))
        draws = fitted.values + chance.standard_normal((self.passes, len(ids))) @ _root(fitted)
        scores = dict(zip(ids, fitted.values.tolist(), strict=True))
        passes = dict(zip(ids, draws.T.tolist(), strict=True))
        stand_in = {name: one.represented_by or name for name, one in prompt.candidates.items()}
        return Estimated(
            {name: scores[other] for name, other in stand_in.items()},
            {name: passes[other] for name, other in stand_in.items()},
        )

    def fit(self, ids: Sequence[str], preferences: Sequence[Preference]) -> Fit:
        """The posterior of the strengths of `ids` by `preferences`, each of them one vote."""
        place = {name: number for number, name in enumerate(ids)}
        votes = [(place[one.a_id], place[one.b_id], one.p_b_wins) for one in preferences]
        return fit(wins_of(len(ids), votes), self.ridge)


def _root(fitted: Fit) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The symmetric root of the covariance: the same whichever eigenvectors a library returns."""
    values, vectors = np.linalg.eigh(fitted.covariance)
    root: np.ndarray[Any, np.dtype[np.float64]] = (
        vectors * np.sqrt(np.clip(values, 0, None))
    ) @ vectors.T
    return root


VARIANT = VerdictStrength
