"""What docs/placement.md promises of a verb on a pool of its own, with the processes of workers."""

import os
import signal

import psutil
import pytest

from docs.weekly import wait_for
from infra.prefect.orders import Order, read_order
from infra.run_tree import RunTree
from tasks.estimate import estimated
from tests.infra.alive import gone
from tests.services.weekly_run import ROUND_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.service]

ESTIMATOR = {
    "kind": "reward_model",
    "compares": "none",
    "threads": 1,
    "fit": {"learning_rate": 1e-3, "pairs_per_batch": 8, "max_steps": 4},
}
PLACED = {
    "run.seed": 7,
    "estimator": ESTIMATOR,
    "placement.estimate": "gpu-training",
    "placement.train": "gpu-training",
    "placement.poll_seconds": 1.0,
    "training.stop_seconds": 1.0,
}


class Placed:
    """A run whose training another worker does; what is seen of it on the way."""

    def __init__(self, weekly):
        self.weekly = weekly
        self.tree = RunTree(weekly.tree.store, "placed")
        self.log = weekly.lab.folder / "worker" / "log.txt"
        self.id = weekly.submitted(run="placed", overrides=PLACED)
        trainers = self._trainers()
        self.trainer = wait_for("training", lambda: self._trainers() - trainers, ROUND_SECONDS)
        [group] = self.trainer
        os.killpg(group, signal.SIGSTOP)  # it trains as long as the test needs it

    def _trainers(self):
        """Process groups of trainings that are under way."""
        files = (self.weekly.lab.work / "stages" / "train").rglob("child.pid")
        groups = (int(text) for file in files if (text := file.read_text()))
        return {group for group in groups if psutil.pid_exists(group)}

    def trainings(self):
        """The flow runs that were to train for this run, oldest first."""
        return self.sent("tso-train")

    def sent(self, flow):
        """The flow runs of `flow`, oldest first."""
        asked = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"}
        return self.weekly.lab.api("/flow_runs/filter", asked)

    def estimates(self):
        """Manifests of the estimator's stages by path, byte for byte."""
        store = self.tree.store
        paths = [one for one in store.list("stages/estimate") if one.endswith("/manifest.json")]
        return {path: store.read(path) for path in paths}

    def kill(self):
        os.kill(self.tree.read("lease.json")["holder"]["pid"], signal.SIGKILL)
        return self.weekly.ended(self.id, "CRASHED", "COMPLETED", "FAILED")

    def waits_again_for(self, training):
        """The flow run was retried and says once more for whom it waits."""
        self.weekly.retry(self.id)
        wait_for("the training", lambda: self.log.read_text().count(training) > 1, ROUND_SECONDS)

    def cancel(self):
        body = {"state": {"type": "CANCELLING"}}
        self.weekly.lab.api(f"/flow_runs/{self.id}/set_state", body)
        return self.weekly.ended(self.id, "CANCELLED", "COMPLETED", "FAILED", "CRASHED")


@pytest.fixture(scope="module")
def placed(weekly):
    """Its flow run was killed while a worker trained for it, retried, cancelled, and retried."""
    with weekly.lab.serve("training-worker"):
        wait_for("a worker", lambda: weekly.lab.num_workers("gpu-training"), ROUND_SECONDS)
        one = Placed(weekly)
        [first] = one.trainings()
        told = {"crashed": one.kill(), "meanwhile": weekly.lab.flow_run(first["id"])}
        one.waits_again_for(first["id"])
        told |= {"found again": [training["id"] for training in one.trainings()]}
        told |= {"cancelled": one.cancel()}
        told |= {"with it": weekly.ended(first["id"], "CANCELLED", "COMPLETED", "CRASHED")}
        told |= {"trainer is gone": gone(one.trainer, seconds=60)}
        weekly.retry(one.id)
        told |= {"last": weekly.ended(one.id, "COMPLETED", "FAILED", "CRASHED", attempt=3)}
        yield one, first, told


def test_the_death_of_a_flow_run_leaves_its_training_at_work(placed):
    _, first, told = placed
    assert told["crashed"]["state_type"] == "CRASHED"
    assert told["meanwhile"]["state_type"] == "RUNNING"
    assert first["name"] == "train · round 0" and {"placed", "round-0", "train"} <= set(
        first["tags"]
    )


def test_its_retry_finds_the_same_training(placed):
    _, first, told = placed
    assert told["found again"] == [first["id"]]


def test_who_is_cancelled_takes_its_training_along(placed):
    _, _, told = placed
    assert told["cancelled"]["state_type"] == told["with it"]["state_type"] == "CANCELLED"
    assert told["trainer is gone"]


def test_a_retry_after_that_trains_in_a_flow_run_of_its_own(placed):
    one, _, told = placed
    assert told["last"]["state"]["message"] == "placed: 1 rounds done, 1 in all"
    assert [training["state_type"] for training in one.trainings()] == ["CANCELLED", "COMPLETED"]
    [manifest] = one.tree.manifests()
    assert manifest["policy"]["uri"].startswith(f"{one.tree.store.root}/stages/train/")


def test_what_the_worker_estimated_comes_out_the_same_in_this_process(placed):
    one, *_ = placed
    [sent] = one.sent("tso-estimate")
    assert sent["state_type"] == "COMPLETED" and sent["name"] == "estimate · round 0"
    [manifest] = one.tree.manifests()
    made = one.estimates()
    by_worker = {manifest["artifacts"][role]["uri"] for role in ("estimate", "estimate-model")}
    assert by_worker == {one.tree.store.uri(path) for path in made}
    for path in one.tree.store.list("stages/estimate"):
        one.tree.store.delete(path)
    estimated.fn(**read_order(Order(**sent["parameters"]["order"]), estimated.fn))
    assert one.estimates() == made
