"""Door: prompts and the model matrix in, responses out; one stage and one process per cell."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.engines._contract import Request, Sample
from infra.models import checkpoint_folder, local_folder, positions_of
from infra.place import note, open_stage, records_of
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.processes.room import Needs, room
from infra.progress import progress
from infra.stages import Stage
from tasks.config import CellSection
from tasks.describe import describe
from tasks.model_matrix import Cell, matrix_cells
from tasks.quotas import quota
from tasks.records import Artifact, Collected, Place, Prompt, Response
from tasks.responses import (
    Tokens,
    check_claim,
    check_room,
    counts_of_drawn,
    is_answer,
    messages_for,
    response_of,
    row_seed,
    shards_of,
    tokens_of,
)
from tasks.sample_job import Around, Shown, job_of, purse_for, spent
from tasks.tables import content, to_table
from tasks.token_logps import beside, tables_of
from tasks.tokens import load_tokenizer, render

SEMANTICS = 1
EVALUATION_ROUND = -1
"""Seeds of evaluation do not depend on the round, so equal work in two rounds is one stage."""


def resolve_matrix(
    matrix: Mapping[str, CellSection], prompts: Collected, place: Place
) -> dict[str, Cell]:
    """The cells of this round with the weights they stand for.

    Raises ConfigError if one is missing, DataError if a prompt leaves a cell no room to answer:
    evaluation prompts are answered late, so they are looked at now.
    """
    cells = cells_of(matrix, place)
    train = records_of(place, Prompt, prompts.train)
    check_rooms(cells, train, records_of(place, Prompt, prompts.evaluation), place)
    return cells


def cells_of(matrix: Mapping[str, CellSection], place: Place) -> dict[str, Cell]:
    """The cells of this round; ConfigError if the model or file of one is missing."""
    return matrix_cells(
        matrix,
        place,
        describe=lambda model: describe(local_folder(model)),
        fingerprint=lambda cell: cell.engine.fingerprint(cell.model),
    )


def check_rooms(
    cells: Mapping[str, Cell], train: list[Prompt], evaluation: list[Prompt], place: Place
) -> None:
    """Raise DataError if one of the prompts that a cell answers leaves it no room to answer."""
    for cell in cells.values():
        asked = quota(train, cell.name, cell.share, place.seed)
        _check_room(cell, asked + evaluation if cell.origin == "policy" else asked, place)


def _check_room(cell: Cell, prompts: list[Prompt], place: Place) -> None:
    """Look at `cell`'s tokenizer and config alone; a policy has those of the SFT model."""
    if cell.checkpoint is None:
        return
    stored = "/stages/" in cell.checkpoint.uri
    folder = Path((place.sft if stored else cell.checkpoint).uri)
    positions = positions_of(folder)
    if positions is not None:
        check_room(prompts, cell, load_tokenizer(folder), positions)


def sample(prompts: Artifact, cells: Mapping[str, Cell], role: str, place: Place) -> list[Artifact]:
    """Let every cell answer every prompt; one artifact of responses per cell, in cell order."""
    futures = [
        sample_cell.submit(
            name=f"{name} · {role}", prompts=prompts, cell=cell, role=role, place=place
        )
        for name, cell in cells.items()
    ]
    return [future.result() for future in futures]


@door("sample", retries=3)
def sample_cell(
    name: str, prompts: Artifact, cell: Cell, role: str, place: Place
) -> Artifact | None:
    """Let one cell answer its share of the prompts; what is committed is not drawn again.

    None where others who share its shards are still at theirs.
    """
    seed_round = place.round_index if role == "train" else EVALUATION_ROUND
    stage = open_stage(
        place,
        "sample",
        settings={"cell": cell.digest, "name": cell.name, "samples": cell.settings.samples},
        inputs={"prompts": _content(prompts, cell, place)},
        seeds={"seed": place.seed, "round": seed_round},
        semantics=SEMANTICS,
    )
    here = cell.settings.engine.READS_FILES
    if done := stage.finished() or elsewhere(stage, unless=here):
        return note(place, f"sample-{role}-{cell.name}", done.artifact)
    with room(place.side_by_side).entered(needs_of(cell, place)) as entry:
        shards = shards_of(_asked(prompts, cell, place))
        around = Around(f"sample · {name}", _folder(cell, place.root), entry, place)
        _draw(stage, shards, cell, around)
    if not place.part.whole and not stage.has_shards(len(shards)):
        return None
    artifact = _commit(stage, len(shards), cell, place)
    return note(place, f"sample-{role}-{cell.name}", artifact)


