"""Doors whose work a pool does leave the manifests that they leave in the flow itself."""

import pytest
from prefect import flow

from tasks.placement import Placement, Where
from tasks.variants import load_variant
from tests.door_calls import CALLS, left_in
from tests.pool_worker import POOL, PoolWorker
from tests.small_config import small_place

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@flow(name="caller", persist_result=False)
def called(verb: str, root: str, sent: bool, kind: str = ""):
    """One door in a flow; its work is sent to a pool or done here."""
    where = {verb: Where(deployment=POOL)} if sent else {}
    place = small_place(
        root=root, round_index=0, policies={}, placement=Placement(poll_seconds=0.1, **where)
    )
    door, given = CALLS[verb](place)
    other = {"settings": load_variant("tasks.transforms", kind)} if kind else {}
    return door(**given | other)


@pytest.mark.parametrize(
    ("verb", "name"), [("estimate", "estimate"), ("transform", "transform · 0-edit_rejected")]
)
def test_what_a_worker_leaves_is_what_the_flow_itself_leaves(verb, name, tmp_path):
    here, there = f"file://{tmp_path}/here", f"file://{tmp_path}/there"
    local = called(verb, here, sent=False)
    with PoolWorker() as worker:
        placed = called(verb, there, sent=True)
        [sent] = worker.flow_runs()
    assert (sent.name, sent.state.name) == (f"{name} · round 0", "Completed")
    assert sent.state.message == f"{name}: all of it is done"
    assert str(placed).replace(there, "") == str(local).replace(here, "")
    assert left_in(there) == left_in(here)


def test_a_transform_without_a_writer_is_sent_to_nobody(tmp_path):
    with PoolWorker() as worker:
        _, pairs = called("transform", f"file://{tmp_path}/store", sent=True, kind="degrade")
        assert worker.flow_runs() == [] and pairs.rows
