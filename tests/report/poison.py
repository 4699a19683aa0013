"""Puts a hostile text into every place of a round that models, people or settings write to."""

import dataclasses
from typing import Any

from tasks.report import RoundData

PIECES = (
    "<script>alert(1)</script></style></title>",
    "<img src=x onerror=alert(2)>\"'><b>b</b>",
    "[link](https://evil.example) ![i](https://evil.example/i.png)",
    "<https://evil.example> www.evil.example a@evil.example",
    "| pipe | \\| `tick` ``` fence\n```\n# heading\n~~~\n- item\n",
    "` \\` `` *a* **b** ~~c~~ [x]: https://evil.example\n\n---\n",
    "{{ 7 * 7 }} {% raw %} &lt;script&gt; $x^2$ \x00 \u202e \ud800 \u2028",
)
HOSTILE = " ".join(PIECES)
_STRUCTURE = {
    "prompt_id",
    "response_id",
    "pair_id",
    "a_id",
    "b_id",
    "chosen_id",
    "rejected_id",
    "annotator_kind",
    "first_shown",
    "outcome",
    "finish_reason",
    "decided_by",
    "checkpoint",
    "figure",
}


def poisoned(data: RoundData, suffix: str) -> RoundData:
    """`data` with `suffix` after every text, keys included, that is not an id or an enumeration."""
    fields = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    return RoundData(
        **{
            name: _gate(value, suffix)
            if name == "gate"
            else value
            if name in ("names", "steps", "findings")
            else _lineage(value, suffix)
            if name == "lineage"
            else _poison(value, suffix)
            for name, value in fields.items()
        }
    )


def _gate(gate: dict[str, Any], suffix: str) -> dict[str, Any]:
    hostile = {key: _poison(gate[key], suffix, keys=True) for key in ("reasons", "n_needed")}
    return (
        gate
        | hostile
        | {"slices": {f"{name}{suffix}": one for name, one in gate["slices"].items()}}
    )


def _lineage(lineage: dict[str, Any], suffix: str) -> dict[str, Any]:
    artifacts = {
        verb + suffix: {"uri": row["uri"] + suffix, "content": suffix, "rows": row["rows"]}
        for verb, row in lineage["artifacts"].items()
    }
    seeds = {name + suffix: seed for name, seed in lineage["seeds"].items()}
    return {
        "artifacts": artifacts,
        "seeds": seeds,
        "config": suffix,
        "reference_in": suffix,
        "reference_out": {"sha256": suffix},
    }


def _poison(value: Any, suffix: str, keys: bool = False) -> Any:
    if isinstance(value, str):
        return value + suffix
    if hasattr(value, "_fields"):
        return type(value)(*(_poison(item, suffix) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(_poison(item, suffix) for item in value)
    if dataclasses.is_dataclass(value):
        return dataclasses.replace(
            value,
            **{
                field.name: _poison(getattr(value, field.name), suffix)
                for field in dataclasses.fields(value)
                if field.name not in _STRUCTURE
            },
        )
    if isinstance(value, dict):
        fixed = {
            "name",
            "engine",
            "model",
            "strength",
            "samples",
            "temperature",
            "role",
            "content",
            "round_index",
            "pair",
            "train",
            "score",
        }
        return {
            key if key in fixed and not keys else key + suffix: _poison(item, suffix)
            for key, item in value.items()
        }
    return value
