"""What docs/weekly.md promises: rounds from the form's API, from a schedule, and after a crash."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psutil
import pytest
import yaml

from docs.weekly import deployed, wait_for
from infra.run_tree import RunTree
from infra.storage import open_store
from tests.infra.alive import gone
from tests.small_run import prompt_rows, small_preset, write_rows
from tests.whole_runs import children

pytestmark = [pytest.mark.slow, pytest.mark.service]

ROUNDS = 4
"""The pool has prompts for as many."""
ROUND_SECONDS = 600.0
"""Longest wait for a round; some twenty on an idle machine."""
SCHEDULED_IN = 45.0
"""Seconds from now to the first scheduled run: the scheduler looks every five."""
WEEKS = 3
"""Runs of the compressed schedule."""
QUIET_SECONDS = 5.0
"""The worker has begun no process for so long: it is done with a flow run."""
ASKED = {"run": "weekly", "preset": "quickstart", "rounds": 1}


def few_children(folder):
    """A preset with one model to sample from and nothing held out of training."""
    rows = prompt_rows(train=8 * ROUNDS, held_out=4)
    pool = write_rows(folder / "pool.jsonl", rows)
    prompts = {"files": [str(pool)], "per_round": 8, "held_out": 2}
    path = small_preset(folder, prompts=prompts)
    preset = yaml.safe_load(path.read_text(encoding="utf-8"))
    del preset["matrix"]["other"]
    preset["pairs"]["held_out_share"] = 0
    path.write_text(yaml.safe_dump(preset), encoding="utf-8")
    return path


class Weekly:
    """The run `weekly` of a deployed server."""

    def __init__(self, lab, folder):
        self.lab = lab
        self.tree = RunTree(open_store(f"file://{folder}/store"), "weekly")
        self.deployment = lab.deployment("tso/rounds")
        self.path = f"/deployments/{self.deployment['id']}"
        self.idle_processes = self.processes_of_worker()

    def rounds(self):
        return [manifest["round_index"] for manifest in self.tree.manifests()]

    def submitted(self, **changes):
        """What the form's Submit sends; the id of the flow run."""
        parameters = {**ASKED, "until": None, "overrides": {}, **changes}
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return self.lab.api(f"{self.path}/create_flow_run", body)["id"]

    def scheduled(self):
        """Three runs, a second apart where a week would be, by a schedule of their own; their ids.

        The weekly schedule is switched off: the test may run on a Monday at six.
        """
        [own] = self.deployment["schedules"]
        self.lab.api(f"{self.path}/schedules/{own['id']}", {"active": False}, "PATCH")
        start = datetime.now(UTC) + timedelta(seconds=SCHEDULED_IN)
        rule = f"DTSTART:{start:%Y%m%dT%H%M%S}\nRRULE:FREQ=SECONDLY;COUNT={WEEKS}"
        schedule = {"rrule": rule, "timezone": "UTC"}
        soon = {
            "active": True,
            "slug": "soon",
            "schedule": schedule,
            "parameters": own["parameters"],
        }
        self.lab.api(f"{self.path}/schedules", [soon])
        return wait_for("the scheduled flow runs", lambda: self._soon(start), SCHEDULED_IN)

    def _soon(self, start):
        hour = (start + timedelta(hours=1)).isoformat()
        found = self.lab.api(
            "/flow_runs/filter", {"flow_runs": {"expected_start_time": {"before_": hour}}}
        )
        ids = [one["id"] for one in found if one["auto_scheduled"]]
        return ids if len(ids) == WEEKS else None

    def ended(self, flow_run_id, *kinds, attempt=1):
        """The flow run once it is in one of the states `kinds`, after `attempt` starts."""

        def is_over():
            one = self.lab.flow_run(flow_run_id)
            return one if one["state_type"] in kinds and one["run_count"] >= attempt else None

        return wait_for(f"flow run {flow_run_id}: {kinds}", is_over, ROUND_SECONDS)

    def retry(self, flow_run_id):
        """What the Retry button sends, once the worker is done with the crash."""
        self.wait_for_an_idle_worker()
        body = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
        self.lab.api(f"/flow_runs/{flow_run_id}/set_state", body)

    def wait_for_an_idle_worker(self):
        """The worker reports a crash at once, runs hooks, and reports it again.

        Its second report would undo a retry that came before. Nobody can ask for it; it comes
        right after the last process of the worker has ended.
        """
        busy_until = time.monotonic()

        def idle():
            nonlocal busy_until
            if self.processes_of_worker() > self.idle_processes:
                busy_until = time.monotonic()
            return time.monotonic() - busy_until > QUIET_SECONDS

        wait_for("an idle worker", idle, ROUND_SECONDS)

    def processes_of_worker(self):
        group = int((self.lab.folder / "worker" / "child.pid").read_text())
        return len(psutil.Process(group).children(recursive=True))


