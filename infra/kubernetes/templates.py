"""The base job template of each work pool: one template, and what differs between pools."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent
POOLS = FOLDER / "pools"
"""Where the templates are written, one file per pool, as `prefect work-pool create` takes them."""


def pool_names() -> list[str]:
    """The work pools there are."""
    return sorted(_settings()["pools"])


def pool_template(pool: str) -> dict[str, Any]:
    """The base job template of `pool`: the common one with the pool's values as defaults."""
    settings = _settings()
    own = {**settings["everywhere"], **settings["pools"][pool]}
    description = own.pop("description")
    template: dict[str, Any] = deepcopy(_template())
    variables = template["variables"]["properties"]
    for name, value in own.items():
        variables[name]["default"] = value
    template["variables"]["description"] = description
    return template


def written(pool: str) -> str:
    """The file of `pool` as it has to be."""
    return json.dumps(pool_template(pool), indent=2, ensure_ascii=False) + "\n"


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load((FOLDER / "pools.yaml").read_text(encoding="utf-8"))
    return settings


def _template() -> dict[str, Any]:
    template: dict[str, Any] = json.loads(
        (FOLDER / "job-template.json").read_text(encoding="utf-8")
    )
    return template
