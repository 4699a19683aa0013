"""What selections, pair rules and filters need of an estimator or a judge; pure."""

from typing import TYPE_CHECKING

from tasks.errors import ConfigError
from tasks.estimates import ESTIMATOR
from tasks.variants import kind_of

if TYPE_CHECKING:
    from tasks.config import Config

FEWEST_PASSES = 2
"""A single pass says nothing of how sure the estimator is."""


def check_estimator(config: "Config") -> None:
    """Raise ConfigError where scores, passes or uncertainty are read that nobody gives."""
    _check_uncertainty(config)
    pairs = config.pairs
    for where, one in (("pairs.rule", pairs.rule), ("pairs.selection", pairs.selection)):
        if one is not None and hasattr(one, "by"):
            _check_scores(config, where, one.by)
    passes = config.estimator.passes if config.estimator is not None else 0
    for one in pairs.filters:
        if getattr(one, "READS_PASSES", False) and passes < FEWEST_PASSES:
            raise ConfigError(
                f"pairs.filters has {kind_of(one)}, which reads passes of an estimator; "
                f"{_passes_there(config)}: set estimator, with passes of {FEWEST_PASSES} or more"
            )


def _check_uncertainty(config: "Config") -> None:
    """A single opinion says nothing of how sure it is."""
    if "uncertainty" not in config.training.loss.REQUIRES:
        return
    passes = config.estimator.passes if config.estimator is not None else 0
    if passes >= FEWEST_PASSES:
        return
    if passes:
        raise ConfigError(
            f"the loss {kind_of(config.training.loss)!r} reads how far passes of the estimator "
            f"differ, and estimator.passes is {passes}; set it to {FEWEST_PASSES} or more, or to 0 "
            "for the opinions of judges"
        )
    judges = config.judges.values()
    if sum(1 + (one.both_orders or one.SHAPE == "recorded") for one in judges) < 2:
        raise ConfigError(
            f"the loss {kind_of(config.training.loss)!r} reads how far opinions of judges differ, "
            f"and judges gives each pair {len(judges)}; add a judge, ask one in both orders, "
            "or let an estimator say how sure it is (docs/estimators.md)"
        )


def _passes_there(config: "Config") -> str:
    if config.estimator is None:
        return "there is none"
    return f"estimator.passes is {config.estimator.passes}"


def _check_scores(config: "Config", where: str, by: str) -> None:
    """Refuse a rule or selection that reads scores of somebody who gives none."""
    scoring = [
        name
        for name, one in config.judges.items()
        if hasattr(one, "scale") or one.SHAPE == "recorded"
    ]
    there = [*scoring, *([ESTIMATOR] if config.estimator is not None else [])]
    if by not in there:
        hint = "set estimator (docs/estimators.md)" if by == ESTIMATOR else "name one of them"
        raise ConfigError(
            f"{where} reads the scores of {by!r}, who gives none; there are: "
            f"{', '.join(there) or 'nobody'}; {hint}"
        )