@pytest.fixture(scope="module")
def weekly(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weekly")
    with deployed(folder / "lab", few_children(folder)) as lab:
        yield Weekly(lab, folder)
    assert processes_with(f"PREFECT_HOME={folder}") == []


def processes_with(text):
    """Processes whose environment holds `text`."""
    found = []
    for process in psutil.process_iter():
        try:
            settings = [f"{key}={value}" for key, value in process.environ().items()]
        except (psutil.Error, OSError):
            continue
        found += [process.pid] if any(one.startswith(text) for one in settings) else []
    return found


@pytest.fixture(scope="module")
def three(weekly):
    """What became of three flow runs of a schedule."""
    ids = weekly.scheduled()
    return [weekly.ended(one, "COMPLETED", "FAILED", "CRASHED") for one in ids]


@pytest.fixture(scope="module")
def killed(weekly, three):
    """The flow run of the page's command, killed while it trains; what was seen of it."""
    folder = weekly.lab.work
    before = children(folder).count("train")
    said = weekly.lab.run("start")
    flow_run_id = said.partition("UUID: ")[2].split()[0]
    wait_for("training", lambda: children(folder).count("train") > before, ROUND_SECONDS)
    holder = weekly.tree.read("lease.json")["holder"]
    assert holder["flow_run_id"] == flow_run_id
    family = [one.pid for one in psutil.Process(holder["pid"]).children(recursive=True)]
    os.kill(holder["pid"], signal.SIGKILL)
    began = time.monotonic()
    crashed = weekly.ended(flow_run_id, "CRASHED", "COMPLETED", "FAILED")
    return crashed | {"seconds": time.monotonic() - began, "family": family}


@pytest.fixture(scope="module")
def retried(weekly, killed):
    claims = weekly.tree.claims()
    weekly.retry(killed["id"])
    final = weekly.ended(killed["id"], "COMPLETED", "FAILED", "CRASHED", attempt=2)
    return final | {"claims_before": claims}


def test_prefect_yaml_deploys_a_weekly_schedule_with_all_parameters(weekly):
    [schedule] = [one for one in weekly.deployment["schedules"] if one["slug"] == "weekly"]
    assert schedule["active"] and schedule["schedule"]["cron"] == "0 6 * * 1"
    properties = weekly.deployment["parameter_openapi_schema"]["properties"]
    assert schedule["parameters"].keys() == properties.keys()
    assert weekly.deployment["parameters"].keys() == properties.keys()
    evaluation = weekly.lab.deployment("tso-evaluation/evaluation")
    [nightly] = evaluation["schedules"]
    assert (nightly["slug"], nightly["active"]) == ("nightly", False)
    known = evaluation["parameter_openapi_schema"]["properties"]
    assert nightly["parameters"].keys() == known.keys()


@pytest.mark.parametrize(
    ("name", "pool", "at_a_time"),
    [
        ("tso/rounds", "cpu", 1),
        ("tso-sample/gpu-sampling", "gpu-sampling", None),
        ("tso-sample/cpu", "cpu", None),
        ("tso-judge/gpu-sampling", "gpu-sampling", None),
        ("tso-judge/cpu", "cpu", None),
        ("tso-score/gpu-training", "gpu-training", None),
        ("tso-train/gpu-training", "gpu-training", 1),
        ("tso-evaluate/cpu", "cpu", None),
    ],
)
def test_every_verb_that_takes_long_has_deployments(weekly, name, pool, at_a_time):
    found = weekly.lab.deployment(name)
    limit = found["global_concurrency_limit"]
    assert found["work_pool_name"] == pool and found["entrypoint"].startswith("flows.")
    assert (limit and limit["limit"]) == at_a_time
    assert at_a_time is None or found["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert ("retry-crashed" in found["tags"]) == (name == "tso/rounds")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"preset": "nope"}, "'nope' is not one of ['quickstart']"),
        ({"run": "My run"}, "'My run' does not match"),
        ({"rounds": 0}, "0 is less than the minimum of 1"),
        ({"overrides": "training.epochs=2"}, "is not of type 'object'"),
    ],
)
def test_a_bad_value_is_refused_before_a_flow_run_is_made(weekly, given, said):
    with pytest.raises(Exception, match="409") as caught:
        weekly.lab.api(f"{weekly.path}/create_flow_run", {"parameters": ASKED | given})
    [name] = given
    answer = caught.value.read().decode()
    assert said in answer and f"'{name}'" in answer


