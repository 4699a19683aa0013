"""Part of the sample door: what an engine is given to do, and what its calls may cost."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from infra.engines._contract import Decoding, Job, Request
from infra.ledger import Purse
from infra.place import journal_of, purse_of, workdir_of
from infra.processes.room import Entry
from infra.progress import Bar
from infra.stages import Stage
from infra.work import work_root
from tasks.model_matrix import Cell
from tasks.records import Place
from tasks.responses import Tokens
from tasks.tokens import stop_ids
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


class Shown(NamedTuple):
    """What a cell's requests are made with and paid from, and where its progress shows."""

    tokens: Tokens | None
    purse: Purse | None
    bar: Bar


def purse_for(cell: Cell, place: Place) -> AbstractContextManager[Purse | None]:
    """What the cell's calls may spend; None where asking it costs nothing."""
    engine, model = cell.settings.engine, cell.settings.model
    if not is_paid(engine):
        return nullcontext()
    return purse_of(place, "sample", cell.name, place.terms.price_of(engine, model))


def job_of(
    stage: Stage,
    cell: Cell,
    requests: dict[int, list[Request]],
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
