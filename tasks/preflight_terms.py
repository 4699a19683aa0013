"""The words of preflight: a named check, and the ways to look outside of a configuration."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tasks.records import Checkpoint
from tasks.serving import ServerSettings
from tasks.sources import Row, Source


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that has to be right before a round begins."""

    name: str
    """What is looked at, e.g. matrix.large."""
    look: Callable[[], str]
    """Says what was found; raises ConfigError, DataError or StorageError if it is wrong."""
    needs: tuple[str, ...] = ()
    """Names of the checks without which this one cannot look."""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """How checks look at what lies outside the configuration; each raises if something is wrong."""

    store: Callable[[], str]
    """Tries the store; its root."""
    describe: Callable[[str], Checkpoint]
    """The checkpoint behind a model's name."""
    positions: Callable[[str], int | None]
    """The longest text (tokens) that the model in a folder reads, where its config says."""
    key: Callable[[str], object]
    """Reads the key in an environment variable."""
    rows: Callable[[Iterable[Source], Callable[[Row], None]], None]
    """Reads tables and lets a function look at every row."""
    weights: Callable[[str], str]
    """Digest of the weights behind a model's name."""
    server: Callable[[ServerSettings], object]
    """Looks whether a server with these settings could be started here."""
    deployment: Callable[[str, bool], str]
    """Who works for a deployment, FLOW/NAME; whether somebody has to."""
