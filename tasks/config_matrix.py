"""The cells of the model matrix, and other sections that say which model writes texts."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tasks.config_training import Positive, Section, Share
from tasks.errors import ConfigError
from tasks.variants import NotInKey, built, chosen_from


class DecodingSection(Section):
    """How text is drawn from a model."""

    temperature: Annotated[float, Field(ge=0)] = 1.0
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Smallest set of tokens with at least this probability."""
    max_tokens: Positive = 512
    """Longest response (tokens)."""


class WriterSection(DecodingSection):
    """A model that writes texts, written flat: settings of its engine stand beside these."""

    _NAMED: ClassVar[str] = "a writer"

    engine: Annotated[Any, *chosen_from("infra.engines")]
    """How it is sampled."""
    model: Annotated[str, NotInKey] = ""
    """`policy`, `round:N` (the policy after that round), `ema:G` (a moving average of policies), a
    local folder, or a hub id."""
    revision: str = ""
    """Declared revision of a model behind an API."""
    system: str = ""
    """A system prompt of its own; training renders the prompt without it."""

    @model_validator(mode="before")
    @classmethod
    def _unflatten(cls, value: Any) -> Any:
        """Give the engine the keys that are not the section's own."""
        if not isinstance(value, Mapping) or not isinstance(value.get("engine"), str):
            return value
        own = {key: item for key, item in value.items() if key in cls.model_fields}
        rest = {key: item for key, item in value.items() if key not in cls.model_fields}
        try:
            engine = built("infra.engines", own.pop("engine"), rest)
        except ConfigError as error:
            mine = ", ".join(name for name in cls.model_fields if name != "engine")
            raise ConfigError(f"{error}; {cls._NAMED} takes besides: {mine}") from error
        return {**own, "engine": engine}

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As a preset file would write it."""
        data = handler(self)
        engine = dict(data["engine"])
        return {**data, "engine": engine.pop("kind"), **engine}


class CellSection(WriterSection):
    """One cell of the model matrix."""

    _NAMED: ClassVar[str] = "a cell"

    samples: Annotated[int, Field(ge=1), NotInKey] = 1
    """Responses per prompt."""
    share: Annotated[Share, NotInKey] = 1.0
    """Share of the round's prompts that it answers; raising it keeps the prompts it had."""
    strength: Annotated[float, NotInKey] = 1.0
    """Presumed strength in round 0; stronger cells' responses are presumed better."""
    origin: Annotated[Literal["policy", "model", "human", "recorded"], NotInKey] = "model"
    """Who writes the responses."""
