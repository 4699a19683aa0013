"""Decisions of people after a round: taken while nobody works on the run, written beside it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from infra.annotation.batch_rounds import newest as newest_batch
from infra.lease import Holder, Lease
from infra.run_tree import RunTree
from tasks.errors import ConfigError


@contextmanager
def between_rounds(tree: RunTree) -> Iterator[int]:
    """Hold the run within the block; the index of its newest committed round.

    Raises HeldError if a flow run works on it, ConfigError if no round is committed, or if the next
    one has asked people already: their answers are about responses of another model.
    """
    with Lease(tree.store, f"{tree.folder}/lease.json", Holder.here(f"decision-{uuid.uuid4()}")):
        begun = len(tree.manifests())
        run = tree.folder.rpartition("/")[2]
        if not begun:
            raise ConfigError(f"no round of run {run!r} is committed in {tree.store.root}")
        if newest_batch(tree, begun) is not None:
            raise ConfigError(
                f"round {begun} of {run!r} has asked people about responses of the model that it "
                f"began from. Finish it first (tso annotate close {run}), or leave it: tso fork "
                f"{run}@{begun - 1} NEW"
            )
        yield begun - 1
