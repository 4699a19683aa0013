"""Rounds that wait for people: suspended and resumed on a real server, or looking at the store."""

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow

from infra.annotation.batches import open_batch
from infra.storage import open_store
from tasks.config import AnnotateSection
from tasks.records import Artifact
from tasks.waiting import people_answer, tick
from tests.annotation_batches import answer, asked_stage, items_of
from tests.small_config import small_place

pytestmark = pytest.mark.usefixtures("prefect_server")


@flow(persist_result=False)
def waits(root: str, items: dict[str, object], settings: dict[str, object]) -> str:
    place = small_place(root=root, round_index=0)
    people_answer(Artifact(**items), AnnotateSection(budget=0.1, **settings), place)
    return "went on"


class Deployed:
    """A flow run of a deployment that asks two items, run in this process, as a worker would."""

    def __init__(self, root, **settings):
        store = open_store(root)
        items = asked_stage(store, items_of(2)).artifact
        self.open = lambda: open_batch(store, "r")
        given = {"uri": items.uri, "content": items.content, "rows": items.rows}
        parameters = {"root": root, "items": given, "settings": settings}
        with get_client(sync_client=True) as client:
            deployment = client.create_deployment(client.create_flow(waits), name="waits")
            made = client.create_flow_run_from_deployment(deployment, parameters=parameters)
        self.id = made.id

    @property
    def flow_run(self):
        with get_client(sync_client=True) as client:
            return client.read_flow_run(self.id)

    def state(self):
        return self.flow_run.state

    def run(self):
        """As a worker runs it; the name of its state afterwards."""
        run_flow(
            waits, flow_run=self.flow_run, parameters=self.flow_run.parameters, return_type="state"
        )
        return self.state().name

    def review(self, **said):
        """Fill in the form."""
        with get_client(sync_client=True) as client:
            return client.resume_flow_run(self.id, run_input={"reviewer": "ann", **said})


@pytest.fixture
def root(tmp_path):
    return f"file://{tmp_path}/store"


def test_a_deployed_flow_run_is_suspended_until_the_quorum_is_there(root):
    one = Deployed(root, quorum=1.0)
    assert one.run() == "Suspended"
    batch = one.open()
    batch.append([answer(batch.items()[0])])
    assert "1 of 2 answers (50%)" in tick() and one.state().name == "Suspended"
    batch.append([answer(batch.items()[1])])
    assert "quorum, goes on" in tick() and one.state().name == "Resuming"
    assert tick() == "nobody waits for people"
    assert one.run() == "Completed"
    assert (batch.closed.why, batch.closed.by, batch.closed.given) == ("quorum", "the tick", 2)
