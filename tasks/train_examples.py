"""Part of the train door: the round's examples, written range by range for the trainer to read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from infra.arrow_files import growing_arrow, read_arrow
from infra.artifacts import open_artifact
from infra.blocks import Block, Followed
from infra.models import checkpoint_folder
from infra.place import blocks_of, store_of, tables_in
from tasks.budgets import smallest_to_train
from tasks.canonical import digest
from tasks.competition import Competition, Decided
from tasks.config_training import TrainingSection
from tasks.derivations import TABLE as ORIGINS
from tasks.derivations import Derivation, reads_origins
from tasks.further_responses import EVERYTHING, range_size
from tasks.labelling import LABELS
from tasks.pairing import competes
from tasks.records import (
    Artifact,
    Feedback,
    Label,
    Place,
    PreferencePair,
    Prompt,
    ReferenceScore,
    Response,
    TrainingExample,
    Verdict,
)
from tasks.references import check_scored_by
from tasks.responses import by_id, tokens_of
from tasks.round_examples import RoundRows, left_after, round_examples
from tasks.side_table import reads_side_table, side_schema
from tasks.tables import from_table, schema, to_table
from tasks.tokens import load_tokenizer
from tasks.variants import kind_of

EXAMPLES, SIDE = "examples.arrow", "side.arrow"


class RowsOfRound(NamedTuple):
    """What a round has to train on."""

    prompts: Artifact
    feedback: Feedback
    pairs: Artifact
    scores: list[Artifact]
    """Of every reference, the round's own first, then under each instruction of the teacher."""


class Written(NamedTuple):
    """Examples in the stage's local folder."""

    number: int
    longest: int
    """Fewest tokens that a batch has to hold."""
    counts: Counter[str]
    """Pairs that made no example, by reason."""

    def digest(self, workdir: Path) -> str:
        """Of the examples' ids, in order."""
        return digest(read_arrow(workdir / EXAMPLES).column("example_id").to_pylist())


def write_examples(
    rows: RowsOfRound, training: TrainingSection, filters: list[Any], place: Place, workdir: Path
) -> Written:
    """Write the examples, weights renewed after the filters that need reference scores."""
    tokenizer = load_tokenizer(checkpoint_folder(place.reference, place.storage))
    tokens, loss = tokens_of(place.reference, tokenizer), training.loss
    whole = training.oversized_trees == "refuse"
    number, longest, counts = 0, 0, Counter[str]()
    filters = _decided(filters, rows, training, place)
    with ExitStack() as stack:
        add = stack.enter_context(growing_arrow(workdir / EXAMPLES, schema(TrainingExample)))
        if reads_side_table(loss):
            add_side = stack.enter_context(growing_arrow(workdir / SIDE, side_schema(loss)))
        for found in _ranges(rows, training, place):
            made = round_examples(found, tokens, training, filters)
            counts.update(made.counts)
            if made.examples:
                number += len(made.examples)
                longest = max(longest, smallest_to_train(made, whole_prompts=whole))
                add(to_table(TrainingExample, made.examples))
            if made.side:
                add_side(pa.Table.from_pylist(list(made.side), side_schema(loss)))
    return Written(number, longest, counts)


def _decided(
    filters: list[Any], rows: RowsOfRound, training: TrainingSection, place: Place
) -> list[Any]:
    """`filters` after a pass over all pairs for each that weighs a pair against all others."""
    found: list[Any] = []
    for one in filters:
        decides = one.STAGE == "scored" and competes(one)
        found.append(_contest(one, found, rows, training, place) if decides else one)
    return found


def _contest(
    last: Any, before: list[Any], rows: RowsOfRound, training: TrainingSection, place: Place
) -> Decided:
    """Which of the pairs that the filters `before` leave the filter `last` drops."""
    contest, names = Competition(), list[str]()
    for found in _ranges(rows, training, place):
        views = left_after(found, before)
        contest.add(last.competitors(views, place.seed))
        names += [view.pair.pair_id for view in views]
    stays = contest.staying(last.rooms)
    lost = {name for name, stay in zip(names, stays, strict=True) if not stay}
    return Decided(lost=lost, reason=kind_of(last))


def _ranges(rows: RowsOfRound, training: TrainingSection, place: Place) -> Iterator[RoundRows]:
    """What there is of the round, a range of prompts at a time."""
    given: dict[str, Any] = {"prompts": rows.prompts, "pairs": rows.pairs}
    given |= {"responses": rows.feedback.responses, "verdicts": rows.feedback.verdicts}
    if LABELS in tables_in(place, rows.pairs):
        given[LABELS] = (rows.pairs, LABELS)
    if reads_origins(training.loss):
        given[ORIGINS] = (rows.pairs, ORIGINS)
    size = range_size(training.loss.OTHERS)
    with ExitStack() as stack:
        blocks = stack.enter_context(blocks_of(place, "prompts", size, **given))
        scores = [_followed(one, place, stack) for one in rows.scores]
        for block in blocks:
            yield _rows(block, scores, size, training, place)
        for one in scores:
            one.close()


def _followed(scores: Artifact, place: Place, stack: ExitStack) -> Followed:
    opened = open_artifact(store_of(place), scores).opened()
    return Followed(stack.enter_context(opened), scores.uri)


def _rows(
    block: Block, scores: Sequence[Followed], size: int, training: TrainingSection, place: Place
) -> RoundRows:
    """What there is of one range of `size` prompts."""
    answers = by_id(block.records(Response, "responses"))
    known = None if size == EVERYTHING else pa.array(list(answers), pa.string())
    given = [list(from_table(ReferenceScore, one.about(known))) for one in scores]
    by_response = [{one.response_id: one for one in some} for some in given]
    check_scored_by(place.reference, training, given[0])
    references = 1 + len(training.references)
    instructions = training.teacher.instructions if training.teacher else ()
    return RoundRows(
        pairs=block.records(PreferencePair, "pairs"),
        prompts={one.prompt_id: one for one in block.records(Prompt, "prompts")},
        responses=answers,
        scores=by_response[:references],
        said=dict(zip(instructions, by_response[references:], strict=True)),
        verdicts=block.records(Verdict, "verdicts"),
        labels=block.records(Label, LABELS) if LABELS in block.tables else None,
        origins=block.records(Derivation, ORIGINS) if ORIGINS in block.tables else [],
    )
