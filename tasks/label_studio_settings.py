"""Which Label Studio server people work on, and where its token comes from; nothing is secret."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError

_BLOCK = re.compile(r"secret/[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True, kw_only=True)
class LabelStudioSettings:
    """A server for teams of annotators (docs/annotation-batches.md)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    url: Annotated[str, Field(pattern="^https?://[^@?#]+$")]
    """Where it is, e.g. https://labels.example.org."""
    token_env: str = "LABEL_STUDIO_TOKEN"
    """The variable with a token of somebody who may make projects."""
    token_block: str | None = None
    """The Prefect block with the token, secret/NAME, which then takes the variable's place."""

    def __post_init__(self) -> None:
        if self.token_block is not None and not _BLOCK.fullmatch(self.token_block):
            raise ConfigError(
                f"annotate.label_studio.token_block is {self.token_block!r}; it names a Prefect "
                "block of the type secret: secret/NAME"
            )


def check_front_end(front_end: str, label_studio: LabelStudioSettings | None) -> None:
    """Teams need a server, and a server that nobody asks is a mistake: ConfigError."""
    if (front_end == "label_studio") != (label_studio is not None):
        raise ConfigError(
            f"annotate.front_end is {front_end!r}, and annotate.label_studio is "
            f"{'not ' if label_studio is None else ''}set: they belong together. Write "
            "front_end: label_studio and label_studio: {url: https://...}, or neither"
        )
