"""Where a judge that asks finds its model, and how it is asked: the same for all such judges."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.serving import ServerSettings, check_place
from tasks.spending import BaseUrls, Price
from tasks.variants import NotInKey


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A model behind an OpenAI-compatible server."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    model: str
    """Name of the model, as the server knows it; with `server`, a local folder, a hub id, or one of
    the run's own: `policy` (this round's start), `round:N`, `sft`."""
    base_url: Annotated[BaseUrls | Literal[""], NotInKey] = ""
    """Address of the server, up to and including /v1; a list if several serve the model; empty with
    `server`."""
    server: ServerSettings | None = None
    """How to serve the model ourselves with vLLM, for as long as it is asked."""
    revision: str = ""
    """What you know of the model's version; change it when the provider changes the model."""
    api_key_env: Annotated[str, NotInKey] = ""
    """Environment variable that holds the key; empty if the server needs none."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 is greedy."""
    max_tokens: Annotated[int, Field(gt=0)] = 512
    """Longest reply (tokens)."""
    concurrency: Annotated[int | None, NotInKey, Field(ge=1, le=1000)] = None
    """Questions that are under way at a time; null: as many as the server makes use of."""
    timeout_seconds: Annotated[float, NotInKey, Field(gt=0)] = 120.0
    """Longest wait for one answer (s)."""
    price: Annotated[Price | None, NotInKey] = None
    """USD for a million prompt tokens and for a million completion tokens, e.g. [0.15, 0.60]."""

    def __post_init__(self) -> None:
        """Refuse a judge that is asked nowhere, or at two places."""
        check_place(self.base_url, self.server)
