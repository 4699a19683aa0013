"""Door: the round waits for people, and the tick lets it go on.

A flow run of a deployment is suspended, so that no process waits; the tick, a small flow of its
own, resumes it. Any other flow run looks at the store now and then. Either way the batch in the
store is the truth, and whoever is killed goes on where it was.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from infra.annotation.batch_records import Terms
from infra.annotation.batches import Batch, make_batch, open_batch
from infra.annotation.label_studio import fetch_answers
from infra.annotation.said import form_text, progress_line
from infra.place import store_of
from infra.prefect.reviews import (
    Review,
    Suspended,
    Waits,
    fail,
    is_deployed,
    resume,
    reviews,
    still_waits,
    suspend,
    suspended,
)
from infra.progress import progress
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.config import AnnotateSection
from tasks.errors import DataError, TSOError
from tasks.records import Artifact, Place

POLL_SECONDS = 5.0
"""Between two looks of a flow run that cannot be suspended."""

_log = logging.getLogger(__name__)


def people_answer(items: Artifact | None, settings: AnnotateSection, place: Place) -> None:
    """Wait until people have answered `items`: by quorum, deadline, or somebody's word.

    What counts is then fixed in the store. Simulated people are not waited for. Raises DataError at
    the deadline if the settings say so. A suspended flow run does not come back from here: it
    starts again later.
    """
    if items is None or settings.people:
        return
    tree = RunTree(store_of(place), place.run)
    batch = make_batch(tree, place.round_index, items, _terms(settings))
    if is_deployed():
        _reviewed(batch, place)
    else:
        _polled(batch)
    closed = batch.closed
    if closed is None:
        raise DataError(
            f"{batch.label}: the deadline is over with {progress_line(batch)}. Wait longer or go "
            f"on: tso annotate close {place.run} (--extend HOURS, --without), then Retry"
        )
    progress.note(
        f"{batch.label}: {closed.given:,} of {closed.wanted:,} answers count; closed by "
        f"{closed.by} ({closed.why})"
    )


def _reviewed(batch: Batch, place: Place) -> None:
    """Act on what was said in forms; if the batch still waits, suspend this flow run."""
    prefix = f"annotation-{place.round_index:05d}-{batch.facts.generation}"
    earlier = reviews(prefix)
    for key, review in earlier:
        if review is not None:
            act_on(batch, key, review)
    if settled(batch, "the round"):
        return
    waits = Waits(store=place.storage, run=place.run, round_index=place.round_index)
    suspend(f"{prefix}-{len(earlier)}", waits, form_text(batch))


def act_on(batch: Batch, key: str, review: Review) -> None:
    """Do to the batch what somebody decided; the same `key` acts once."""
    if review.decision == "extend":
        batch.extend(review.hours, review.reviewer, key)
    else:
        why = "form" if review.decision == "done" else "without"
        batch.close(why, review.reviewer)


def _polled(batch: Batch) -> None:
    """Look at the store until the batch no longer waits; this process stays, and has the page."""
    if settled(batch, "the round"):
        return
    name = f"people · round {batch.facts.round_index}"
    with _page(batch), progress.verb(name, total=batch.facts.wanted) as bar:
        while not settled(batch, "the round"):
            bar.note = progress_line(batch)
            bar.at(batch.progress().given)
            time.sleep(POLL_SECONDS)
        bar.at(batch.progress().given)


@contextmanager
def _page(batch: Batch) -> Iterator[None]:
    """Serve the annotation page within the block, where that is where people answer."""
    if batch.facts.terms.front_end != "page":
        yield
        return
    from infra.annotation.page.serving import served

    with served(batch.store, batch.facts.run, progress.note):
        yield


def settled(batch: Batch, by: str) -> str:
    """Why the batch no longer waits, empty if it does; answers from elsewhere are fetched first."""
    try:
        fetch_answers(batch)
    except TSOError as error:
        _log.warning("%s: answers could not be fetched, trying again: %s", batch.label, error)
    return batch.settled(by)


def _terms(settings: AnnotateSection) -> Terms:
    studio = settings.label_studio
    return Terms(
        front_end=settings.front_end,
        quorum=settings.quorum,
        deadline_hours=settings.deadline_hours,
        on_deadline=settings.on_deadline,
        label_studio=None if studio is None else asdict(studio),
    )


def tick(run: str = "") -> str:
    """Look at all flow runs that wait for people; let those go on that need not wait any longer.

    Only those of `run` if one is named.

    Says in words what was done. Any number of ticks may run at once. Raises the first error at the
    end, when the other flow runs have been looked at.
    """
    said, failed = [], []
    for one in (one for one in suspended() if run in ("", one.waits.run)):
        try:
            said.append(_looked_at(one))
        except (TSOError, FileNotFoundError) as error:
            _log.warning("%s cannot be looked at: %s", one.flow_run.name, error)
            failed.append(error)
    if failed:
        raise failed[0]
    return "; ".join(said) or "nobody waits for people"


def _looked_at(one: Suspended) -> str:
    waits = one.waits
    batch = open_batch(open_store(waits.store), waits.run, waits.round_index)
    why = settled(batch, "the tick")
    if not why:
        still_waits(one, form_text(batch))
        return f"{batch.label}: {progress_line(batch)}"
    if batch.closed is None:
        fail(one, f"{batch.label}: the deadline is over with {progress_line(batch)}")
        return f"{batch.label}: failed at its deadline"
    resumed = resume(one, Review(decision="done", reviewer="the tick"))
    return f"{batch.label}: {why}, {'goes on' if resumed else 'went on already'}"