def test_each_flow_run_of_a_schedule_adds_a_round(weekly, three):
    assert [one["state_type"] for one in three] == ["COMPLETED"] * 3
    assert sorted(one["state"]["message"] for one in three) == [
        f"weekly: 1 rounds done, {number} in all" for number in (1, 2, 3)
    ]
    claimed = {one["flow_run_id"]: one["first_index"] for one in weekly.tree.claims()}
    assert sorted(claimed[one["id"]] for one in three) == [0, 1, 2]


def test_flow_runs_wait_for_each_other(three):
    spans = sorted((one["start_time"], one["end_time"]) for one in three)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_flow_runs_are_found_by_name_and_tag(three):
    assert {one["name"] for one in three} == {"weekly · 1 round more"}
    assert all({"rounds", "weekly"} <= set(one["tags"]) for one in three)


def test_a_killed_flow_run_is_crashed_in_seconds_and_leaves_no_process(killed):
    assert killed["state_type"] == "CRASHED" and killed["seconds"] < 30
    assert len(killed["family"]) >= 2 and gone(killed["family"], seconds=20)


def test_retry_goes_on_with_the_claim_of_the_crashed_flow_run(weekly, retried):
    assert retried["state"]["message"] == f"weekly: 1 rounds done, {ROUNDS} in all"
    assert retried["run_count"] == 2 and weekly.rounds() == list(range(ROUNDS))
    assert weekly.tree.claims() == retried["claims_before"]


def test_retry_of_completed_flow_runs_adds_no_round(weekly, three, retried):
    for one in three:
        weekly.lab.run("retry", FLOW_RUN=one["id"])
    for one in three:
        again = weekly.ended(one["id"], "COMPLETED", "FAILED", "CRASHED", attempt=2)
        assert again["state"]["message"].startswith("weekly: 0 rounds done")
    assert weekly.rounds() == list(range(ROUNDS)) and len(weekly.tree.claims()) == ROUNDS


def test_a_used_up_pool_is_a_completed_flow_run_with_that_name(weekly, retried):
    last = weekly.ended(weekly.submitted(), "COMPLETED", "FAILED", "CRASHED")
    assert (last["state_type"], last["state_name"]) == ("COMPLETED", "PoolExhausted")
    assert "add prompts to the pool" in last["state"]["message"]
    assert weekly.rounds() == list(range(ROUNDS))


def test_every_round_has_its_report_under_one_key(weekly, retried):
    key = {"artifacts": {"key": {"any_": ["report-weekly"]}}}
    reports = weekly.lab.api("/artifacts/filter", key)
    assert len(reports) == ROUNDS
    for manifest in weekly.tree.manifests():
        page = manifest["report"].removeprefix("file://")
        [report] = [one for one in reports if page in one["data"]]
        assert page in report["description"] and len(report["data"].encode()) < 200_000


def test_the_second_deployment_measures_the_policy_and_changes_nothing(weekly, retried):
    path = f"/deployments/{weekly.lab.deployment('tso-evaluation/evaluation')['id']}"
    asked = {"run": "weekly", "preset": "quickstart", "split": "held_out"}
    claims = weekly.tree.claims()
    made = weekly.lab.api(f"{path}/create_flow_run", {"parameters": asked})
    ended = weekly.ended(made["id"], "COMPLETED", "FAILED", "CRASHED")
    assert (ended["state_type"], ended["name"]) == ("COMPLETED", "weekly · held_out")
    assert weekly.rounds() == list(range(ROUNDS)) and weekly.tree.claims() == claims


PLACED = {
    "run.seed": 7,
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
        asked = {"flows": {"name": {"any_": ["tso-train"]}}, "sort": "EXPECTED_START_TIME_ASC"}
        return self.weekly.lab.api("/flow_runs/filter", asked)

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
def placed(weekly, retried):
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
