"""What every door does with its place: open its stage, read its inputs, note what is done."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from infra.artifacts import open_artifact
from infra.blocks import BLOCK_PROMPTS, Blocks, TableName, by_prompt
from infra.journal import Journal
from infra.ledger import Ledger, Purse, opened_ledger, past_spending
from infra.run_tree import RunTree
from infra.stages import Stage, StageKey
from infra.storage import Store, open_store
from infra.table_files import TableFile
from infra.work import journal_file, ledger_file, stage_dir
from tasks.canonical import short_id
from tasks.records import (
    Artifact,
    Place,
    Prompt,
    ReferenceScore,
    Response,
)
from tasks.spending import Price
from tasks.tables import from_table

Record = TypeVar("Record")


def store_of(place: Place) -> Store:
    """The store that the run lives in."""
    return open_store(place.storage)


def open_stage(
    place: Place,
    verb: str,
    *,
    settings: Any,
    inputs: Mapping[str, str],
    semantics: int,
    **more: Mapping[str, Any],
) -> Stage:
    """The stage of `verb` on these settings and inputs; `more` are seeds and fingerprints.

    A verb that is forced again in this round gets a key of its own, so what was is kept.
    """
    seeds = dict(more.get("seeds", {}))
    if again := place.redo.get(verb, 0):
        seeds |= {"redo": again, "redo_round": place.round_index}
    key = StageKey(
        verb=verb,
        settings=settings,
        inputs=inputs,
        seeds=seeds,
        fingerprints=more.get("fingerprints", {}),
        semantics={"door": semantics},
    )
    return Stage(store_of(place), key)


def workdir_of(stage: Stage, place: Place) -> Path:
    """The local folder for work on `stage`; those who share its shards have one each."""
    folder, part = stage_dir(stage.key.verb, stage.digest), place.part
    if part.whole:
        return folder
    own = folder / f"part-{part.index + 1}-of-{part.of}"
    own.mkdir(exist_ok=True)
    return own


def journal_of(stage: Stage, model: str) -> Journal:
    """The journal of the calls that stages of this verb pay `model` for, not opened yet.

    All stages of a store share it, so none pays for what another has asked. A verb that is forced
    again has one of its own: it is to ask again.
    """
    forced = {name: stage.key.seeds.get(name, 0) for name in ("redo", "redo_round")}
    name = short_id(model, forced)
    verb, store = stage.key.verb, stage.store
    local = journal_file(store.root, verb, name)
    return Journal(local, store, f"journals/{verb}/{name}")


def spent_by(store: Store, run: str) -> Ledger:
    """What a run has spent so far."""
    return past_spending(*_ledger(store, run))


def _ledger(store: Store, run: str) -> tuple[Path, Store, str]:
    """Where the ledger of a run is: on this machine, and in the store."""
    return ledger_file(store.root, run), store, f"runs/{run}/spending"


@contextmanager
def purse_of(place: Place, verb: str, who: str, price: Price | None) -> Iterator[Purse]:
    """What calls of a cell or judge may spend, within the block."""
    where = _ledger(store_of(place), place.run)
    with opened_ledger(*where, place.terms.budget) as ledger:
        yield Purse(
            ledger=ledger,
            round_index=place.round_index,
            verb=verb,
            who=who,
            price=price,
            degrades=place.terms.budget.when_spent == "degrade",
        )


def contents(name: str, artifacts: Iterable[Artifact]) -> dict[str, str]:
    """The contents of several artifacts as inputs of a stage, numbered by their order."""
    return {f"{name}-{index}": one.content for index, one in enumerate(artifacts)}


def blocks_of(
    place: Place,
    of: str,
    size: int = BLOCK_PROMPTS,
    /,
    **tables: Artifact | Iterable[Artifact] | TableName,
) -> AbstractContextManager[Blocks]:
    """Tables of finished stages in ranges of `size` prompts of the tables `of`.

    Each of `tables` is the main table of one or several stages, or one stage and a table's name.
    """
    return by_prompt(
        store_of(place), {name: _tables(given) for name, given in tables.items()}, of, size
    )


def _tables(given: Artifact | Iterable[Artifact] | TableName) -> list[TableName]:
    if isinstance(given, Artifact):
        return [(given, "rows")]
    if isinstance(given, TableFile):
        return [given]
    listed: list[Any] = list(given)
    if len(listed) == 2 and isinstance(listed[1], str):
        return [(listed[0], listed[1])]
    return [(one, "rows") for one in listed]


def rows_about(
    place: Place,
    prompts: Artifact,
    responses: Iterable[Artifact],
    is_about: Callable[[Prompt], bool],
    response_ids: Container[str],
) -> tuple[list[Prompt], list[Response]]:
    """The prompts for which `is_about` holds or with one of `response_ids`; all their responses."""
    asked: list[Prompt] = []
    answers: list[Response] = []
    with blocks_of(place, "prompts", prompts=prompts, responses=responses) as blocks:
        for block in blocks:
            given = block.records(Response, "responses")
            named = {one.prompt_id for one in given if one.response_id in response_ids}
            found = [
                one
                for one in block.records(Prompt, "prompts")
                if one.prompt_id in named or is_about(one)
            ]
            kept = {one.prompt_id for one in found}
            asked += found
            answers += [one for one in given if one.prompt_id in kept]
    return asked, answers


def scores_of(
    store: Store, artifact: Artifact, response_ids: Iterable[str]
) -> dict[str, ReferenceScore]:
    """The scores of some responses, by response; the others are not kept."""
    wanted = pa.array(sorted(set(response_ids)), pa.string())
    found: dict[str, ReferenceScore] = {}
    with open_artifact(store, artifact).opened() as table:
        for rows in table.groups():
            some = rows.filter(pc.is_in(rows.column("response_id"), wanted))
            found |= {one.response_id: one for one in from_table(ReferenceScore, some)}
    return found


def table_of(place: Place, artifact: Artifact, name: str = "rows") -> pa.Table:
    """A table of a finished stage."""
    return open_artifact(store_of(place), artifact).table(name)


def tables_in(place: Place, artifact: Artifact) -> dict[str, str]:
    """The tables of a finished stage, by name the digest of their content."""
    tables = open_artifact(store_of(place), artifact).manifest["tables"]
    return {name: entry["content"] for name, entry in tables.items()}


def records_of(
    place: Place, record: type[Record], artifacts: Artifact | Iterable[Artifact], name: str = "rows"
) -> list[Record]:
    """The records of one or several finished stages, in order."""
    listed = [artifacts] if isinstance(artifacts, Artifact) else list(artifacts)
    return [row for one in listed for row in from_table(record, table_of(place, one, name))]


def counts_of(place: Place, artifact: Artifact) -> dict[str, int]:
    """The counts in a finished stage's manifest."""
    return open_artifact(store_of(place), artifact).counts


def facts_of(place: Place, artifact: Artifact) -> dict[str, Any]:
    """The facts in a finished stage's manifest."""
    return open_artifact(store_of(place), artifact).facts


def side_of(place: Place, artifact: Artifact) -> dict[str, Any]:
    """Cost, seconds and the like of the attempt that finished a stage."""
    return open_artifact(store_of(place), artifact).side()


def note(place: Place, role: str, artifact: Artifact) -> Artifact:
    """Point from the round to a finished stage, for `tso status`; returns `artifact`."""
    pointer = {"uri": artifact.uri, "content": artifact.content, "rows": artifact.rows}
    tree = RunTree(store_of(place), place.run)
    tree.point(place.round_index, f"{place.contender}{role}", pointer, place.redo)
    return artifact
