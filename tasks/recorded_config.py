"""The part of a preset that is about data which exists: recorded cells and judges, no models."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from tasks.config import CellSection, PromptsSection
from tasks.config_training import Section
from tasks.consistency import check_recorded
from tasks.errors import ConfigError
from tasks.storage_settings import StorageSettings
from tasks.variants import chosen_from, first_problem


class RecordedData(Section):
    """The part of a preset that is about data which exists: recorded cells and judges."""

    storage: StorageSettings
    prompts: PromptsSection
    matrix: dict[str, CellSection] = Field(min_length=1)
    """Cells with engine recorded, by name."""
    judges: dict[str, Annotated[Any, *chosen_from("tasks.judges")]] = Field(min_length=1)
    """Judges of kind recorded, by name."""


def build_recorded(data: Mapping[str, Any]) -> RecordedData:
    """The recorded cells and judges of a preset, whatever else it holds; ConfigError if none."""
    parts = {
        "storage": data.get("storage"),
        "prompts": data.get("prompts"),
        "matrix": _only(data.get("matrix"), "engine"),
        "judges": _only(data.get("judges"), "kind"),
    }
    try:
        made = RecordedData.model_validate(parts)
    except ValidationError as error:
        raise ConfigError(
            f"recorded data: {first_problem(error)}; needed are storage, prompts, cells with "
            "`engine: recorded` and judges with `kind: recorded`"
        ) from error
    check_recorded(made.prompts.split_shares, made.matrix)
    return made


def _only(section: Any, key: str) -> dict[str, Any]:
    entries = section.items() if isinstance(section, Mapping) else ()
    return {n: one for n, one in entries if isinstance(one, Mapping) and one.get(key) == "recorded"}
