"""How the parameters of flows look in Prefect's run form.

All of it stands in the JSON schema alone. Values from Python and the command line reach the verbs,
whose errors say more, and there a preset may be a path where the form offers names.
"""

from typing import Annotated, Any, TypeAlias

from pydantic import Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core.core_schema import CoreSchema

from infra.presets import preset_files, recipe_files
from infra.run_tree import NAME


class _PresetNames:
    """Marks a text as one of the presets there are when the schema is made, at deploy time."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": sorted(preset_files())}


class _RecipeNames:
    """Marks a list of texts as some of the recipes there are, likewise."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": sorted(recipe_files())}}


def _shown(title: str, **more: Any) -> Any:
    """Give the field a title; `more` replaces parts of the schema that Prefect makes."""
    return Field(json_schema_extra={"title": title, **more})


RunName: TypeAlias = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"}), _shown("Run")
]

PresetName: TypeAlias = Annotated[str, _PresetNames(), _shown("Preset")]

RecipeNames: TypeAlias = Annotated[list[str] | None, _RecipeNames(), _shown("Recipes", default=[])]

NumRounds: TypeAlias = Annotated[
    int, WithJsonSchema({"type": "integer", "minimum": 1}), _shown("Rounds to add")
]

_A_TOTAL = [
    {"type": "null", "title": "no, add rounds"},
    {"type": "integer", "title": "yes, a total of", "minimum": 1},
]
UntilRounds: TypeAlias = Annotated[
    int | None, WithJsonSchema({"anyOf": _A_TOTAL}), _shown("Reach a total instead?")
]

Overrides: TypeAlias = Annotated[
    dict[str, Any] | None, WithJsonSchema({"type": "object"}), _shown("Overrides", default={})
]

Split: TypeAlias = Annotated[
    str,
    WithJsonSchema({"type": "string", "enum": ["train", "dev", "held_out", "sealed"]}),
    _shown("Split"),
]

Temperatures: TypeAlias = Annotated[tuple[float, ...], _shown("Temperatures")]

Methods: TypeAlias = Annotated[list[str], _shown("Methods")]

Seeds: TypeAlias = Annotated[tuple[int, ...], _shown("Seeds")]

TotalRounds: TypeAlias = Annotated[
    int, WithJsonSchema({"type": "integer", "minimum": 1}), _shown("Rounds of the first")
]

CellNames: TypeAlias = Annotated[tuple[str, ...], _shown("Cells")]
