"""How the parameters of flows look in Prefect's run form.

All of it stands in the JSON schema alone. Values from Python and the command line reach the verbs,
whose errors say more, and there a preset may be a path where the form offers names.
"""

from typing import Annotated, Any, TypeAlias

from prefect.runtime import flow_run
from pydantic import Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core.core_schema import CoreSchema

from infra.presets import preset_files
from infra.run_tree import NAME


class _PresetNames:
    """Marks a text as one of the presets there are when the schema is made, at deploy time."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": sorted(preset_files())}


def _shown(title: str, **more: Any) -> Any:
    """Give the field a title; `more` replaces parts of the schema that Prefect makes."""
    return Field(json_schema_extra={"title": title, **more})


RunName: TypeAlias = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"}), _shown("Run")
]

PresetName: TypeAlias = Annotated[str, _PresetNames(), _shown("Preset")]

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

CellNames: TypeAlias = Annotated[tuple[str, ...], _shown("Cells")]


def run_name() -> str:
    """Name of a flow run that does rounds, e.g. `weekly · 1 round more`."""
    asked = flow_run.parameters
    if asked.get("until") is not None:
        return f"{asked['run']} · until {_rounds(asked['until'])}"
    return f"{asked['run']} · {_rounds(asked.get('rounds', 1))} more"


def _rounds(number: int) -> str:
    return f"{number} round" if number == 1 else f"{number} rounds"
