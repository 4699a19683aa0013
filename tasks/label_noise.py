"""The probability that a label is wrong: measured on the random share, given to the loss."""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.agreement.figures import QualityFigure
from tasks.errors import ConfigError, DataError
from tasks.variants import kind_of, kinds, variant_class

if TYPE_CHECKING:
    from tasks.config import AnnotateSection
    from tasks.config_training import TrainingSection

ESTIMATED = "estimated"
FAMILY = "tasks.losses"
NOISE, FIGURE = "noise", "label_noise"
MOST = 0.5
"""Labels that are wrong every other time say nothing."""
DIGITS = 4
"""To which an estimate is rounded: it enters the key of a training."""


def takes_noise(value: Any) -> bool:
    """Whether a loss, or a loss that it is made of, has a setting for the noise of its labels."""
    if isinstance(value, dict):
        return any(map(takes_noise, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(takes_noise, value))
    if not is_dataclass(value):
        return False
    names = _settings(value)
    return NOISE in names or any(takes_noise(getattr(value, name)) for name in names)


def _settings(loss: Any) -> list[str]:
    return [one.name for one in fields(loss)]


def with_noise(value: Any, rate: float) -> Any:
    """`value`, a loss or what holds losses, with `rate` wherever one takes the noise of labels."""
    if isinstance(value, dict):
        return {name: with_noise(one, rate) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(with_noise(one, rate) for one in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {name: with_noise(getattr(value, name), rate) for name in _settings(value)}
    return replace(value, **changed | ({NOISE: rate} if NOISE in changed else {}))


def check_noise(training: "TrainingSection", annotate: "AnnotateSection") -> None:
    """Raise ConfigError where the noise of labels cannot be estimated, or nobody takes it."""
    noise_rate, loss = training.noise_rate, training.loss
    if noise_rate is None:
        return
    if not takes_noise(loss):
        known = [kind for kind in kinds(FAMILY) if NOISE in _settings(variant_class(FAMILY, kind))]
        raise ConfigError(
            f"training.noise_rate is {noise_rate}, but the loss {kind_of(loss)!r} takes no noise; "
            f"leave it out, or take one of: {', '.join(known)}"
        )
    asks = annotate.asks_people
    if not asks or not annotate.queue.random:
        missing = "annotate.queue.random" if asks else "annotate.budget, or who answers"
        raise ConfigError(
            f"training.noise_rate is {noise_rate}, and no estimate can be made: it rests on a "
            f"random share of comparisons that people answer; {missing} is missing. Set it, or "
            "give the loss a number of your own as `noise`"
        )


def estimate_of(figures: Iterable[QualityFigure]) -> float:
    """The estimated noise of the round's labels; DataError says why there is none."""
    found = next((one for one in figures if one.figure == FIGURE), None)
    if found is None or found.estimate is None:
        why = found.reason if found else "people were asked nothing"
        raise DataError(
            f"training.noise_rate is {ESTIMATED}, and no estimate can be made in this round: "
            f"{why}. Let people answer more of the random share (annotate.budget, "
            "annotate.queue.random), or give the loss a number as `noise` and leave noise_rate out"
        )
    if found.estimate >= MOST:
        raise DataError(
            f"training.noise_rate: {found.estimate:.0%} of the judges' labels are wrong by "
            f"{found.n} answers of people; a loss cannot learn from labels that are wrong every "
            "other time. Take another judge, or train on people's verdicts alone"
        )
    return round(found.estimate, DIGITS)
