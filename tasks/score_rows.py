"""Part of the score door: what a model scores, tokenised for the child that scores it."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from infra.arrow_files import growing_arrow
from infra.models import checkpoint_folder
from infra.place import blocks_of, tables_in
from tasks.budgets import smallest_to_score
from tasks.config_training import TrainingSection
from tasks.further_responses import range_size
from tasks.labelling import HELD_OUT_LABELS, LABELS
from tasks.records import Artifact, Checkpoint, Label, Place, PreferencePair, Prompt, Response
from tasks.references import TEACHER, reads_alike
from tasks.responses import as_text, by_id, tokens_of
from tasks.tokens import load_tokenizer
from tasks.training_data import SCORE_ROWS, rows_to_score

ROWS = "rows.arrow"
SHARD_ROWS = 1024
"""Responses of one shard: fixed, so that boundaries are a function of the rows."""
POLICY, REFERENCE = "policy", "reference"
PARTS = {REFERENCE: ("rows", "held_out"), POLICY: ("held_out",)}
"""Which pairs models score: the trained policy only those that it was not trained on, a further
reference only those that it is trained on."""

LABEL_PARTS = {
    REFERENCE: (LABELS, HELD_OUT_LABELS, "held_out"),
    POLICY: (HELD_OUT_LABELS, "held_out"),
}
"""As much where single responses have labels: pairs are then there to measure alone."""


def tables_of(name: str, pairs: Artifact, place: Place) -> tuple[str, ...]:
    """The tables of pairs and labels that the model of this role scores.

    Where there are labels, nothing trains on pairs.
    """
    if LABELS not in tables_in(place, pairs):
        return PARTS.get(name, ("rows",))
    return LABEL_PARTS.get(name, (LABELS,))


def further_of(name: str, pairs: Artifact | None, training: TrainingSection) -> tuple[str, ...]:
    """Responses beyond those of pairs that the loss needs scored by the model of this role."""
    trains = pairs is not None and name != POLICY and not name.startswith(TEACHER)
    further: tuple[str, ...] = training.loss.OTHERS if trains else ()
    return further


class ScoreRows(NamedTuple):
    """What is scored: it lies in the stage's local folder."""

    number: int
    """Responses."""
    longest: int
    """Tokens of the longest prompt with its response; 1 if there are none."""
    counts: Counter[str]
    """What was cut or left out."""

    @property
    def num_shards(self) -> int:
        """Shards that they are scored in."""
        return -(-self.number // SHARD_ROWS)

    def span(self, shard: int) -> list[int]:
        """The first row of a shard, and the first behind it."""
        return [shard * SHARD_ROWS, min(self.number, (shard + 1) * SHARD_ROWS)]


def write_rows(
    folder: Path,
    name: str,
    prompts: Artifact,
    responses: list[Artifact],
    pairs: Artifact | None,
    checkpoint: Checkpoint,
    training: TrainingSection,
    place: Place,
) -> ScoreRows:
    """Tokenise what is to be scored into `folder`, a range of prompts at a time, for the child."""
    tokens = tokens_of(checkpoint, load_tokenizer(checkpoint_folder(checkpoint, place.storage)))
    read = _as_it_is if reads_alike(checkpoint, place.reference) else as_text
    further = further_of(name, pairs, training)
    tables = {} if pairs is None else {one: (pairs, one) for one in tables_of(name, pairs, place)}
    number, longest, counts = 0, 1, Counter[str]()
    given: dict[str, Any] = dict(tables)
    given |= {"prompts": prompts, "responses": responses}
    size = range_size(further)
    with (
        blocks_of(place, "prompts", size, **given) as blocks,
        growing_arrow(folder / ROWS, SCORE_ROWS) as add,
    ):
        for block in blocks:
            members = {one: block.records(_record_of(one), one) for one in tables} or None
            answers = by_id(map(read, block.records(Response, "responses")))
            asked = {one.prompt_id: one for one in block.records(Prompt, "prompts")}
            rows, counted = rows_to_score(members, answers, asked, tokens, further, training)
            number, longest = number + rows.num_rows, max(longest, smallest_to_score(rows))
            counts.update(counted)
            add(rows)
    return ScoreRows(number, longest, counts)


def _record_of(table: str) -> type[PreferencePair | Label]:
    """What a table of the pair stage holds."""
    return Label if table in (LABELS, HELD_OUT_LABELS) else PreferencePair


def _as_it_is(response: Response) -> Response:
    return response


def without_tokens(scores: pa.Table) -> pa.Table:
    """`scores` with the sums alone: the tokens are not the policy's."""
    place = scores.schema.get_field_index("token_logps")
    field = scores.schema.field(place)
    return scores.set_column(place, field, pa.nulls(scores.num_rows, field.type))
