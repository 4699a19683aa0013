"""Part of the doors that let engines write: what one gets to do, and what its calls may cost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from infra.engines._contract import Decoding, Job, Request
from infra.ledger import Purse
from infra.models import checkpoint_folder
from infra.place import journal_of, purse_of, workdir_of
from infra.processes.room import Entry, Needs
from infra.progress import Bar
from infra.stages import Stage
from infra.work import work_root
from tasks.describe import describe
from tasks.model_matrix import Cell
from tasks.records import Place
from tasks.responses import Tokens, check_claim, tokens_of
from tasks.storage_settings import StorageSettings
from tasks.tokens import load_tokenizer, stop_ids
from tasks.usage import Usage, is_paid, watching


class Around(NamedTuple):
    """What a cell is sampled with."""

    label: str
    """Of the progress bar."""
    folder: Path | None
    """The cell's weights, where it has some."""
    entry: Entry
    """Its place on this machine."""
    place: Place


class ShardsToDo(Mapping[int, list[Request]]):
    """The requests of shards, made when they are asked for; those asked for last are kept."""

    def __init__(self, indices: Sequence[int], make: Callable[[int], list[Request]]) -> None:
        self._indices = indices
        self._make = lru_cache(maxsize=1)(make)

    def __getitem__(self, index: int) -> list[Request]:
        return self._make(index)

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)


class Shown(NamedTuple):
    """What a cell's requests are made with and paid from, and where its progress shows."""

    tokens: Tokens | None
    purse: Purse | None
    bar: Bar


def needs_of(cell: Cell, place: Place) -> Needs:
    """What sampling `cell` takes of the machine; a policy weighs what the SFT model does."""
    checkpoint, weights, model = cell.checkpoint, 0, ""
    if checkpoint is not None:
        model = checkpoint.sha256
        folder = Path((place.sft if "/stages/" in checkpoint.uri else checkpoint).uri)
        weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    needs: Needs = cell.settings.engine.needs(weights, model)
    return needs


def folder_of(cell: Cell, storage: StorageSettings) -> Path | None:
    """The folder with the cell's weights; ConfigError if it holds others than the cell claims."""
    if cell.checkpoint is None:
        return None
    folder = checkpoint_folder(cell.checkpoint, storage)
    check_claim(f"matrix.{cell.name}", cell.checkpoint, describe(folder))
    return folder


def tokens_for(cell: Cell, folder: Path | None) -> Tokens | None:
    """How an engine that takes token ids reads texts; None for one that is given words."""
    if cell.checkpoint is None or folder is None or not cell.settings.engine.TAKES_TOKENS:
        return None
    return tokens_of(cell.checkpoint, load_tokenizer(folder))


def purse_for(verb: str, cell: Cell, place: Place) -> AbstractContextManager[Purse | None]:
    """What the cell's calls may spend; None where asking it costs nothing."""
    engine, model = cell.settings.engine, cell.settings.model
    if not is_paid(engine):
        return nullcontext()
    return purse_of(place, verb, cell.name, place.terms.price_of(engine, model))


def job_of(
    stage: Stage,
    cell: Cell,
    requests: Mapping[int, Sequence[Request]],
    shown: Shown,
    around: Around,
) -> Job:
    """What the engine of `cell` draws for `stage`: the `requests` of each shard."""
    engine, purse, tokens = cell.settings.engine, shown.purse, shown.tokens
    return Job(
        stage=stage.digest,
        model=cell.settings.model if around.folder is None else str(around.folder),
        decoding=Decoding(
            temperature=cell.settings.temperature,
            top_p=cell.settings.top_p,
            max_tokens=cell.settings.max_tokens,
        ),
        shards=requests,
        workdir=workdir_of(stage, around.place),
        stop_ids=stop_ids(tokens.tokenizer) if tokens else [],
        item_log=work_root() / "items.jsonl",
        journal=journal_of(stage, _answering(cell)) if engine.ASKS else None,
        watch=watching(purse.price if purse else None, shown.bar),
        purse=purse,
        limits=around.place.terms.limits_at,
        gpus=around.entry.gpus,
        on_progress=shown.bar.advance,
        on_draining=around.entry.drain,
    )


def spent(stage: Stage, cell: Cell, place: Place) -> dict[str, Any]:
    """Calls, tokens and money of every process that worked on the stage."""
    engine = cell.settings.engine
    if not engine.ASKS:
        return {}
    with journal_of(stage, _answering(cell)) as journal:
        price = place.terms.price_of(engine, cell.settings.model) if is_paid(engine) else None
        return Usage.of(journal.entries(stage.digest), price).plain


def _answering(cell: Cell) -> str:
    """Whose journal it is: an API's model has a name, weights of ours have a digest."""
    return cell.checkpoint.sha256 if cell.checkpoint else cell.settings.model
