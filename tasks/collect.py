"""Door: pool files in, the round's prompts and its evaluation prompts out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from infra.place import note, open_stage, spent_by, store_of, table_of
from infra.prefect.door import door
from infra.progress import progress
from infra.rows import file_digests, read_rows, read_tables
from infra.run_tree import RunTree
from tasks.canonical import digest
from tasks.collect_clean import POOL, clean_responses, clean_written
from tasks.config import Config, PromptsSection
from tasks.decontamination.texts import as_tables, cleaned, counted
from tasks.errors import DataError
from tasks.evaluation_prompts import drawn_evaluation
from tasks.evaluation_sets._contract import pool_rows
from tasks.forecast import forecast, sentences
from tasks.plan import Line, Sizes, bytes_of, plan_round
from tasks.prompts import (
    Pool,
    each_prompt,
    fresh_batch,
    members,
    pool_of,
    prompt_of,
    split_digests,
)
from tasks.records import Artifact, Collected, Feedback, Place, Prompt
from tasks.sources import Row, Source
from tasks.tables import content
from tasks.variants import settings_of

SEMANTICS = 1


def read_pool(settings: PromptsSection) -> Pool:
    """The pool of all files; DataError if it has no train or no held-out prompt."""
    pool = pool_of(_rows(settings), settings.split_shares)
    for split in ("train", "held_out"):
        if not pool.counts[split]:
            raise DataError(
                f"the pool of {', '.join(source.file for source in settings.files)} has no {split} "
                f'prompt ({pool.counts}); add rows with "split": "{split}", or draw a share of the '
                f"rows without a split: prompts.split_shares: {{{split}: 0.1}}"
            )
    return pool


def _rows(settings: PromptsSection) -> Iterator[Row]:
    """The rows of all tables, evaluation sets first: of equal prompts theirs is kept."""
    tables = {name: read_rows(one.file) for name, one in settings.evaluation.items()}
    yield from pool_rows(settings.evaluation, tables)
    yield from read_tables(settings.files)


def _sources(settings: PromptsSection) -> list[Source]:
    sets = (one.file for _, one in sorted(settings.evaluation.items()))
    return [*settings.files, *sets]


def _known_pool(settings: PromptsSection, place: Place) -> tuple[Pool, Artifact]:
    """The pool as an earlier round read it, or read now: files are parsed once.

    Train prompts that repeat a measured one are left out. Its stage is noted by whoever draws
    from it: a round that finds the pool used up has not begun.
    """
    against = settings.decontamination.against if settings.decontamination else []
    stage = open_stage(
        place,
        "collect",
        settings={
            "role": "pool",
            "files": settings_of(settings.files),
            "split_shares": dict(settings.split_shares),
            **({"evaluation": settings_of(settings.evaluation)} if settings.evaluation else {}),
            "decontamination": settings_of(settings.decontamination),
            "against": settings_of(against),
        },
        inputs={},
        fingerprints={
            **file_digests(_sources(settings)),
            **{f"against-{name}": one for name, one in file_digests(against).items()},
        },
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return Pool(done.table(), done.counts), done.artifact
    pool, tables = clean_pool(settings)
    rows = {"rows": (Prompt, pool.table), **tables}
    return pool, stage.commit(tables=rows, counts=pool.counts, deterministic=True)


def clean_pool(settings: PromptsSection) -> tuple[Pool, Mapping[str, Any]]:
    """The pool as it is drawn from, and tables of what was looked for and what was found."""
    pool = read_pool(settings)
    if settings.decontamination is None:
        return pool, {}
    elsewhere = map(prompt_of, read_tables(settings.decontamination.against))
    clean = cleaned(pool, elsewhere, settings.decontamination)
    if clean.found:
        said = ", ".join(f"{number} {kind}" for kind, number in counted(clean.found).items())
        progress.note(f"train prompts that repeat evaluation prompts are left out: {said}")
    return clean.pool, as_tables(clean.texts, clean.found)


@door("collect")
def decontaminated(
    responses: list[Artifact], settings: PromptsSection, place: Place
) -> list[Artifact]:
    """`responses` without those that repeat an evaluation set, before judges are paid for them."""
    wanted = settings.decontamination
    return clean_responses(responses, wanted, place) if wanted and wanted.responses else responses


@door("collect")
def decontaminated_feedback(feedback: Feedback, settings: PromptsSection, place: Place) -> Feedback:
    """`feedback` without what people wrote that repeats an evaluation set."""
    wanted = settings.decontamination
    return clean_written(feedback, wanted, place) if wanted and wanted.responses else feedback


@door("collect")
def collect(settings: PromptsSection, place: Place) -> Collected | None:
    """Draw the round's prompts; None if all are used up, DataError if a measured split changed."""
    pool, read = _known_pool(settings, place)
    RunTree(store_of(place), place.run).create("splits.json", split_digests(pool.table))
    check_splits(pool, place)
    batch, evaluation = draw(pool, settings, place)
    if not batch.num_rows:
        return None
    note(place, POOL, read)
    return Collected(
        train=_commit(batch, "train", pool.counts, place),
        evaluation=_commit(evaluation, "evaluation", pool.counts, place),
    )


