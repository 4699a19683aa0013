"""What all estimators have: passes, and what they say of comparisons.

An estimator either `FITS` the preferences of one prompt, called with them and a seed, or trains a
model of its own in a child process (`tasks/estimate_model.py`).
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import ConfigDict, Field

from tasks.scales import Scale

Compares = Literal["none", "compared", "all"]

SCALE = Scale(name="log-odds")
"""Differences of two scores are log-odds that the one response beats the other."""


class Estimated(NamedTuple):
    """What an estimator thinks of the responses to one prompt."""

    scores: dict[str, float]
    """By response id (logits)."""
    passes: dict[str, list[float]]
    """The score in each pass, by response id; empty lists without passes."""


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """Scores responses by what it has learned from the round's verdicts."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1
    FITS: ClassVar[bool] = False
    """Whether it is a fit to the preferences of a prompt, without a model."""

    passes: Annotated[int, Field(ge=0, le=1000)] = 10
    """Passes that say how sure it is (dropout masks, or draws of a posterior); 0: none."""
    compares: Compares = "none"
    """Of which comparisons it has an opinion as a judge has one: none, those that were compared, or
    all of a prompt's responses. Scores are given either way."""
    held_out_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the preferences (of prompts, for a model) that only measure its accuracy."""
