"""Presets over the public data, as a user of recorded data would write them."""

from pathlib import Path
from typing import Any

import pandas as pd

NAMES = {"source_id": "prompt_id"}
"""Those tables call a prompt by an id of their own."""


def alpaca_preset(data: Path, root: str, wide: bool = False) -> dict[str, Any]:
    """The AlpacaEval matrix with its verdicts: a cell a model, its judged samples included."""
    matrix = data / "alpaca_eval" / "alpaca_eval_matrix.parquet"
    tables = [matrix]
    judged = data / "alpaca_eval" / "alpaca_eval_judgements.parquet"
    if wide:
        tables.append(data / "alpaca_eval_wide" / "alpaca_eval_wide_matrix.parquet")
        judged = data / "alpaca_eval_wide" / "alpaca_eval_wide_judgements.parquet"
    columns = {**NAMES, "prompt": "prompt"}
    return {
        "storage": {"root": root},
        "prompts": {"files": [{"file": str(matrix), "columns": columns}]},
        "matrix": {name: cell for table in tables for name, cell in alpaca_cells(table).items()},
        "judges": {"recorded": recorded_judge(judged, tables)},
    }


def alpaca_cells(table: Path) -> dict[str, Any]:
    """A cell for each model; upstream judged another sample of some: `<model>@judged`."""
    models = sorted(set(pd.read_parquet(table, columns=["model"]).model))
    samples: dict[str, list[str]] = {}
    for model in models:
        samples.setdefault(model.removesuffix("@judged"), []).append(model)
    return {
        model: {
            "engine": "recorded",
            "origin": "recorded",
            "samples": len(names),
            "files": [
                {
                    "file": str(table),
                    "columns": {**NAMES, "response": "response"},
                    "where": {"model": names},
                }
            ],
        }
        for model, names in samples.items()
    }


def recorded_judge(verdicts: Path, texts: list[Path]) -> dict[str, Any]:
    columns = {
        **NAMES,
        **{"annotator": "annotator", "preference": "preference"},
        **{"a": "text_1", "b": "text_2", "a_cell": "model_1", "b_cell": "model_2"},
    }
    keys = {**NAMES, "key": "model", "response": "response"}
    return {
        "kind": "recorded",
        "files": [{"file": str(verdicts), "columns": columns}],
        "texts": [{"file": str(table), "columns": keys} for table in texts],
    }
