"""JSON schema of a preset: every section and every variant with its settings, for editors."""

from collections.abc import Mapping
from typing import Any

from tasks.config import CellSection, Config
from tasks.config_matrix import WriterSection
from tasks.variants import family_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ENGINES = "infra.engines"


def preset_schema() -> dict[str, Any]:
    """The schema of a whole preset; families stand in $defs, so that judges may hold judges."""
    schema = Config.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs")
    waiting = _families(schema) | _families(definitions)
    families: dict[str, Any] = {}
    while waiting:
        family = waiting.pop()
        families[family] = _hoisted(family_schema(family), definitions)
        waiting |= _families(families[family]) - families.keys()
    for section in (CellSection, WriterSection):
        name = section.__name__
        definitions[name] = _cell(definitions[name], families[ENGINES])
    del families[ENGINES]
    return {
        "$schema": DIALECT,
        **_linked(schema),
        "title": "TSO preset",
        "$defs": _linked({**definitions, **families}),
    }


def recipe_schema() -> dict[str, Any]:
    """The schema of a recipe: what it says of itself, and settings by dotted key."""
    sections = "|".join(Config.model_fields)
    text = {"type": "string"}
    return {
        "$schema": DIALECT,
        "title": "TSO recipe",
        "description": "A method, laid over a preset: `--preset PRESET+RECIPE`.",
        "type": "object",
        "additionalProperties": False,
        "required": ["recipe", "set"],
        "properties": {
            "recipe": {
                "type": "object",
                "additionalProperties": False,
                "required": ["title", "paper", "about"],
                "properties": {
                    "title": {**text, "description": "The method's name."},
                    "paper": {**text, "description": "Its arXiv number, or empty."},
                    "about": {**text, "description": "What it does, in a sentence."},
                },
            },
            "set": {
                "type": "object",
                "description": "Settings by dotted key; null takes a key out.",
                "propertyNames": {"pattern": rf"^({sections})(\.[^.]+)*$"},
            },
        },
    }


def _families(node: Any) -> set[str]:
    """Families that a field somewhere in `node` chooses from."""
    if isinstance(node, Mapping):
        own = {node["x-family"]} if isinstance(node.get("x-family"), str) else set[str]()
        return own.union(*map(_families, node.values()))
    return set().union(*map(_families, node)) if isinstance(node, list) else set()


def _hoisted(node: Any, definitions: dict[str, Any]) -> Any:
    """`node` with the $defs of its variants moved to those of the whole schema."""
    for branch in node["anyOf"]:
        definitions |= branch.pop("$defs", {})
    return node


def _cell(section: Mapping[str, Any], engines: Mapping[str, Any]) -> dict[str, Any]:
    """A cell or writer is written flat: for each engine its own settings and the engine's."""
    own = dict(section["properties"])
    engine = own.pop("engine")
    branches = []
    for branch in engines["anyOf"]:
        settings = dict(branch["properties"])
        kind = {"const": settings.pop("kind")["const"], "description": engine["description"]}
        branches.append(
            {
                **branch,
                "properties": {"engine": kind, **own, **settings},
                "required": ["engine", *(key for key in branch["required"] if key != "kind")],
            }
        )
    return {"description": section["description"], "anyOf": branches}


def _linked(node: Any) -> Any:
    """`node` with each choice from a family as a link to its definition."""
    if isinstance(node, Mapping):
        if isinstance(node.get("x-family"), str):
            rest = {key: item for key, item in node.items() if key not in ("x-family", "type")}
            return {**rest, "$ref": f"#/$defs/{node['x-family']}"}
        return {key: _linked(item) for key, item in node.items()}
    return [_linked(item) for item in node] if isinstance(node, list) else node
