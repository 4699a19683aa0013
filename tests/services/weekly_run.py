"""The run `weekly` on a live server with the deployments of prefect.yaml (docs/weekly.md)."""

import time
from datetime import UTC, datetime, timedelta

import psutil
import yaml

from docs.weekly import wait_for
from infra.run_tree import RunTree
from infra.storage import open_store
from tests.small_run import PROMPTS_SECTION, prompt_rows, small_preset, write_rows

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
    prompts = PROMPTS_SECTION | {"files": [str(pool)], "held_out": 2}
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
        self.stop_the_tick()
        self.idle_processes = self.processes_of_worker()

    def stop_the_tick(self):
        """Its flow runs would start processes of the worker in between."""
        tick = self.lab.deployment("tso-annotation/tick")
        [schedule] = tick["schedules"]
        path = f"/deployments/{tick['id']}/schedules/{schedule['id']}"
        self.lab.api(path, {"active": False}, "PATCH")

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
        own = [one for one in found if one["deployment_id"] == self.deployment["id"]]
        ids = [one["id"] for one in own if one["auto_scheduled"]]
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
