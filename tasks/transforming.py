"""What transforms and the rest of a configuration must agree on; pure."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tasks.errors import ConfigError
from tasks.variants import kind_of

if TYPE_CHECKING:
    from tasks.config import Config


def writers_of(transforms: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Setting of the writer of each transform that has one, and the transform."""
    for number, one in enumerate(transforms):
        if one.writer is not None:
            yield f"transforms.{number}.writer", one


def supplied_by(transforms: Sequence[Any]) -> tuple[str, ...]:
    """What the responses of `transforms` bring of what losses may declare to need."""
    return tuple(dict.fromkeys(need for one in transforms for need in one.SUPPLIES))


def check_transforms(config: "Config") -> None:
    """Raise ConfigError for the first transform that cannot do its work."""
    for number, one in enumerate(config.transforms):
        kind = kind_of(one)
        if kind in config.matrix:
            raise ConfigError(
                f"matrix.{kind} has the name of a transform, under which its responses are kept; "
                "give the cell another name"
            )
        if one.READS_TOKENS and one.writer is not None and not one.writer.engine.TAKES_TOKENS:
            raise ConfigError(
                f"transforms.{number}.writer has engine {kind_of(one.writer.engine)!r}, but "
                f"{kind} lets it continue token ids; take transformers or vllm"
            )
        degrees, classes = getattr(one, "num_degrees", None), config.training.loss.HEAD_CLASSES
        if degrees is not None and classes is not None and degrees != classes:
            raise ConfigError(
                f"transforms.{number}.num_degrees is {degrees}, but the loss "
                f"{kind_of(config.training.loss)!r} tells {classes} degrees apart; make them equal"
            )
