"""A worker of a work pool in a thread: it runs the flows of `flows/stages.py` as deployed ones.

The server, the deployments and the flow runs are real ones; only the process of each is left out.
"""

import contextvars
import threading
from contextlib import suppress

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter
from prefect.exceptions import ObjectAlreadyExists
from prefect.flow_engine import run_flow
from prefect.states import Crashed
from prefect.utilities.callables import parameter_schema

from flows.stages import estimate, evaluate, judge, sample, score, train, transform

POOL = "pool"
FLOWS = {one.name: one for one in (sample, judge, estimate, transform, score, train, evaluate)}
EVERYWHERE = dict.fromkeys(("sample", "judge", "score", "train", "evaluate"), POOL)
POLL_SECONDS = 0.1


class PoolWorker:
    """Takes what is scheduled for the pool `pool`, in the order of its creation."""

    def __init__(self):
        self.crashes = 0
        """So many flow runs die before they have done anything."""
        self.holds = False
        """Whether it leaves alone what is scheduled."""
        self._closing = threading.Event()
        self._taken = set()

    def __enter__(self):
        with get_client(sync_client=True) as client:
            deploy(client)
            client.send_worker_heartbeat(POOL, "in a thread", heartbeat_interval_seconds=600)
            self._taken = {one.id for one in client.read_flow_runs()}
        settings = contextvars.copy_context()  # Prefect keeps the server's address in it
        self._thread = threading.Thread(target=settings.run, args=(self._work,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *raised):
        self._closing.set()
        self._thread.join()

    def flow_runs(self):
        """What was sent to the pool since this worker began, oldest first."""
        with get_client(sync_client=True) as client:
            return self._sent(client)

    def _sent(self, client):
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(), limit=200)
        ours = [one for one in found if one.work_pool_name == POOL]
        return sorted(
            (one for one in ours if one.id not in self._taken), key=lambda one: one.created
        )

    def _work(self):
        with get_client(sync_client=True) as client:
            names = {client.create_flow_from_name(name): name for name in FLOWS}
            while not self._closing.wait(POLL_SECONDS):
                waiting = [one for one in self._sent(client) if one.state.is_scheduled()]
                for one in [] if self.holds else waiting:
                    self._run(client, one, FLOWS[names[one.flow_id]])

    def _run(self, client, flow_run, flow):
        if self.crashes:
            self.crashes -= 1
            client.set_flow_run_state(flow_run.id, Crashed(message="killed"), force=True)
            return
        with suppress(Exception):  # its state says what became of it
            run_flow(flow, flow_run=flow_run, parameters=flow_run.parameters)


def deploy(client, pool=POOL):
    """A pool and a deployment of every verb on it."""
    with suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    for flow in FLOWS.values():
        client.create_deployment(
            client.create_flow_from_name(flow.name),
            pool,
            work_pool_name=pool,
            entrypoint=f"flows.stages:{flow.fn.__name__}",
            parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
            enforce_parameter_schema=True,
        )
