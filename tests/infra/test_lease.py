import json
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import pytest

from infra.lease import Holder, Lease
from tasks.canonical import digest
from tasks.errors import HeldError

PATH = "runs/demo/lease.json"


def elsewhere(flow_run_id):
    """A holder whose process cannot be looked up from here."""
    return replace(Holder.here(flow_run_id), host="other-machine", boot_id="other-boot", pid=7)


def test_a_lease_is_there_while_held_and_gone_afterwards(store):
    with Lease(store, PATH, Holder.here("flow-1")) as lease:
        lease.check()
        assert json.loads(store.read(PATH))["holder"]["flow_run_id"] == "flow-1"
    assert not store.exists(PATH)


def test_a_live_holder_is_named_with_since_until_and_what_to_do(store):
    with (
        Lease(store, PATH, elsewhere("flow-1")),
        pytest.raises(
            HeldError,
            match=r"lease.json is held by flow run flow-1 \(process 7 on other-machine\) since "
            r"\d{4}-.* UTC, until .* UTC unless it renews\. Wait for it or cancel",
        ),
    ):
        Lease(store, PATH, Holder.here("flow-2")).__enter__()


def test_a_refused_second_comer_leaves_the_holder_alone(store):
    with Lease(store, PATH, elsewhere("flow-1")) as lease:
        before = store.read(PATH)
        with pytest.raises(HeldError):
            Lease(store, PATH, Holder.here("flow-2")).__enter__()
        assert store.read(PATH) == before
        lease.check()


def left_behind(store, holder, seconds=60.0):
    """A lease whose holder died without giving it back."""
    lease = Lease(store, PATH, holder, seconds=seconds)
    lease._take()
    return lease


def test_an_expired_lease_is_taken(store):
    left_behind(store, elsewhere("flow-1"), seconds=-1)
    with Lease(store, PATH, Holder.here("flow-2")) as lease:
        lease.check()


def test_the_same_flow_run_takes_its_lease_again_from_another_machine(store):
    left_behind(store, elsewhere("flow-1"))
    with Lease(store, PATH, Holder.here("flow-1")) as lease:
        lease.check()


def test_the_lease_of_a_killed_process_is_taken_at_once(disk):
    program = f"""
        import os, signal
        from infra.lease import Holder, Lease
        from infra.storage import open_store
        with Lease(open_store({disk.root!r}), {PATH!r}, Holder.here("flow-1")):
            os.kill(os.getpid(), signal.SIGKILL)
    """
    holder = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    deadline = time.monotonic() + 60
    while (entry := entry_of(disk)) is None or not Holder(**entry["holder"]).is_dead():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # Not yet reaped by its parent: a zombie holds nothing.
    with Lease(disk, PATH, Holder.here("flow-2")) as lease:
        lease.check()
    assert holder.wait() == -9


def entry_of(store):
    return json.loads(store.read(PATH)) if store.exists(PATH) else None


def test_a_reused_pid_does_not_keep_a_lease(store):
    here = Holder.here("flow-1")
    assert not here.is_dead()
    left_behind(store, replace(here, process_started=here.process_started - 3600))
    with Lease(store, PATH, Holder.here("flow-2")) as lease:
        lease.check()


def test_a_process_of_another_boot_or_container_is_never_presumed_dead():
    assert not replace(Holder.here("flow-1"), boot_id="other", pid=2**22).is_dead()
    assert replace(Holder.here("flow-1"), pid=2**22 + 1).is_dead()


def test_the_thread_renews_beyond_the_first_term(store):
    with Lease(store, PATH, elsewhere("flow-1"), seconds=5, renew_seconds=0.05) as lease:
        first = entry_of(store)
        deadline = time.monotonic() + 60
        while (later := entry_of(store))["until"] < first["until"] + 0.2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        lease.check()
        with pytest.raises(HeldError, match="flow-1"):
            Lease(store, PATH, Holder.here("flow-2")).__enter__()
    assert later["since"] == first["since"]


def test_a_holder_that_slept_too_long_is_told_who_took_its_lease(store):
    with (
        Lease(store, PATH, elsewhere("flow-1"), seconds=-1, renew_seconds=0.5) as slept,
        Lease(store, PATH, elsewhere("flow-2")),
    ):
        slept._renewer.join(timeout=60)
        with pytest.raises(HeldError, match="held by flow run flow-2"):
            slept.check()
    assert not store.exists(PATH)


def test_an_attempt_is_told_when_another_process_goes_on_for_its_flow_run(store):
    told = threading.Event()
    with Lease(store, PATH, elsewhere("flow-1"), renew_seconds=0.5, superseded=told.set):
        left_behind(store, replace(elsewhere("flow-1"), pid=8))
        assert told.wait(timeout=60)
    assert entry_of(store)["holder"]["pid"] == 8


def test_an_attempt_that_is_superseded_ends_as_if_it_had_done_its_work(disk):
    program = f"""
        import time
        from infra.lease import Holder, Lease
        from infra.prefect.attempts import end_without_a_word
        from infra.storage import open_store
        here = {{"renew_seconds": 0.5, "superseded": end_without_a_word}}
        with Lease(open_store({disk.root!r}), {PATH!r}, Holder.here("flow-1"), **here):
            time.sleep(600)
    """
    attempt = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    deadline = time.monotonic() + 60
    while entry_of(disk) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    left_behind(disk, elsewhere("flow-1"))
    assert attempt.wait(timeout=60) == 0
    assert entry_of(disk)["holder"]["host"] == "other-machine"


def test_a_lease_that_another_flow_run_took_supersedes_nobody(store):
    told = threading.Event()
    slept = {"seconds": -1, "renew_seconds": 0.5, "superseded": told.set}
    with (
        Lease(store, PATH, elsewhere("flow-1"), **slept) as lease,
        Lease(store, PATH, elsewhere("flow-2")),
    ):
        lease._renewer.join(timeout=60)
        assert not told.is_set()


def test_giving_back_leaves_the_lease_of_another_alone(store):
    lease = Lease(store, PATH, elsewhere("flow-1"))
    with lease:
        store.delete(PATH)
        left_behind(store, elsewhere("flow-2"))
    assert entry_of(store)["holder"]["flow_run_id"] == "flow-2"


def test_a_damaged_lease_is_taken(store):
    for data in (b"", b'{"holder"', b"[1]", b'{"holder": {"pid": 1}, "until": 1e12}'):
        store.write(PATH, data)
        with Lease(store, PATH, Holder.here("flow-1")) as lease:
            lease.check()


@pytest.mark.parametrize("expired", [False, True])
def test_of_eight_that_take_at_once_one_holds(store, expired):
    if expired:
        left_behind(store, elsewhere("flow-old"), seconds=-1)
    barrier, held = threading.Barrier(8), []

    def attempt(number):
        barrier.wait()
        try:
            left_behind(store, replace(elsewhere(f"flow-{number}"), pid=number))
            held.append(number)
        except HeldError:
            pass

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry_of(store)["holder"]["pid"]] == held


def test_a_taker_that_died_halfway_delays_nobody(store):
    old = elsewhere("flow-1")
    left_behind(store, old, seconds=-1)
    dead = replace(Holder.here("flow-dead"), process_started=0.0)
    halfway = Lease(store, PATH, dead)
    store.create(f"{PATH}.{digest(entry_of(store))[:16]}", halfway._entry())
    with Lease(store, PATH, Holder.here("flow-2")) as lease:
        lease.check()
    assert store.list() == []