def draw(pool: Pool, settings: PromptsSection, place: Place) -> tuple[pa.Table, pa.Table]:
    """The round's train prompts, none of them used before, and its evaluation prompts."""
    batch = fresh_batch(pool.table, used_prompts(place), settings.per_round, place.seed)
    names = (place.seed, place.round_index, "held_out")
    return batch, drawn_evaluation(pool.table, settings.evaluation, settings.held_out, *names)


@door("collect")
def collect_split(settings: PromptsSection, split: str, place: Place) -> Artifact:
    """All prompts of `split`, or of all splits for `all`; DataError if there is none."""
    pool = pool_of(_rows(settings), settings.split_shares)
    found = pool.table if split == "all" else members(pool.table, split)
    if not found.num_rows:
        raise DataError(f"the pool has no {split!r} prompt: {pool.counts}")
    return _commit(found, split, pool.counts, place)


def used_prompts(place: Place) -> list[pa.Array]:
    """Ids of the prompts that each earlier round of the run trained on."""
    used = []
    for manifest in RunTree(store_of(place), place.run).manifests()[: place.round_index]:
        table = table_of(place, Artifact(**manifest["artifacts"]["collect-train"]))
        used.append(table.column("prompt_id").combine_chunks())
    return used


def check_splits(pool: Pool, place: Place) -> None:
    """Raise DataError if the members of a measured split are not those of the first round."""
    frozen = RunTree(store_of(place), place.run).read("splits.json")
    for split, found in split_digests(pool.table).items():
        if frozen is not None and frozen[split] != found:
            raise DataError(
                f"the members of split {split!r} changed since the first round of {place.run!r} "
                f"({frozen[split][:12]} → {found[:12]}); figures of rounds would not compare. "
                "Restore the split's prompts, or start a new run"
            )


def _commit(table: pa.Table, role: str, counts: dict[str, int], place: Place) -> Artifact:
    stage = open_stage(
        place,
        "collect",
        settings={"role": role},
        inputs={"rows": content(Prompt, table), "pool": digest(counts)},
        semantics=SEMANTICS,
    )
    done = stage.finished()
    artifact = (
        done.artifact
        if done
        else stage.commit(
            tables={"rows": (Prompt, table)},
            counts={"drawn": table.num_rows, **counts},
            deterministic=True,
        )
    )
    return note(place, f"collect-{role}", artifact)


def cost_forecast(lines: Sequence[Line], place: Place) -> list[str]:
    """What the round's calls will cost, in words, as far as the run's calls so far tell."""
    ledger = spent_by(store_of(place), place.run)
    found = forecast(lines, ledger.parts())
    return sentences(found, place.terms.budget, ledger.spent(place.round_index), ledger.spent())


def foresee(config: Config, prompts: Collected, place: Place) -> None:
    """Say what the round's calls will cost before the first of them is made."""
    train = table_of(place, prompts.train)
    evaluation = table_of(place, prompts.evaluation)
    sizes = Sizes(
        prompts=train.num_rows,
        evaluation_prompts=evaluation.num_rows,
        prompt_bytes=sum(map(bytes_of, each_prompt(train))),
        evaluation_bytes=sum(map(bytes_of, each_prompt(evaluation))),
        weight_bytes=0,
        shares=place.shares,
        measured=config.evaluation.due(place.round_index),
    )
    lines = plan_round(config, sizes)
    if any(line.paid_calls for line in lines):
        for said in cost_forecast(lines, place):
            progress.note(f"round {place.round_index} · {said}")
