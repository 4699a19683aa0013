"""Door: prompts and the model matrix in, responses out; one stage and one process per cell."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from infra.engines._contract import Request, Sample
from infra.models import local_folder, positions_of
from infra.place import note, open_stage, store_of
from infra.prefect.door import door
from infra.prefect.elsewhere import elsewhere
from infra.processes.room import room
from infra.progress import progress
from infra.prompt_shards import PromptShards, prompt_shards
from infra.stages import Stage
from infra.table_files import spooled
from tasks.config import CellSection
from tasks.describe import describe
from tasks.model_matrix import Cell, matrix_cells
from tasks.quotas import quota
from tasks.records import Artifact, Collected, Place, Prompt, Response
from tasks.responses import (
    Tokens,
    check_room,
    counts_of_drawn,
    is_answer,
    messages_for,
    response_of,
    row_seed,
)
from tasks.sample_job import (
    Around,
    ShardsToDo,
    Shown,
    folder_of,
    job_of,
    purse_for,
    spent,
    tokens_for,
)
from tasks.sample_job import needs_of as needs_of  # what a machine must hold is shown, too
from tasks.tables import to_table
from tasks.token_logps import TABLE, beside, split_off
from tasks.tokens import load_tokenizer, render

SEMANTICS = 1
Parts = Sequence[Sequence[Prompt]]
EVALUATION_ROUND = -1
"""Seeds of evaluation do not depend on the round, so equal work in two rounds is one stage."""


def resolve_matrix(
    matrix: Mapping[str, CellSection], prompts: Collected, place: Place
) -> dict[str, Cell]:
    """The cells of this round with the weights they stand for.

    Raises ConfigError if one is missing, DataError if a prompt leaves a cell no room to answer:
    evaluation prompts are answered late, so they are looked at now.
    """
    cells, store = cells_of(matrix, place), store_of(place)
    with (
        prompt_shards(store, prompts.train) as train,
        prompt_shards(store, prompts.evaluation) as evaluation,
    ):
        check_rooms(cells, train, evaluation, place)
    return cells


def cells_of(matrix: Mapping[str, CellSection], place: Place) -> dict[str, Cell]:
    """The cells of this round; ConfigError if the model or file of one is missing."""
    return matrix_cells(
        matrix,
        place,
        describe=lambda model: describe(local_folder(model)),
        fingerprint=lambda cell: cell.engine.fingerprint(cell.model),
    )


def check_rooms(cells: Mapping[str, Cell], train: Parts, evaluation: Parts, place: Place) -> None:
    """Raise DataError if one of the prompts that a cell answers leaves it no room to answer.

    Looks at tokenizer and config alone; a policy has those of the SFT model.
    """
    for cell in cells.values():
        if cell.checkpoint is None:
            continue
        stored = "/stages/" in cell.checkpoint.uri
        folder = Path((place.sft if stored else cell.checkpoint).uri)
        positions = positions_of(folder)
        if positions is not None:
            asked = _asked(cell, train, evaluation, place)
            check_room(asked, cell, load_tokenizer(folder), positions)


def _asked(cell: Cell, train: Parts, evaluation: Parts, place: Place) -> Iterator[Prompt]:
    """The prompts that `cell` answers in a round."""
    picks = _quota(cell, place)
    kept = picks([one.prompt_id for part in train for one in part]) if picks else None
    for one in chain.from_iterable(train):
        if kept is None or one.prompt_id in kept:
            yield one
    if cell.origin == "policy":
        yield from chain.from_iterable(evaluation)


def _quota(cell: Cell, place: Place) -> Callable[[Sequence[str]], set[str]] | None:
    """Which of the ids of a round's prompts `cell` answers; None for all of them."""
    if cell.share >= 1:
        return None
    return lambda ids: quota(ids, cell.name, cell.share, place.seed)


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
    with (
        room(place.side_by_side).entered(needs_of(cell, place)) as entry,
        prompt_shards(stage.store, prompts, _quota(cell, place)) as shards,
    ):
        around = Around(f"sample · {name}", folder_of(cell, place.storage), entry, place)
        _draw(stage, shards, cell, around)
    if not place.part.whole and not stage.has_shards(len(shards)):
        return None
    artifact = _commit(stage, len(shards), cell, place)
    return note(place, f"sample-{role}-{cell.name}", artifact)


def _content(prompts: Artifact, cell: Cell, place: Place) -> str:
    """Digest of the prompts that `cell` answers; all of them need not be read for that."""
    picks = _quota(cell, place)
    if picks is None:
        return prompts.content
    with prompt_shards(store_of(place), prompts, picks) as shards, spooled(Prompt) as asked:
        for index in range(len(shards)):
            asked.add(shards.rows(index))
        return str(asked.close())


def _draw(stage: Stage, shards: PromptShards, cell: Cell, around: Around) -> None:
    """Commit the shards that are still to do, each as soon as the engine has it."""
    seeds = stage.key.seeds["seed"], stage.key.seeds["round"]
    tokens = tokens_for(cell, around.folder)
    own = around.place.part.indices(len(shards))
    to_do = sorted(set(own) - set(stage.shards()))
    requests = ShardsToDo(
        to_do,
        lambda index: [
            one for prompt in shards[index] for one in _requests(prompt, cell, seeds, tokens)
        ],
    )
    total, left = sum(map(shards.size, own)), sum(map(shards.size, to_do))
    samples = cell.settings.samples
    with (
        progress.verb(around.label, total=total * samples) as bar,
        purse_for("sample", cell, around.place) as purse,
    ):
        bar.advance((total - left) * samples)
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
    counts = Counter({"responses": 0, "cut_at_max_tokens": 0})
    facts = {"cell": cell.name, "sampled": cell.fingerprint, "origin": cell.origin}
    with spooled(Response) as rows, spooled(None) as logps:
        for table, counted in stage.committed(range(shards)):
            responses, said = split_off(table)
            rows.add(responses)
            if said is not None:
                logps.add(said)
            reasons = responses.column("finish_reason").to_pylist()
            counts.update(counted)
            counts.update(responses=table.num_rows, cut_at_max_tokens=reasons.count("length"))
        return stage.commit(
            tables={"rows": rows} | ({TABLE: logps} if logps.rows else {}),
            counts=counts,
            facts=facts,
            volatile=spent(stage, cell, place),
        )
