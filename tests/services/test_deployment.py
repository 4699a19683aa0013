"""What docs/weekly.md promises: rounds from the form's API, from a schedule, and after a crash."""

import os
import signal
import time
from itertools import pairwise

import psutil
import pytest

from docs.weekly import wait_for
from tests.infra.alive import gone
from tests.services.weekly_run import ASKED, ROUND_SECONDS, ROUNDS
from tests.whole_runs import children

pytestmark = [pytest.mark.slow, pytest.mark.service]


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
        ("tso-estimate/gpu-training", "gpu-training", None),
        ("tso-transform/gpu-sampling", "gpu-sampling", None),
        ("tso-transform/cpu", "cpu", None),
        ("tso-score/gpu-training", "gpu-training", None),
        ("tso-train/gpu-training", "gpu-training", 1),
        ("tso-evaluate/cpu", "cpu", None),
        ("tso-garbage/garbage", "cpu", 1),
        ("tso-annotation/tick", "cpu", 1),
    ],
)
def test_long_verbs_and_the_garbage_collection_have_deployments(weekly, name, pool, at_a_time):
    found = weekly.lab.deployment(name)
    limit = found["global_concurrency_limit"]
    assert found["work_pool_name"] == pool and found["entrypoint"].startswith("flows.")
    assert (limit and limit["limit"]) == at_a_time
    others = "CANCEL_NEW" if name == "tso-annotation/tick" else "ENQUEUE"
    assert at_a_time is None or found["concurrency_options"]["collision_strategy"] == others
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
