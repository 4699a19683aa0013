import multiprocessing
import os
import signal

import pytest
from stage_rows import commit, pairs, stage

from infra.storage import open_store
from tasks.errors import ConflictError

spawned = multiprocessing.get_context("spawn")


def race(root, number, barrier, outcomes, deterministic):
    work = stage(open_store(root))
    table = pairs(number)
    barrier.wait()
    try:
        artifact = commit(work, table, volatile={"by": number}, deterministic=deterministic)
        outcomes.put((number, artifact.content))
    except ConflictError:
        outcomes.put((number, "conflict"))


def raced(root, deterministic):
    barrier, outcomes = spawned.Barrier(2), spawned.Queue()
    racers = [
        spawned.Process(target=race, args=(root, number, barrier, outcomes, deterministic))
        for number in range(2)
    ]
    for racer in racers:
        racer.start()
    results = dict(outcomes.get(timeout=60) for _ in racers)
    for racer in racers:
        racer.join()
    return results


def test_of_two_processes_that_commit_one_stage_one_wins_and_the_other_adopts(disk):
    results = raced(disk.root, deterministic=False)
    found = stage(disk).finished()
    assert set(results.values()) == {found.artifact.content}
    assert found.table().equals(pairs(found.side()["by"]))


def test_a_deterministic_racer_with_other_rows_is_told_of_the_conflict(disk):
    results = raced(disk.root, deterministic=True)
    assert sorted(value == "conflict" for value in results.values()) == [False, True]


def die_before(root, suffix):
    store = open_store(root)
    real = store._backend.create

    def create(path, data):
        if path.endswith(suffix):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path, data)

    store._backend.create = create
    work = stage(store)
    work.commit_shard(0, pairs(1), {})
    work.commit_shard(1, pairs(2), {})
    commit(work, pairs(1, 2))


@pytest.mark.parametrize(
    ("suffix", "shards"), [("00000.json", []), ("00001.json", [0]), ("manifest.json", [0, 1])]
)
def test_a_killed_worker_leaves_whole_shards_and_an_unfinished_stage(disk, suffix, shards):
    worker = spawned.Process(target=die_before, args=(disk.root, suffix))
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    assert stage(disk).shards() == shards
    assert stage(disk).finished() is None
    assert commit(stage(disk), pairs(1, 2)).rows == 2
