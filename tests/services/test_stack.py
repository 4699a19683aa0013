"""One command brings everything up; what dies comes back; `down` leaves nothing.

The tests are one story on one stack and run in this order.
"""

import os
import signal
import stat
import threading
from http.server import HTTPServer

import psutil
import pytest
from stack_steps import (
    Mailbox,
    crashed_after,
    flow_processes,
    is_flow,
    part_states,
    pid_of,
    silent_since,
)

from docs.production import stack_lab
from docs.weekly import wait_for
from infra.stack import leftovers
from infra.stack.supervision import Supervision
from tests.infra.alive import gone
from tests.small_run import small_preset
from tests.whole_runs import children

pytestmark = [pytest.mark.slow, pytest.mark.service]

SECONDS = 600.0
"""Longest wait for anything; a busy machine is slow."""
PARTS = [
    *("database", "s3", "prefect", "reports", "annotation"),
    *("worker-cpu", "worker-gpu-sampling", "worker-gpu-training"),
]
ASKED = {"run": "live", "preset": "quickstart", "rounds": 1}


@pytest.fixture(scope="module")
def mailbox():
    handler = type("Handler", (Mailbox,), {"got": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook?token=of-the-webhook", handler.got
        server.shutdown()


@pytest.fixture(scope="module")
def stack(tmp_path_factory, mailbox):
    preset = small_preset(tmp_path_factory.mktemp("preset"))
    with stack_lab(preset, TSO_NOTIFY=mailbox[0]) as lab:
        yield lab


@pytest.fixture(scope="module")
def unserved(stack):
    """A deployment that no worker serves: its flow runs stay as automations leave them."""
    flow = stack.api("/flows/name/tso")["id"]
    body = {"name": "unserved", "flow_id": flow, "tags": ["retry-crashed"], "paused": False}
    return stack.api("/deployments/", body)["id"]


@pytest.fixture(scope="module")
def chained(stack, unserved):
    """The example of docs/production.md: whatever is promoted starts another deployment."""
    run = {"template": "{{ event.resource['tso.run'] }}", "__prefect_kind": "jinja"}
    action = {"type": "run-deployment", "deployment_id": unserved, "parameters": {"run": run}}
    trigger = {"type": "event", "posture": "Reactive", "expect": ["tso.round.promoted"]}
    body = {"name": "chain", "trigger": trigger, "actions": [action]}
    return stack.api("/automations/", body)["id"]


@pytest.fixture(scope="module")
def killed(stack, chained):
    """A flow run of the form, killed while it trains."""
    flow_run_id = stack.start("tso/rounds", ASKED)
    work = stack.folder / "work"
    wait_for("training", lambda: "train" in children(work), SECONDS)
    [process] = [one for one in flow_processes(stack) if is_flow(one, flow_run_id)]
    family = [one.pid for one in process.children(recursive=True)]
    process.kill()
    return {"id": flow_run_id, "family": family}


def test_one_command_brings_up_every_part(stack):
    assert part_states(stack) == dict.fromkeys(PARTS, "RUNNING")
    said = stack.tso("stack", "status")
    assert said.count(" up ") == len(PARTS) and stack.settings.url_of("reports") in said
    pools = {one["name"]: one for one in stack.api("/work_pools/filter", {})}
    limits = {name: one["concurrency_limit"] for name, one in pools.items()}
    assert limits == {"cpu": None, "gpu-sampling": 1, "gpu-training": 1}
    known = stack.api("/v2/concurrency_limits/filter", {})
    assert [one["limit"] for one in known if one["name"] == "gpu"] == [1]


def test_the_command_again_changes_nothing(stack):
    pids = [pid_of(stack, name) for name in PARTS]
    automations = stack.api("/automations/filter", {})
    said = stack.tso("stack", "up")
    assert [pid_of(stack, name) for name in PARTS] == pids
    assert stack.api("/automations/filter", {}) == automations and len(automations) == 6
    assert "starting" not in said and "made" not in said


def test_secrets_are_in_private_files_alone(stack, mailbox):
    secrets = [(stack.folder / "database.password").read_text().strip()]
    secrets += [
        line.partition("=")[2]
        for line in (stack.folder / "stack.env").read_text().splitlines()
        if line.startswith("AWS_SECRET")
    ]
    assert len(secrets) == 2 and all(len(one) >= 32 for one in secrets)
    secrets.append("of-the-webhook")
    for path in stack.folder.rglob("*"):
        if not path.is_file() or path.is_relative_to(stack.folder / "database"):
            continue
        text = path.read_bytes()
        if any(one.encode() in text for one in secrets):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            assert path.parent != stack.settings.logs, path
    ports = range(stack.settings.port, stack.settings.port + 4)
    listening = [
        one.laddr.ip
        for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr.port in ports
    ]
    assert set(listening) == {"127.0.0.1"} and len(listening) == 4


def test_a_crashed_flow_run_is_retried_and_completes(stack, killed):
    def over():
        one = stack.flow_run(killed["id"])
        return one if one["run_count"] >= 2 and one["state_type"] == "COMPLETED" else None

    done = wait_for("the retried flow run", over, SECONDS)
    assert done["state"]["message"] == "live: 1 rounds done, 1 in all"
    assert {"live", "round-0", "rounds"} <= set(done["tags"]) and gone(killed["family"], 20)


def test_the_crash_was_told_with_a_link(stack, killed, mailbox):
    told = wait_for(
        "a message", lambda: [one for one in mailbox[1] if killed["id"] in one], SECONDS
    )
    assert "live · 1 round more: failed" in told[0] and "is Crashed" in told[0]
    assert f"{stack.settings.url_of('prefect')}/runs/flow-run/{killed['id']}" in told[0]


def test_a_promoted_round_is_an_event_that_starts_what_is_chained_to_it(stack, killed, unserved):
    asked = {"filter": {"event": {"name": ["tso.round.promoted"]}}}
    [event] = wait_for("the event", lambda: stack.api("/events/filter", asked)["events"], SECONDS)
    labels = event["resource"]
    known = [labels[f"tso.{name}"] for name in ("run", "round", "outcome")]
    assert known == ["live", "0", "promoted"] and float(labels["tso.figure.words"]) > 0
    assert labels["tso.manifest"] == "s3://tso/store/runs/live/rounds/00000/manifest.json"
    runs = {"flow_runs": {"deployment_id": {"any_": [unserved]}}}
    [started] = wait_for("it", lambda: stack.api("/flow_runs/filter", runs), SECONDS)
    assert started["parameters"]["run"] == "live"


def test_the_link_of_the_report_opens(stack, killed):
    key = {"artifacts": {"key": {"any_": ["report-live"]}}}
    [report] = stack.api("/artifacts/filter", key)
    link = f"{stack.settings.url_of('reports')}/runs/live/rounds/00000/report.html"
    assert f"({link})" in report["data"] and "live" in stack.page(link)
    assert link.partition("/runs")[2] in stack.page(stack.settings.url_of("reports"))


def test_dead_and_crashed_flow_runs_are_dealt_with_up_to_the_cap(stack, unserved):
    stack.tso("automations", "--silence", "30")  # the server looks once in so long
    once, often = (crashed_after(stack, unserved, starts) for starts in (1, 4))
    silent = silent_since(stack, unserved, seconds=20)
    wait_for(
        "AwaitingRetry", lambda: stack.flow_run(once)["state_name"] == "AwaitingRetry", SECONDS
    )
    wait_for("Crashed", lambda: stack.flow_run(silent)["state_name"] == "Crashed", SECONDS)
    assert "No sign of life for 30 s" in stack.flow_run(silent)["state"]["message"]
    wait_for("retry", lambda: stack.flow_run(silent)["state_name"] == "AwaitingRetry", SECONDS)
    assert stack.flow_run(often)["state_name"] == "Crashed"


@pytest.mark.parametrize("name", ["prefect", "worker-gpu-sampling"])
def test_a_killed_part_comes_back_and_the_others_stay(stack, killed, name):
    before = {one: pid_of(stack, one) for one in PARTS}
    os.kill(before[name], signal.SIGKILL)
    wait_for("its start", lambda: pid_of(stack, name) not in (0, before[name]), SECONDS)
    stack.tso("stack", "up")  # waits until it is ready
    after = {one: pid_of(stack, one) for one in PARTS}
    assert {one for one in PARTS if after[one] != before[one]} == {name}


def test_changed_keys_restart_the_workers_alone(stack, killed):
    before = {one: pid_of(stack, one) for one in PARTS}
    with (stack.folder / "worker.env").open("a") as file:
        file.write("JUDGE_KEY='of a judge'\n")
    stack.tso("stack", "up")
    changed = {one for one in PARTS if pid_of(stack, one) != before[one]}
    assert changed == {one for one in PARTS if one.startswith("worker-")} | {
        "reports",
        "annotation",
    }
    assert psutil.Process(pid_of(stack, "worker-cpu")).environ()["JUDGE_KEY"] == "of a judge"
    assert all("of a judge" not in path.read_text() for path in stack.settings.logs.iterdir())


def test_a_killed_supervisor_is_replaced_and_nothing_runs_twice(stack, killed):
    before = [pid_of(stack, name) for name in PARTS]
    os.kill(Supervision(stack.settings).pid(), signal.SIGKILL)
    assert stack.tried("stack", "status").returncode == 5
    said = stack.tso("stack", "up")
    assert "worker-cpu: ended what was left of it" in said
    assert gone(before) and set(part_states(stack).values()) == {"RUNNING"}
    assert stack.flow_run(killed["id"])["state_type"] == "COMPLETED"


def test_down_leaves_no_process_and_keeps_what_was_done(stack, killed):
    stack.tso("stack", "down")
    assert leftovers.processes_of(stack.folder) == []
    assert stack.tried("stack", "status").returncode == 5
