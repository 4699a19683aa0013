"""What the test of a stack does to it, and looks at."""

from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from uuid import uuid4

import psutil

from infra.stack import leftovers
from infra.stack.supervision import Supervision


class Mailbox(BaseHTTPRequestHandler):
    """A webhook that keeps what it gets."""

    got: list[str]

    def do_POST(self):
        self.got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def flow_processes(stack):
    return leftovers.processes_of(stack.folder, "worker-cpu")


def is_flow(process, flow_run_id):
    """Whether a process runs a flow: its variables name it, which its children inherit."""
    try:
        named = process.environ().get("PREFECT__FLOW_RUN_ID") == flow_run_id
        return named and "prefect.engine" in process.cmdline()
    except psutil.Error:
        return False


def part_states(stack):
    supervision = Supervision(stack.settings)
    return {name: supervision.state(name)["statename"] for name in supervision.names()}


def pid_of(stack, name):
    return Supervision(stack.settings).state(name)["pid"]


def set_state(stack, flow_run_id, kind):
    body = {"state": {"type": kind}, "force": True}
    stack.api(f"/flow_runs/{flow_run_id}/set_state", body)


def crashed_after(stack, deployment, starts):
    """A flow run that was started so often, and crashed."""
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": later}}
    made = stack.api(f"/deployments/{deployment}/create_flow_run", {"state": state})["id"]
    for _ in range(starts):
        set_state(stack, made, "RUNNING")
    set_state(stack, made, "CRASHED")
    return made


def silent_since(stack, deployment, seconds):
    """A flow run that is Running and sent its last heartbeat so long ago."""
    made = stack.api(f"/deployments/{deployment}/create_flow_run", {})["id"]
    set_state(stack, made, "RUNNING")
    beat = {
        "id": str(uuid4()),
        "occurred": (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{made}"},
        "related": [],
        "payload": {},
    }
    stack.api("/events", [beat])
    return made
