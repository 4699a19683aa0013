"""Rows of a stage's table with the texts that their ids stand for."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from infra.artifacts import Finished
from tasks.errors import ConfigError

Row = dict[str, Any]

USUAL: dict[str, tuple[str, ...]] = {
    "Prompt": ("prompt_id", "split", "tags", "prompt"),
    "Response": ("cell", "sample_index", "finish_reason", "prompt", "text"),
    "Verdict": ("annotator", "first_shown", "outcome", "prompt", "a", "b"),
    "Preference": ("outcome", "p_b_wins", "decided_by", "reason", "prompt", "a", "b"),
    "PreferencePair": ("margin", "rule", "prompt", "chosen", "rejected"),
    "ReferenceScore": ("response_id", "logp", "num_tokens"),
    "QualityFigure": ("annotator", "other", "figure", "estimate", "low", "high", "n", "reason"),
    "DiversityFigure": ("cell", "figure", "value", "n", "reason"),
    "PromptDiversity": ("responses", "different", "distinct_2", "self_bleu", "prompt"),
    "EvalReport": ("checkpoint", "metric", "slice", "value", "standard_error", "n"),
}
"""What people see of a record if they name no columns."""
STEPS = ("step", "loss", "margin", "accuracy", "clipped_both", "gradient_norm", "learning_rate")
"""What people see of the training's steps."""
SIDES = {"a_id": "a", "b_id": "b", "chosen_id": "chosen", "rejected_id": "rejected"}
"""Columns that name a response, and the column that its text goes into."""


class Texts:
    """Texts of a round's prompts and responses by id, read when the first is asked for."""

    def __init__(self, stages: Iterable[Finished]) -> None:
        self._stages = list(stages)

    @cached_property
    def prompts(self) -> dict[str, str]:
        """Text of each prompt, its turns one after another."""
        rows = (row for row in self._rows("Prompt"))
        return {row["prompt_id"]: conversation(row["messages"]) for row in rows}

    @cached_property
    def responses(self) -> dict[str, str]:
        """Text of each response."""
        return {row["response_id"]: row["text"] for row in self._rows("Response")}

    def _rows(self, record: str) -> Iterable[Row]:
        for stage in self._stages:
            for name, entry in stage.manifest["tables"].items():
                if entry["record"] == record:
                    yield from stage.table(name).to_pylist()


def conversation(messages: Sequence[Mapping[str, Any]]) -> str:
    """A conversation as text; roles are named where there are several turns."""
    if len(messages) == 1:
        return str(messages[0]["content"])
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in messages)


def rows_of(stage: Finished, table: str, texts: Texts) -> tuple[list[Row], tuple[str, ...]]:
    """The rows of a table with their texts, and the columns that people usually want to see."""
    rows = stage.table(table).to_pylist()
    record = stage.manifest["tables"][table]["record"]
    usual = USUAL.get(record, STEPS if rows and "step" in rows[0] else ())
    found = [_with_texts(row, texts) for row in rows]
    return found, tuple(name for name in usual if not found or name in found[0])


def _with_texts(row: Row, texts: Texts) -> Row:
    found = dict(row)
    if "messages" in row:
        return found | {"prompt": conversation(row["messages"])}
    if prompt := texts.prompts.get(row.get("prompt_id", "")):
        found["prompt"] = prompt
    for column, name in SIDES.items():
        if column in row:
            found[name] = texts.responses.get(row[column], row[column])
    return found


def matching(rows: list[Row], conditions: Sequence[str]) -> list[Row]:
    """The rows for which all `column=value` hold; a list holds if it has the value."""
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals:
            raise ConfigError(f"--where {condition!r}: write column=value, e.g. outcome=tie")
        _known(rows, [column], "--where")
        rows = [row for row in rows if _holds(row[column], value)]
    return rows


def _holds(have: Any, wanted: str) -> bool:
    if isinstance(have, list):
        return any(_holds(one, wanted) for one in have)
    if isinstance(have, bool) or have is None:
        return wanted.lower() == {True: "true", False: "false", None: ""}[have]
    if isinstance(have, int | float):
        try:
            return float(have) == float(wanted)
        except ValueError:
            return False
    return str(have) == wanted


def chosen_columns(rows: list[Row], named: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """The columns to show: those named, else the usual ones, else all."""
    _known(rows, named, "--columns")
    return tuple(named or usual or (rows[0] if rows else ()))


def _known(rows: list[Row], names: Iterable[str], option: str) -> None:
    unknown = [name for name in names if rows and name not in rows[0]]
    if unknown:
        raise ConfigError(f"{option}: no column {unknown[0]!r}; there are: {', '.join(rows[0])}")
