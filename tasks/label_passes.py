"""Part of the pair door: labels of single responses, a range of prompts at a time."""

from collections import Counter
from contextlib import ExitStack
from typing import Any, NamedTuple

from infra.place import blocks_of
from infra.table_files import Spool, TableFile, spooled
from tasks.config import PairsSection
from tasks.judging import candidates_of
from tasks.labelling import COUNTS, HELD_OUT_LABELS, LABELS, UNLABELLED, labels_of
from tasks.pairing import split_held_out
from tasks.records import (
    Artifact,
    Feedback,
    Label,
    Place,
    Preference,
    Prompt,
    Response,
    Verdict,
)
from tasks.tables import grouped, to_table


class MadeLabels(NamedTuple):
    """Labels to train on and labels that measure, growing on local disk."""

    labels: Spool
    held_out: Spool
    counts: Counter[str]

    def tables(self) -> dict[str, Any]:
        """What `Stage.commit` takes."""
        return {LABELS: self.labels, HELD_OUT_LABELS: self.held_out}


def made_labels(
    prompts: Artifact,
    feedback: Feedback,
    preferences: TableFile,
    settings: PairsSection,
    place: Place,
    stack: ExitStack,
) -> MadeLabels:
    """Label the responses of every prompt; `preferences` are those of the round.

    What is spooled lives as long as `stack`.
    """
    made = MadeLabels(
        labels=stack.enter_context(spooled(Label)),
        held_out=stack.enter_context(spooled(Label)),
        counts=Counter(dict.fromkeys(COUNTS, 0)),
    )
    tables: dict[str, Any] = {"prompts": prompts, "preferences": preferences}
    tables |= {"responses": feedback.responses, "verdicts": feedback.verdicts}
    with blocks_of(place, "prompts", **tables) as blocks:
        for block in blocks:
            responses = block.records(Response, "responses")
            candidates = candidates_of(responses, place.strengths, place.min_distance)
            labels, left_out = labels_of(
                settings.labels,
                candidates,
                block.records(Preference, "preferences"),
                block.records(Verdict, "verdicts"),
            )
            groups = {one.prompt_id: one.group_id for one in block.records(Prompt, "prompts")}
            training, held_out = split_held_out(labels, groups, settings.held_out_share, place.seed)
            made.labels.add(to_table(Label, training))
            made.held_out.add(to_table(Label, held_out))
            made.counts.update(
                labels=len(labels),
                prompts_with_labels=len(grouped(labels)),
                held_out_labels=len(held_out),
            )
            made.counts.update(f"{UNLABELLED}{reason}" for reason in left_out.values())
    return made
