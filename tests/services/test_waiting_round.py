"""A deployed round is suspended while people answer, and the deployed tick lets it go on."""

import psutil
import pytest

from docs.weekly import wait_for
from infra.annotation.batches import open_batch
from tests.annotation_batches import answer
from tests.services.conftest import processes_with

pytestmark = [pytest.mark.slow, pytest.mark.service]


@pytest.fixture(scope="module")
def flow_run(weekly):
    """Suspended: its round asks people about half of the comparisons."""
    overrides = {"annotate.budget": 0.5, "annotate.queue.repeats": 0, "annotate.quorum": 1.0}
    weekly.wait_for_an_idle_worker()
    made = weekly.submitted(run="asking", overrides=overrides)
    weekly.ended(made, "PAUSED", "FAILED", "CRASHED", "COMPLETED")
    return made


@pytest.fixture(scope="module")
def batch(weekly, flow_run):
    return open_batch(weekly.tree.store, "asking")


def tick(weekly):
    """What a flow run of the deployed tick says."""
    path = f"/deployments/{weekly.lab.deployment('tso-annotation/tick')['id']}/create_flow_run"
    made = weekly.lab.api(path, {"parameters": {}})["id"]
    return weekly.ended(made, "COMPLETED", "FAILED", "CRASHED")["state"]["message"]


def test_a_suspended_round_holds_no_process(weekly, flow_run):
    assert weekly.lab.flow_run(flow_run)["state_name"] == "Suspended"
    wait_for("its process ends", lambda: not processes_of(flow_run), 60)


def processes_of(flow_run):
    return [one for one in processes_with("PREFECT__FLOW_RUN_ID=") if is_of(one, flow_run)]


def is_of(pid, flow_run):
    try:
        return psutil.Process(pid).environ().get("PREFECT__FLOW_RUN_ID") == flow_run
    except psutil.Error:
        return False


def test_the_tick_lets_it_wait_then_go_on_and_what_people_said_counts(weekly, flow_run, batch):
    items = batch.items()
    batch.append([answer(item) for item in items[:-1]])
    assert f"{len(items) - 1} of {len(items)} answers" in tick(weekly)
    assert weekly.lab.flow_run(flow_run)["state_name"] == "Suspended"
    batch.append([answer(items[-1])])
    assert "quorum, goes on" in tick(weekly)
    ended = weekly.ended(flow_run, "COMPLETED", "FAILED", "CRASHED")
    assert ended["state"]["message"] == "asking: 1 rounds done, 1 in all"
    assert (batch.closed.why, len(batch.counted())) == ("quorum", len(items))
