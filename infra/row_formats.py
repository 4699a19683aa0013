"""Tables on local disk as plain rows: JSON Lines, CSV, Parquet, and saved `datasets` folders."""

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.errors import DataError

Raw = tuple[Sequence[str], str, Mapping[str, Any]]
"""Columns of the table, place of the row, and its values by column."""
Wanted = Mapping[str, Sequence[Any]]
"""Values that are wanted, by column: a reader may leave other rows out, but need not."""

BATCH_ROWS = 1024
LONGEST_FIELD = 2**31 - 1
"""Characters of a CSV value; the csv module refuses long texts unless told otherwise."""
_PLAIN = re.compile(r"(?!(?i:true|false|null)$)[^\d.+-]")
"""Texts that mean nothing but themselves: no number, boolean or null."""
PLACE = "__row__"
"""Column that numbers the rows of a batch while others are left out."""


def columns_and_rows(path: str, wanted: Wanted) -> Iterator[Raw]:
    """The rows of the table at `path`; DataError names what is wrong and where."""
    file = Path(path)
    if not file.exists():
        raise DataError(f"no file at {path!r} (working folder {Path.cwd()}); check the path")
    read = _read_folder if file.is_dir() else _FORMATS.get(_format(file))
    if read is None:
        raise DataError(
            f"{path}: unknown format {file.suffix!r}; known: {', '.join(sorted(_FORMATS))}, each "
            "but parquet also with .gz, and folders that `datasets` saved"
        )
    try:
        yield from read(file, wanted)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}; convert it first") from error
    except (pa.ArrowException, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged or not what its name says: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}; check the file and its rights") from error


def is_ragged(path: str) -> bool:
    """Whether rows of the table at `path` may lack columns that others have: JSON Lines."""
    return _FORMATS.get(_format(Path(path))) is _read_json_lines


def data_files(path: str) -> list[Path]:
    """The files that hold the rows of `path`, in order; DataError if there is none."""
    file = Path(path)
    if file.is_file():
        return [file]
    if not file.is_dir():
        raise DataError(f"no file at {path!r} (working folder {Path.cwd()}); check the path")
    return _files_of_folder(file)


def _format(file: Path) -> str:
    suffixes = file.suffixes
    return suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else file.suffix


def _opened(file: Path) -> IO[str]:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _read_json_lines(file: Path, _wanted: Wanted) -> Iterator[Raw]:
    with _opened(file) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                row = _json_object(line, f"{file}:{number}")
                yield list(row), f"{file}:{number}", row


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg}): {line[:80]!r}") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: needs a JSON object, got {type(value).__name__}: {line[:80]!r}")
    return value


def _read_csv(file: Path, _wanted: Wanted) -> Iterator[Raw]:
    csv.field_size_limit(LONGEST_FIELD)
    with _opened(file) as text:
        reader = csv.reader(text, delimiter="\t" if _format(file) == ".tsv" else ",", strict=True)
        header = next(reader, [])
        if twice := sorted({name for name in header if header.count(name) > 1}):
            raise DataError(f"{file}:1: column {twice[0]!r} occurs twice; name each column once")
        try:
            for values in filter(None, reader):
                where = f"{file}:{reader.line_num}"
                if len(values) != len(header):
                    raise DataError(
                        f"{where}: {len(values)} values for {len(header)} columns "
                        f"({', '.join(header)}); quote texts that hold commas or line breaks"
                    )
                # CSV cannot tell an empty text from none.
                cells = (value or None for value in values)
                yield header, where, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise DataError(f"{file}:{reader.line_num}: not CSV ({error})") from error


def _read_parquet(file: Path, wanted: Wanted) -> Iterator[Raw]:
    with pq.ParquetFile(file) as table:
        yield from _rows(file, table.iter_batches(BATCH_ROWS), wanted)


def _read_arrow(file: Path, wanted: Wanted) -> Iterator[Raw]:
    with file.open("rb") as opened:
        try:
            stream: Any = pa.ipc.open_stream(opened)
        except pa.ArrowInvalid:
            whole = pa.ipc.open_file(opened)
            stream = (whole.get_batch(number) for number in range(whole.num_record_batches))
        yield from _rows(file, stream, wanted)


def _rows(file: Path, batches: Any, wanted: Wanted) -> Iterator[Raw]:
    """Rows of record batches; those not wanted are left out before they become Python values."""
    start = 1
    for batch in batches:
        names = batch.schema.names
        numbers = pa.array(range(start, start + batch.num_rows))
        start += batch.num_rows
        kept = _filtered(batch.append_column(PLACE, numbers), wanted)
        for row in kept.to_pylist():
            yield names, f"{file} row {row.pop(PLACE)}", row


def _filtered(batch: pa.RecordBatch, wanted: Wanted) -> pa.RecordBatch:
    for column, values in wanted.items():
        texts = column in batch.schema.names and pa.types.is_string(batch.schema.field(column).type)
        if texts and all(isinstance(value, str) and _PLAIN.match(value) for value in values):
            allowed = pa.array(values, pa.string())
            batch = batch.filter(pc.is_in(batch.column(column), allowed))
    return batch


def _read_folder(folder: Path, wanted: Wanted) -> Iterator[Raw]:
    for file in _files_of_folder(folder):
        yield from _FORMATS[_format(file)](file, wanted)


def _files_of_folder(folder: Path) -> list[Path]:
    """Data files of a folder that `Dataset.save_to_disk` wrote, or that holds tables of one kind.

    A folder of several splits is refused: each is a table of its own.
    """
    if (folder / "dataset_dict.json").is_file():
        splits = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
        ways = ", ".join(str(folder / split) for split in splits)
        raise DataError(f"{folder} holds several splits; name one of them: {ways}")
    if (folder / "state.json").is_file():
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return [folder / entry["filename"] for entry in state["_data_files"]]
    files = sorted(path for path in folder.iterdir() if _format(path) in _FORMATS)
    if not files:
        raise DataError(
            f"{folder} holds no table ({', '.join(sorted(_FORMATS))}) and is no folder that "
            "`datasets` saved; give a file, or a folder of save_to_disk"
        )
    if len({_format(path) for path in files}) > 1:
        raise DataError(f"{folder} holds tables of several formats; name one file")
    return files


_FORMATS: dict[str, Callable[[Path, Wanted], Iterator[Raw]]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
}
