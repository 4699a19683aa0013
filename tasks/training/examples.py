"""Training examples on disk, read without copying them into memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks import tables
from tasks.errors import DataError
from tasks.records import TrainingExample
from tasks.seeds import seed_of
from tasks.side_table import joined

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Lists:
    """A column of number lists: `lists[row]` is a view into the mapped file."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        chunks = [chunk for chunk in column.chunks if len(chunk)]
        self._starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])
        self._offsets = [chunk.offsets.to_numpy() for chunk in chunks]
        self._values = [chunk.values.to_numpy(zero_copy_only=False) for chunk in chunks]

    def __getitem__(self, row: int) -> Any:
        chunk = int(np.searchsorted(self._starts, row, side="right")) - 1
        offsets = self._offsets[chunk]
        first = row - int(self._starts[chunk])
        return self._values[chunk][offsets[first] : offsets[first + 1]]


class Variants:
    """A column of degraded responses with their degrees: `variants[row]` has those of one row."""

    def __init__(self, responses: pa.ChunkedArray, degrees: pa.ChunkedArray) -> None:
        lengths = np.asarray(pc.list_value_length(responses).to_numpy(), dtype=np.int64)
        self._starts = np.cumsum([0, *lengths])
        self._tokens = Lists(pc.list_flatten(responses))
        self._degrees = Lists(degrees)

    def __getitem__(self, row: int) -> list[tuple[Ints, int]]:
        first = int(self._starts[row])
        return [
            (self._tokens[first + number], int(degree))
            for number, degree in enumerate(self._degrees[row])
        ]


@dataclass(frozen=True, kw_only=True)
class Examples:
    """The examples of one job, grouped by prompt."""

    prompts: list[Ints]
    """Rows of each prompt, prompts in order of first appearance."""
    prompt_ids: Lists
    responses: dict[str, Lists]
    """Token ids by side, `chosen` first."""
    references: dict[str, Lists]
    """Log-probabilities by side, one reference after the other; none for losses without one."""
    weights: Floats
    columns: dict[str, Floats]
    """What the loss requires, one number per row."""
    token_columns: dict[tuple[str, str], Lists]
    """What the loss requires of each token, by side and name."""
    variants: Variants | None
    """Degraded variants; None where the loss has no head that tells them apart."""
    longest: int
    """Tokens of the longest prompt and response together."""

    @property
    def num_examples(self) -> int:
        """Rows of the table."""
        return len(self.weights)

    @property
    def sides(self) -> tuple[str, ...]:
        """Names of the responses of an example, `chosen` first."""
        return tuple(self.responses)

    def response(self, side: str, row: int) -> tuple[Ints, Floats | None]:
        """Tokens of one response, and its reference log-probabilities (K, tokens) if it has any."""
        tokens = self.responses[side][row]
        if side not in self.references:
            return tokens, None
        return tokens, self.references[side][row].reshape(-1, len(tokens))


