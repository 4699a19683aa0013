"""Batches as tables for people without a server: JSON Lines and CSV, out and in again.

A row of an export is an item with empty columns for an answer. A table of answers may have more
rows for an item, one for each annotator, and lack the columns with texts.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.annotation.batches import Batch
from infra.annotation.revisions import new_answers
from infra.annotation.texts import Texts
from infra.rows import read_rows
from tasks.annotation_items import Answer, Item, check_answer
from tasks.errors import ConfigError, DataError
from tasks.records import Message
from tasks.sources import Row, Source

SHOWN = ("item_id", "prompt", "first", "second")
ANSWER = ("annotator", "outcome", "strength", "tags", "comment", "ideal", "ideal_from")
MORE = ("answered_at", "duration_seconds")
FIELDS = {*SHOWN, *ANSWER, *MORE}
OUTCOMES = ("first", "second", "tie", "both_bad", "skip", "withdrawn")
SIDES = ("first", "second")
STRENGTHS = {"much better": 1.0, "better": 0.5, "1": 1.0, "1.0": 1.0, "0.5": 0.5}
FORMATS = (".jsonl", ".csv")
MOST_PROBLEMS = 20
"""Problems of a table that one error lists."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""Beginnings of cells that spreadsheets take for formulas, and the mark that stops them."""
ROWS_AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What a table brought in."""

    new: int
    """Answers that were not known."""
    known: int
    """Answers that were known already."""
    unanswered: int
    """Rows without an outcome."""


def export_batch(batch: Batch, path: Path) -> int:
    """Write all items to a table; how many. The one that is to be shown first stands first."""
    if path.suffix not in FORMATS:
        raise ConfigError(f"{path}: the name has to end in {' or '.join(FORMATS)}")
    write = _write_json_lines if path.suffix == ".jsonl" else _write_csv
    write(path, _exported(batch))
    return len(batch.items())


def _exported(batch: Batch) -> Iterator[dict[str, Any]]:
    for start in range(0, len(batch.items()), ROWS_AT_ONCE):
        for texts in batch.texts(start, start + ROWS_AT_ONCE):
            first, second = shown(texts)
            item = {"item_id": texts.item.item_id, "prompt": conversation(texts.messages)}
            yield {**item, "first": first, "second": second, **dict.fromkeys(ANSWER, "")}


def shown(texts: Texts) -> tuple[str, str]:
    """The texts of an item in the order in which people are to see them."""
    pair = (texts.a, texts.b)
    return pair if texts.item.first_shown == "a" else (texts.b, texts.a)


def conversation(messages: Iterable[Message]) -> str:
    """A prompt as one text; roles are named where there is more than one turn."""
    turns = list(messages)
    if len(turns) == 1:
        return turns[0]["content"]
    return "\n\n".join(f"{one['role']}: {one['content']}" for one in turns)


def _write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_csv(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, (*SHOWN, *ANSWER))
        writer.writeheader()
        writer.writerows({name: guarded(value) for name, value in row.items()} for row in rows)


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula: models write what they like."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def import_answers(batch: Batch, path: Path) -> Imported:
    """Keep the answers of a table, all of them or none; what is known already changes nothing.

    Raises DataError that lists what is wrong: file, line, column, value, what is allowed.
    """
    answers: dict[tuple[str, str], Answer] = {}
    problems: list[str] = []
    unanswered = 0
    for row in read_rows(Source(file=str(path))):
        try:
            answer = answer_in(row, batch)
            if answer is None:
                unanswered += 1
            elif answers.setdefault((answer.item_id, answer.annotator), answer) is not answer:
                raise DataError(
                    f"{row.at('annotator')}: {answer.annotator!r} answered item {answer.item_id} "
                    "in an earlier row; keep one"
                )
        except DataError as error:
            problems.append(str(error))
            if len(problems) == MOST_PROBLEMS:
                break
    if problems:
        more = f"\n… the first {MOST_PROBLEMS}" if len(problems) == MOST_PROBLEMS else ""
        raise DataError("\n".join(problems) + f"{more}\nNothing was imported from {path}")
    new = new_answers(answers.values(), batch.answers())
    batch.append(new)
    return Imported(new=len(new), known=len(answers) - len(new), unanswered=unanswered)


def answer_in(row: Row, batch: Batch) -> Answer | None:
    """The answer in a row of a table; None if it holds none. DataError as `import_answers`."""
    row.check_fields(FIELDS)
    if not _given(row, "outcome"):
        return None
    item = batch.by_id().get(row.text("item_id"))
    if item is None:
        raise DataError(
            f"{row.at('item_id')}: item_id is {row.text('item_id')!r:.80}; allowed: the ids of the "
            f"{len(batch.items()):,} items of {batch.label} (tso annotate export)"
        )
    _check_texts(row, item, batch)
    outcome = row.one_of("outcome", OUTCOMES)
    answer = Answer(
        item_id=item.item_id,
        annotator=row.text("annotator").strip(),
        outcome=_side(item, outcome) if outcome in SIDES else outcome,
        strength=_strength(row),
        tags=_tags(row),
        comment=_given(row, "comment"),
        ideal=_given(row, "ideal") or None,
        ideal_from=_side_response(row, item),
        revision=0,
        first_shown=item.first_shown,
        front_end="file",
        session=None,
        answered_at=_given(row, "answered_at") or None,
        duration_seconds=row.number("duration_seconds", 0, 1e9) if _has_duration(row) else None,
    )
    try:
        check_answer(answer, item)
    except DataError as error:
        raise DataError(f"{row.where}: {error}") from error
    return answer


def _check_texts(row: Row, item: Item, batch: Batch) -> None:
    """Raise DataError if the row shows other texts than the item: rows were mixed up."""
    given = {name: row.fields[name] for name in SIDES if row.fields.get(name)}
    if not given:
        return
    [texts] = batch.texts_of([item])
    for name, text in zip(SIDES, shown(texts), strict=True):
        if name in given and _plain(given[name]) not in (_plain(text), _plain(guarded(text))):
            raise DataError(
                f"{row.at(name)}: {name} is {given[name]!r:.60}, but item {item.item_id} shows "
                f"{text!r:.60} there: rows or columns were mixed up; export the batch again"
            )


def _plain(text: Any) -> str:
    """Without what spreadsheets change: the kind of line ends, and white space at both ends."""
    return "\n".join(str(text).splitlines()).strip()


def _given(row: Row, name: str) -> str:
    """The text in a column that may be missing or empty."""
    value = row.fields.get(name)
    return "" if value is None or value == "" else row.text(name).strip()


def _has_duration(row: Row) -> bool:
    return row.fields.get("duration_seconds") not in (None, "")


def _strength(row: Row) -> float | None:
    value = row.fields.get("strength")
    if value is None or value == "":
        return None
    text = str(value).strip().replace("_", " ")
    if text not in STRENGTHS:
        raise DataError(
            f"{row.at('strength')}: strength is {value!r:.80}; allowed: {', '.join(STRENGTHS)}"
        )
    return STRENGTHS[text]


def _tags(row: Row) -> list[str]:
    """A list, or a text with tags between semicolons."""
    value = row.fields.get("tags")
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [one.strip() for one in value.split(";") if one.strip()]
    tags = row.listed("tags")
    if not all(isinstance(one, str) for one in tags):
        raise DataError(f"{row.at('tags')}: tags is {tags!r:.80}; it needs a list of texts")
    return tags


def _side(item: Item, side: str) -> str:
    """A or b, for the side of a table."""
    return item.first_shown if side == "first" else ("b" if item.first_shown == "a" else "a")


def _side_response(row: Row, item: Item) -> str | None:
    if not _given(row, "ideal_from"):
        return None
    side = row.one_of("ideal_from", SIDES)
    return item.a_id if _side(item, side) == "a" else item.b_id
