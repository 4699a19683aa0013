"""The recipes of a round: its own, the champion, and one that differs from feedback on."""

from collections.abc import Mapping
from typing import Any

from tasks.config import Config, build_config, plain_config
from tasks.contest import CHALLENGER, CHAMPION
from tasks.layers import with_overrides


def recipes_of(config: Config) -> dict[str, Config]:
    """By contender; the champion is first."""
    if config.challenger is None:
        return {CHAMPION: config}
    return {CHAMPION: config, CHALLENGER: build_config(challenging(plain_config(config)))}


def challenging(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as the challenger has it."""
    return with_overrides({**plain, "challenger": None}, plain["challenger"]["set"])


def winning(plain: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a committed round as its policy was made by it."""
    if manifest.get("contest", {}).get("winner") == CHALLENGER:
        return challenging(plain)
    return dict(plain)


def winning_config(config: Config, manifest: Mapping[str, Any]) -> Config:
    """As `winning`."""
    won = manifest.get("contest", {}).get("winner") == CHALLENGER
    return recipes_of(config)[CHALLENGER] if won else config