def read_table(path: Path) -> pa.Table:
    """The memory-mapped Arrow file at `path` (IPC file or stream)."""
    try:
        source = pa.memory_map(str(path))
        try:
            return pa.ipc.open_file(source).read_all()
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_stream(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot read {path} as an Arrow file: {error}") from error


def open_examples(path: Path, loss: Any, max_tokens: int, side: Path | None = None) -> Examples:
    """The examples in `path`, checked against what `loss` needs; DataError says what is missing.

    `side` is the Arrow file with what `loss` needs beyond an example (`tasks/side_table.py`).
    """
    table = read_table(path)
    tables.check(TrainingExample, table)
    if not table.num_rows:
        raise DataError(f"{path} holds no examples; there is nothing to train on")
    _check_kind(table, loss.EXAMPLES_KIND)
    table = joined(table, None if side is None else read_table(side), loss)
    own = ("chosen", "rejected") if loss.EXAMPLES_KIND == "pair" else ("chosen",)
    sides = [*own, *loss.OTHERS]
    longest = _check_lengths(table, [f"{side}_ids" for side in sides], max_tokens)
    variants = None
    if loss.HEAD_CLASSES:
        variants, longest_variant = _variants(table, loss.HEAD_CLASSES, max_tokens)
        longest = max(longest, longest_variant)
    return Examples(
        prompts=_rows_by_prompt(table),
        prompt_ids=Lists(table.column("prompt_ids")),
        responses={side: Lists(table.column(f"{side}_ids")) for side in sides},
        references=_references(table, sides) if loss.USES_REFERENCE else {},
        weights=table.column("weight").to_numpy(),
        columns={name: _required(table, name) for name in loss.REQUIRES},
        token_columns={key: _token_column(table, *key) for key in loss.TOKEN_COLUMNS},
        variants=variants,
        longest=longest,
    )


def _check_kind(table: pa.Table, kind: str) -> None:
    found = set(pc.unique(table.column("kind")).to_pylist())
    if found != {kind}:
        raise DataError(f"the loss trains on {kind!r} examples, the table has {sorted(found)}")


def _check_lengths(table: pa.Table, sides: Sequence[str], max_tokens: int) -> int:
    """The tokens of the longest row; DataError for one without tokens or with too many."""
    longest = 0
    prompt = _lengths(table, "prompt_ids")
    _refuse(table, prompt == 0, "has an empty prompt; render it with the chat template")
    for side in sides:
        length = _lengths(table, side)
        _refuse(table, length == 0, f"has no token in {side}; drop it before training")
        _refuse(
            table,
            prompt + length > max_tokens,
            f"is longer (prompt_ids and {side}) than max_tokens {max_tokens}; drop it before",
        )
        longest = max(longest, int((prompt + length).max()))
    return longest


def _references(table: pa.Table, sides: Sequence[str]) -> dict[str, Lists]:
    """Columns with the references' log-probabilities, as many for each as it has tokens."""
    found: dict[str, Lists] = {}
    counts: set[int] = set()
    for side in sides:
        numbers, tokens = _lengths(table, f"{side}_logps"), _lengths(table, f"{side}_ids")
        wrong = (numbers % tokens != 0) | (numbers == 0)
        _refuse(
            table,
            wrong,
            f"has not one number in {side}_logps per token of {side}_ids; score it again",
        )
        counts |= set(np.unique(numbers // tokens).tolist())
        found[side] = Lists(table.column(f"{side}_logps"))
    if len(counts) > 1:
        raise DataError(f"examples have between {min(counts)} and {max(counts)} references")
    return found


def _token_column(table: pa.Table, side: str, name: str) -> Lists:
    column = f"{side}_{name}"
    wrong = _lengths(table, column) != _lengths(table, f"{side}_ids")
    _refuse(table, wrong, f"has not one number in {column} per token of {side}_ids")
    return Lists(table.column(column))


def _variants(table: pa.Table, classes: int, max_tokens: int) -> tuple[Variants, int]:
    """Degraded responses, and the tokens of the longest with its prompt."""
    responses, degrees = table.column("degraded_ids"), table.column("degrees")
    wrong = _lengths(table, "degrees") != _lengths(table, "degraded_ids")
    _refuse(table, wrong, "has not one number in degrees per response in degraded_ids")
    owners = pc.list_parent_indices(responses.combine_chunks()).to_numpy()
    lengths = pc.list_value_length(pc.list_flatten(responses)).to_numpy()
    tokens, each = _lengths(table, "prompt_ids")[owners] + lengths, pc.list_flatten(degrees)
    unknown = (each.to_numpy() < 0) | (each.to_numpy() >= classes)
    for problem, bad in {
        "has no token in a response of degraded_ids; drop it before training": lengths == 0,
        f"is longer (prompt_ids and degraded_ids) than max_tokens {max_tokens}; drop it before": (
            tokens > max_tokens
        ),
        f"has a degree that is not among 0 to {classes - 1}": unknown,
    }.items():
        _refuse(table, np.isin(np.arange(table.num_rows), owners[bad]), problem)
    return Variants(responses, degrees), int(tokens.max(initial=0))


def _lengths(table: pa.Table, name: str) -> Ints:
    lengths = pc.fill_null(pc.list_value_length(table.column(name)), 0)
    return np.asarray(lengths.to_numpy(), dtype=np.int64)


def _refuse(table: pa.Table, wrong: Any, problem: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        name = table.column("example_id")[row].as_py()
        raise DataError(f"example {name!r} {problem} ({int(wrong.sum())} such examples)")


def _required(table: pa.Table, name: str) -> Floats:
    column = table.column(name) if name in table.column_names else None
    if column is None or column.null_count:
        raise DataError(f"the loss requires the column {name!r} of every example")
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _rows_by_prompt(table: pa.Table) -> list[Ints]:
    codes = table.column("prompt_id").combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    return np.split(order, cuts)


def batch_prompts(num_prompts: int, prompts_per_batch: int, seed: int, step: int) -> Ints:
    """Prompts of 0-based optimizer step `step`: a pure function, so a resumed run needs no sampler.

    Every epoch goes over all prompts in its own order; its last batch may be smaller.
    """
    per_epoch = -(-num_prompts // prompts_per_batch)
    epoch, index = divmod(step, per_epoch)
    order = np.random.default_rng(seed_of(seed, "epoch", epoch)).permutation(num_prompts)
    return order[index * prompts_per_batch : (index + 1) * prompts_per_batch]