def _asked(prompts: Artifact, cell: Cell, place: Place) -> list[Prompt]:
    """The prompts that `cell` answers."""
    return quota(records_of(place, Prompt, prompts), cell.name, cell.share, place.seed)


def _content(prompts: Artifact, cell: Cell, place: Place) -> str:
    """Digest of the prompts that `cell` answers; all of them need not be read for that."""
    if cell.share >= 1:
        return prompts.content
    return content(Prompt, to_table(Prompt, _asked(prompts, cell, place)))


def needs_of(cell: Cell, place: Place) -> Needs:
    """What sampling `cell` takes of the machine; a policy weighs what the SFT model does."""
    checkpoint, weights, model = cell.checkpoint, 0, ""
    if checkpoint is not None:
        model = checkpoint.sha256
        folder = Path((place.sft if "/stages/" in checkpoint.uri else checkpoint).uri)
        weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    needs: Needs = cell.settings.engine.needs(weights, model)
    return needs


def _draw(stage: Stage, shards: list[list[Prompt]], cell: Cell, around: Around) -> None:
    """Commit the shards that are still to do, each as soon as the engine has it."""
    seeds = stage.key.seeds["seed"], stage.key.seeds["round"]
    committed = set(stage.shards())
    tokens = _tokens(cell, around.folder)
    own = around.place.part.indices(len(shards))
    requests = {
        index: [one for prompt in shards[index] for one in _requests(prompt, cell, seeds, tokens)]
        for index in own
        if index not in committed
    }
    total = sum(len(shards[index]) for index in own) * cell.settings.samples
    with progress.verb(around.label, total=total) as bar, purse_for(cell, around.place) as purse:
        bar.advance(total - sum(len(part) for part in requests.values()))
        job = job_of(stage, cell, requests, Shown(tokens, purse, bar), around)
        for index, drawn in cell.settings.engine.sample(job) if requests else ():
            rows = to_table(Response, _responses(requests[index], drawn, cell, tokens))
            logps = [one.token_logps for one in drawn if is_answer(one)]
            counts = counts_of_drawn(len(requests[index]), drawn)
            stage.commit_shard(index, beside(rows, logps), counts)


def _responses(
    requests: list[Request], drawn: Sequence[Sample], cell: Cell, tokens: Tokens | None
) -> list[Response]:
    seeds = {(one.prompt_id, one.sample_index): one.seed for one in requests}
    return [
        response_of(one, cell, seeds[one.prompt_id, one.sample_index], tokens)
        for one in drawn
        if is_answer(one)
    ]


def _tokens(cell: Cell, folder: Path | None) -> Tokens | None:
    if cell.checkpoint is None or folder is None or not cell.settings.engine.TAKES_TOKENS:
        return None
    return tokens_of(cell.checkpoint, load_tokenizer(folder))


def _folder(cell: Cell, root: str) -> Path | None:
    """The folder with the cell's weights; ConfigError if it holds others than the cell claims."""
    if cell.checkpoint is None:
        return None
    folder = checkpoint_folder(cell.checkpoint, root)
    check_claim(f"matrix.{cell.name}", cell.checkpoint, describe(folder))
    return folder


def _requests(
    prompt: Prompt, cell: Cell, seeds: tuple[int, int], tokens: Tokens | None
) -> list[Request]:
    messages = messages_for(cell, prompt)
    ids = render(tokens.tokenizer, messages) if tokens else None
    return [
        Request(
            prompt_id=prompt.prompt_id,
            sample_index=index,
            seed=row_seed(*seeds, cell, prompt.prompt_id, index),
            messages=messages,
            prompt_ids=ids,
            source=prompt.source,
            source_id=prompt.source_id,
        )
        for index in range(cell.settings.samples)
    ]


def _commit(stage: Stage, shards: int, cell: Cell, place: Place) -> Artifact:
    found = [stage.shard(index) for index in range(shards)]
    tables = tables_of([shard for shard in found if shard is not None])
    _, table = tables["rows"]
    counts = Counter({"responses": table.num_rows})
    for index in range(shards):
        counts.update(stage.shard_counts(index) or {})
    cut = sum(reason == "length" for reason in table.column("finish_reason").to_pylist())
    facts = {"cell": cell.name, "sampled": cell.fingerprint, "origin": cell.origin}
    return stage.commit(
        tables=tables,
        counts={**counts, "cut_at_max_tokens": cut},
        facts=facts,
        volatile=spent(stage, cell, place),
    )
