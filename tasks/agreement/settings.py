"""What is measured of a round's feedback, and below what no training starts."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tasks.agreement.figures import CEILINGS, FLOORS
from tasks.errors import ConfigError
from tasks.variants import NotInKey

AGREEMENT = "agreement"
"""What the artifact and the file of these figures are called in a round."""


class AgreementSettings(BaseModel):
    """How judges and people are compared, and below what no training starts."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    floor: Annotated[dict[str, float], NotInKey] = Field(default_factory=dict)
    """Least value of a figure for every judge it is measured for, e.g. order_consistency: 0.6."""
    ceiling: Annotated[dict[str, float], NotInKey] = Field(default_factory=dict)
    """Greatest value of a figure, sign left out, e.g. position_bias: 0.1."""
    holds: Annotated[Literal["estimate", "surely", "perhaps"], NotInKey] = "estimate"
    """What must keep to it: the estimate, the whole interval, or any part of the interval."""
    action: Annotated[Literal["stop", "warn"], NotInKey] = "stop"
    """What happens below a floor or above a ceiling: no training, or a line in log and report."""
    unmeasurable: Annotated[Literal["stop", "warn", "ignore"], NotInKey] = "warn"
    """What happens where a figure with a floor or ceiling could not be measured."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Of all intervals."""
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Draws of a bootstrap over prompts."""
    most_prompts: Annotated[int, Field(ge=100)] = 10_000
    """Prompts, drawn by the seed, on which feedback and diversity are measured where a round has
    more: intervals are narrow by then."""
    min_prompts: Annotated[int, Field(ge=2)] = 10
    """A figure that rests on fewer prompts is not measurable."""

    @field_validator("floor")
    @classmethod
    def _known_floors(cls, value: dict[str, float]) -> dict[str, float]:
        """Refuse floors of figures of which less is better, or that there are not."""
        return _known("floor", value, FLOORS)

    @field_validator("ceiling")
    @classmethod
    def _known_ceilings(cls, value: dict[str, float]) -> dict[str, float]:
        """Refuse ceilings of figures of which more is better, or that there are not."""
        return _known("ceiling", value, CEILINGS)


def _known(name: str, value: dict[str, float], allowed: Iterable[str]) -> dict[str, float]:
    if unknown := sorted(set(value) - set(allowed)):
        raise ConfigError(f"agreement.{name} names {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return value
