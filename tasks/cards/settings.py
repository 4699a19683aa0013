"""What only people know of a run's data and model: licences, sources, use. For its cards."""

from typing import Annotated

from pydantic import Field

from tasks.config_training import Section


class SourceSettings(Section):
    """Where prompts or responses come from."""

    licence: str = ""
    """Its licence, best as an SPDX identifier (cc-by-4.0); empty: not stated."""
    url: str = ""
    """Where it is described; empty: not stated."""


class CardSettings(Section):
    """What the cards of data and model say besides what was measured; empty is not stated."""

    title: str = ""
    """What data and model are called; else the run's name."""
    data_licence: str = ""
    """Of the preference pairs, as the hub writes it: cc-by-4.0, apache-2.0, other."""
    model_licence: str = ""
    """Of the weights, as the hub writes it."""
    languages: list[Annotated[str, Field(min_length=2)]] = Field(default_factory=list)
    """Of prompts and responses: ISO 639 codes such as en."""
    base_model: str = ""
    """The SFT model's name on a model hub."""
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    """By the `source` of prompts, or by the name of a cell."""
    use: str = ""
    """What data and model are meant for."""
    limits: str = ""
    """What they are not good for, and what is known to be wrong with them."""
    contact: str = ""
    """Whom to ask."""
