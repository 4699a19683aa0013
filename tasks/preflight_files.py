"""Part of preflight: tables and encoders that a configuration names."""

from collections.abc import Callable, Iterator
from functools import partial

from tasks.annotation import check_written
from tasks.config import Config
from tasks.errors import ConfigError
from tasks.preflight_terms import Check, Outside
from tasks.queue.known import check_known
from tasks.recorded_thumbs import check_said
from tasks.sources import Row, Source


def file_checks(config: Config, outside: Outside) -> Iterator[Check]:
    """Every row of what people said and wrote, and of what is known of the queue's answers."""
    readers = {"verdict_files": check_said, "response_files": check_written}
    for section, check in readers.items():
        for source in getattr(config.annotate, section):
            look = partial(look_at_file, source, check, outside)
            yield Check(name=f"annotate.{section}", look=look)
    for source in config.annotate.queue.known_files:
        look = partial(look_at_file, source, check_known, outside)
        yield Check(name="annotate.queue.known_files", look=look)


def look_at_file(source: Source, check: Callable[[Row], None], outside: Outside) -> str:
    """Let `check` look at every row of `source`; its file."""
    outside.rows([source], check)
    return source.file


def encoder_checks(name: str | None, outside: Outside) -> Iterator[Check]:
    """An encoder is needed for the spread of embeddings alone, so there may be none."""
    if name is not None:
        yield Check(name="diversity.embedder", look=partial(_look_at_encoder, name, outside))


def _look_at_encoder(name: str, outside: Outside) -> str:
    try:
        return f"{name}, weights {outside.weights(name)[:12]}"
    except ConfigError as error:
        raise ConfigError(
            f"diversity.embedder: {error}. Name an encoder that is there, or leave it out: the "
            "spread of embeddings is then not measured"
        ) from error
