"""Automations are made once, updated in place, left alone where they are right, and removed."""

import contextlib

import pytest
from prefect import flow
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.settings import get_current_settings
from prefect.states import Pending, Scheduled

from docs.weekly import wait_for
from infra.prefect.automations import crashed_runs_are_retried, make_automations, remove_automations
from infra.prefect.notifications import NAME
from infra.prefect.pools import make_pools
from tasks.errors import ConfigError

ZOMBIES, RETRIES = "tso: dead flow runs become Crashed", "tso: crashed flow runs are retried"
UNBORN = "tso: flow runs that do not start become Crashed"
OURS = [ZOMBIES, UNBORN, RETRIES]


@pytest.fixture
def api(prefect_server, monkeypatch):
    monkeypatch.delenv("TSO_NOTIFY", raising=False)
    url = get_current_settings().api.url
    remove_automations(url)
    yield url
    remove_automations(url)
    with contextlib.suppress(ValueError):
        Block.delete(f"custom-webhook/{NAME}")


def on_server():
    with get_client(sync_client=True) as client:
        return {one.name: one for one in client.read_automations()}


def test_the_second_call_leaves_everything_as_it_was(api):
    first = make_automations(api)
    assert first[:3] == [f"{one}: made" for one in OURS]
    before = on_server()
    assert make_automations(api)[:3] == [f"{one}: as it was" for one in OURS]
    assert on_server() == before and set(before) == set(OURS)


def test_a_change_is_made_in_place_and_what_is_paused_stays_paused(api):
    make_automations(api)
    known = on_server()[ZOMBIES].id
    with get_client(sync_client=True) as client:
        client.pause_automation(known)
    assert f"{ZOMBIES}: updated" in make_automations(api, silence_seconds=120)
    changed = on_server()[ZOMBIES]
    assert (changed.id, changed.enabled) == (known, False)
    assert changed.trigger.within.total_seconds() == 120


def test_without_retries_none_are_made(api):
    make_automations(api)
    assert f"{RETRIES}: removed" in make_automations(api, retries=0)
    assert set(on_server()) == {ZOMBIES, UNBORN}


def test_the_cap_is_a_number_of_starts(api):
    match = crashed_runs_are_retried(2, 15.0).trigger.match.model_dump()
    assert match["prefect.run-count"] == ["0", "1", "2"]


@flow
def left_alone():
    """Is never run."""


def test_a_flow_run_that_its_worker_took_and_never_started_is_crashed(api):
    make_automations(api, silence_seconds=10)
    further = [State(type=StateType.CANCELLING), Scheduled(name="AwaitingConcurrencySlot")]
    with get_client(sync_client=True) as client:
        others = [client.create_flow_run(left_alone, state=Pending()) for _ in further]
        for other, state in zip(others, further, strict=True):
            client.set_flow_run_state(other.id, Pending(name="Submitting"), force=True)
            client.set_flow_run_state(other.id, state, force=True)
        submitted = client.create_flow_run(left_alone, state=Pending())
        client.set_flow_run_state(submitted.id, Pending(name="Submitting"))
        scheduled = client.create_flow_run(left_alone, state=Scheduled())
        wait_for("its end", lambda: client.read_flow_run(submitted.id).state.is_crashed(), 60)
        assert client.read_flow_run(scheduled.id).state.is_scheduled()
        left = [client.read_flow_run(other.id).state_name for other in others]
        message = client.read_flow_run(submitted.id).state.message
    assert left == ["Cancelling", "AwaitingConcurrencySlot"]
    assert message == "No sign of life for 10 s. Retry goes on where it was."


def test_an_address_becomes_a_block_that_later_calls_use(api):
    assert "notifications: none" in make_automations(api)[-1]
    made = make_automations(api, notify="https://chat.example.org/hooks/secret-part")
    assert len(made) == 6 and "tso: tell of gates: made" in made
    told = ("failed flow runs", "reviews", "gates")
    assert make_automations(api)[3:] == [f"tso: tell of {of}: as it was" for of in told]
    said = str([one.model_dump(mode="json") for one in on_server().values()])
    assert "secret-part" not in said


def test_a_block_that_there_is_not_is_an_error_that_says_how_to_make_one(api):
    with pytest.raises(ConfigError, match="slack-webhook/team"):
        make_automations(api, notify="slack-webhook/nobody")
    assert on_server() == {}


def test_pools_and_limits_are_made_once_and_set_anew(prefect_server):
    url = get_current_settings().api.url
    first = make_pools(url, {"stack-a": None, "stack-b": 1}, {"stack-gpu": 1})
    assert [line.partition(":")[2][:5] for line in first] == [" made"] * 3
    assert make_pools(url, {"stack-a": None, "stack-b": 1}, {"stack-gpu": 1}) == []
    changed = make_pools(url, {"stack-a": None, "stack-b": 2}, {"stack-gpu": 2})
    assert changed == [
        "work pool stack-b: 2 at a time (was 1 at a time)",
        "limit stack-gpu: 2 (was 1)",
    ]
