"""Door: a finished round in, and how other settings would have paired it out; nothing is kept."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple, TypeVar

from infra.artifacts import open_artifact
from infra.place import records_of, store_of
from infra.table_files import Spool, TableFile
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.errors import DataError
from tasks.labelling import counts_labels
from tasks.ledger.what_if import Paired
from tasks.pair_passes import made_pairs
from tasks.records import Artifact, Feedback, Place, Preference, PreferencePair, Response
from tasks.tables import from_table

Record = TypeVar("Record")


class Imagined(NamedTuple):
    """A finished round as it was paired, and as other settings would have paired it."""

    before: Paired
    after: Paired
    cell_of: dict[str, str]
    """The cell of each response."""


def imagined(
    paired: Artifact,
    noted: Iterable[Artifact],
    correction: CorrectionSettings,
    settings: PairsSection,
    place: Place,
) -> Imagined:
    """Pair the inputs of the finished stage `paired` by other settings; nothing is kept.

    `noted` are the stages of its round, among which its inputs are. DataError where one is not.
    """
    stage = open_artifact(store_of(place), paired)
    key = stage.manifest["key"]
    prompts, feedback = _inputs_of(key["inputs"], noted, place)
    there = {"strengths": key["settings"]["strengths"], "seed": key["seeds"]["seed"]}
    place = replace(place, min_distance=key["settings"]["min_distance"], **there)
    with ExitStack() as stack:
        made = made_pairs(prompts, feedback, correction, settings, place, stack)
        return Imagined(
            Paired(
                pairs=[
                    one
                    for name in ("rows", "held_out")
                    for one in records_of(place, PreferencePair, paired, name)
                ],
                preferences=records_of(place, Preference, paired, "preferences"),
                counts={
                    name: number for name, number in stage.counts.items() if not counts_labels(name)
                },
            ),
            Paired(
                pairs=[
                    *_spooled(PreferencePair, made.rows),
                    *_spooled(PreferencePair, made.held_out),
                ],
                preferences=_spooled(Preference, made.preferences),
                counts=dict(made.counts),
            ),
            {one.response_id: one.cell for one in records_of(place, Response, feedback.responses)},
        )


def _spooled(record: type[Record], spool: Spool) -> list[Record]:
    """The records of a table that has grown on local disk."""
    spool.close()
    return [one for rows in TableFile(spool.path).groups() for one in from_table(record, rows)]


def _inputs_of(
    inputs: Mapping[str, str], noted: Iterable[Artifact], place: Place
) -> tuple[Artifact, Feedback]:
    """The stages whose contents are the inputs of a pair stage, found among those of its round.

    Empty tables of any record have one content, so that records are told apart, too.
    """
    known = {
        (table["record"], one.content): one
        for one in noted
        if (table := open_artifact(store_of(place), one).manifest["tables"].get("rows"))
    }

    def found(name: str, record: str) -> list[Artifact]:
        numbered = [one for one in inputs if one.partition("-")[0] == name]
        numbered.sort(key=lambda one: int(one.partition("-")[2] or 0))
        wanted = [inputs[one] for one in numbered]
        missing = [content for content in wanted if (record, content) not in known]
        if missing:
            raise DataError(
                f"round {place.round_index} of run {place.run!r} was paired from {name} (content "
                f"{missing[0][:12]}) that none of its stages holds; it cannot be paired anew"
            )
        return [known[record, content] for content in wanted]

    [prompts] = found("prompts", "Prompt")
    responses, verdicts = found("responses", "Response"), found("verdicts", "Verdict")
    return prompts, Feedback(responses=responses, verdicts=verdicts)
