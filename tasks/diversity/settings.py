"""What is measured of how different responses are."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class DiversitySettings(BaseModel):
    """How different responses are: what the report shows of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prompts: Annotated[int, Field(ge=1)] = 200
    """Prompts, drawn by the seed, that self-BLEU and the spread of embeddings are measured on."""
    embedder: str | None = None
    """An encoder whose mean-pooled states stand for texts: a local folder or a hub id; null: none,
    and no spread of embeddings."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Longest part of a text that the encoder reads (tokens)."""
