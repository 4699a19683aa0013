"""A whole round whose policy is sampled by vLLM and judged by a model behind one, and kills."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from infra.vllm.leftovers import clear_earlier
from tasks.child import LOG
from tests.infra.alive import gone
from tests.services.vllm_cells import SERVER, processes_of, served_model, shared_memory
from tests.whole_runs import items, small_world

pytestmark = [pytest.mark.slow, pytest.mark.service]

MATRIX = {
    "policy": {
        "engine": "vllm", "model": "policy", "server": SERVER, "logprobs": True, "samples": 2,
        "max_tokens": 12,
    },
    "other": {"engine": "scripted", "default": "fig, pear {index}", "strength": 2},
}  # fmt: skip
QUESTION = "{{ fence }}{{ first }}{{ fence }}{{ second }}{{ fence }} A or B?"


def world_of(folder):
    """The small run on a model that vLLM can serve; another one judges its evaluation answers."""
    template = folder / "short.j2"
    template.write_text(QUESTION, encoding="utf-8")
    judge = {
        "kind": "pairwise", "model": str(served_model(seed=3)), "server": SERVER,
        "max_tokens": 8, "template": str(template),
    }  # fmt: skip
    return small_world(
        folder,
        run={"base_model": str(served_model()), "seed": 5},
        matrix=MATRIX,
        evaluation={"metrics": {"words": {"kind": "length"}}, "judges": {"second": judge}},
        machine={"side_by_side": 1},
    )


@pytest.fixture(scope="module")
def done(prefect_server, tmp_path_factory):
    """The world, the round's manifest and work folder."""
    folder = tmp_path_factory.mktemp("round")
    before = shared_memory()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TSO_STORE", raising=False)
        patch.setenv("TSO_WORK", str(folder / "work"))
        world = world_of(folder)
        state = world.rounds()
        assert state.is_completed(), state.message
        [manifest] = world.tree().manifests()
        yield world, manifest, folder / "work"
    assert shared_memory() <= before


def by_response(table, column):
    rows = table.to_pylist()
    return {row["response_id"]: row[column] for row in rows}


def test_the_round_trains_on_the_ids_that_the_engine_drew(done):
    world, manifest, _ = done
    responses = world.table(manifest, "sample-train-policy")
    assert responses.num_rows == 16 and None not in responses.column("token_ids").to_pylist()
    scores = by_response(world.table(manifest, "score-reference"), "token_logps")
    drawn = by_response(responses, "token_ids")
    assert {len(drawn[one]) == len(scores[one]) for one in drawn.keys() & scores.keys()} == {True}


def test_log_probabilities_of_engine_and_reference_score_agree(done):
    world, manifest, _ = done
    said = by_response(world.table(manifest, "sample-train-policy", "token_logps"), "token_logps")
    scores = by_response(world.table(manifest, "score-reference"), "token_logps")
    both = said.keys() & scores.keys()
    assert both
    for one in both:
        assert said[one] == pytest.approx(scores[one], abs=1e-4)


def test_calls_of_cells_and_judges_are_counted(done):
    world, manifest, work = done
    calls = [name for _, name in items(work) if ":0-1 of seed" in name]
    assert len(calls) == 8  # two samples of each of eight prompts share a request
    verdicts = world.table(manifest, "judge-second-evaluation")
    assert verdicts.num_rows == 4 * 2  # four prompts, policy against SFT model in both orders


def test_every_server_is_gone_and_left_its_log(done):
    servers = [path.parent for path in done[2].rglob(f"server/{LOG}")]
    assert len(servers) >= 3  # the policy before and after training, and the judge
    assert [pid for one in servers for pid in processes_of(one)] == []


PROGRAM = """
import sys
from pathlib import Path
from tests.services.vllm_cells import engine, job, requests
folder = Path(sys.argv[1])
work = job(folder, {0: requests("k", 64, 2)}, decoding={"max_tokens": 200}, stop_ids=[])
print(sum(len(samples) for _, samples in engine().sample(work)), flush=True)
"""


def test_a_killed_flow_leaves_no_process_and_no_shared_memory_to_the_next(tmp_path):
    before = shared_memory()
    environment = {**os.environ, "TSO_WORK": str(tmp_path / "work")}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    flow = subprocess.Popen(command, env=environment)
    notes = tmp_path / "work" / "servers"
    while not list(notes.glob("*.json")):
        assert flow.poll() is None
        time.sleep(0.1)
    pids = processes_of(tmp_path / "server")
    assert len(pids) >= 3 and shared_memory() > before
    os.kill(flow.pid, signal.SIGKILL)
    flow.wait()
    assert gone(pids, seconds=30)
    [note] = notes.glob("*.json")
    assert json.loads(note.read_text())["group"]
    clear_earlier()  # what the next server's start does; a server ended in time did it itself
    assert shared_memory() <= before
