"""vLLM's server on CPU, as the engine uses it: tokens, log-probabilities, and what may go wrong.

One server serves most of these tests; it is killed and stopped on the way, and started anew.
"""

import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

from infra.processes.children import DEADLINE
from infra.vllm.http import read, sums
from infra.vllm.machine import interpreter
from infra.vllm.shared import shared_server
from tasks.errors import ChildError, ConfigError
from tasks.training.trees import Branch, Part
from tests.infra.alive import gone
from tests.services.vllm_cells import (
    BOS,
    EOS,
    adapter,
    engine,
    job,
    judge_with_short_questions,
    processes_of,
    replies,
    requests,
    served_model,
    shared_memory,
)
from tests.training.training_jobs import plain_logps, plain_model, policy_of, tree_logps

pytestmark = [pytest.mark.slow, pytest.mark.service]

WITH_ADAPTERS = {"adapters": 2, "adapter_rank": 8, "stalled_seconds": 15.0}
WHILE_IT_DRAWS = {"max_tokens": 200}


def test_vllm_has_an_environment_here():
    try:
        interpreter()
    except ConfigError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the shared server keeps its log; `TSO_WORK` is beside it for the whole module."""
    made = tmp_path_factory.mktemp("vllm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSO_WORK", str(made / "work"))
        yield made


@pytest.fixture(scope="module")
def shared(folder):
    """The server of the tests below; nothing of it is left when they are done."""
    before = shared_memory()
    with shared_server(engine(WITH_ADAPTERS).server, served_model(), folder / "server") as one:
        one.running()
        yield one
        pids = processes_of(folder / "server")
        assert len(pids) >= 3
    assert gone(pids) and shared_memory() <= before


@pytest.fixture(scope="module")
def drawn(folder, shared):
    """Two shards of three samples a prompt, with log-probabilities, and how they came."""
    progress, drained = [], []
    work = job(
        folder / "drawn",
        {0: requests("a", 12, 3), 4: requests("b", 5, 3)},
        on_progress=progress.append,
        on_draining=lambda: drained.append(sum(progress)),
    )
    samples = dict(engine(WITH_ADAPTERS, logprobs=True).sample(work))
    return work, samples, progress, drained


def test_every_request_gets_its_sample_in_order(drawn):
    work, samples, progress, drained = drawn
    for index, asked in work.shards.items():
        wanted = [(one.prompt_id, one.sample_index) for one in asked]
        assert [(one.prompt_id, one.sample_index) for one in samples[index]] == wanted
    assert sum(progress) == 51 and len(drained) == 1 and drained[0] < 51


def test_samples_of_one_request_differ(drawn):
    first = drawn[1][0][:3]
    assert len({tuple(one.token_ids) for one in first}) == 3


def test_prompts_have_one_bos_and_the_engine_read_them_as_they_are(drawn, shared):
    ids = drawn[0].shards[0][0].prompt_ids
    assert ids[0] == BOS and ids.count(BOS) == 1
    server = shared.running()
    body = {"model": server.name, "prompt": ids, "max_tokens": 1, "return_token_ids": True}
    answer = read(f"{server.base_url}/completions", 60, body)
    assert f'"prompt_token_ids":{ids}'.replace(" ", "") in answer.replace(" ", "")


def test_a_stop_id_ends_a_response_iff_it_ended_by_itself(drawn):
    samples = [one for part in drawn[1].values() for one in part]
    ended = [one for one in samples if one.finish_reason == "stop"]
    cut = [one for one in samples if one.finish_reason == "length"]
    assert len(ended) + len(cut) == 51 and ended and cut
    assert all(one.token_ids[-1] == EOS and EOS not in one.token_ids[:-1] for one in ended)
    assert all(EOS not in one.token_ids and len(one.token_ids) == 24 for one in cut)


def test_log_probabilities_are_the_trainers(drawn):
    work, samples, _, _ = drawn
    policy, worst = policy_of(served_model()), 0.0
    for asked, one in zip(work.shards[0], samples[0], strict=True):
        branch = Branch(np.array(one.token_ids))
        with torch.no_grad():
            [ours] = tree_logps(
                policy, [Part(trunk=np.array(asked.prompt_ids), branches=[branch], first=0)]
            )
        worst = max(worst, (ours - torch.tensor(one.token_logps)).abs().max().item())
    assert worst < 1e-4


def test_cells_with_adapters_share_the_server_and_draw_from_their_own_weights(folder, shared):
    from peft import PeftModel

    server = shared.running()
    for seed in (1, 2):
        made = adapter(folder / f"adapter-{seed}", seed)
        work = job(folder / f"adapted-{seed}", {0: requests("c", 2, 2)})
        [(_, samples)] = engine(WITH_ADAPTERS, adapter=str(made), logprobs=True).sample(work)
        model = PeftModel.from_pretrained(plain_model(served_model(), torch.float32), made).eval()
        for asked, one in zip(work.shards[0], samples, strict=True):
            with torch.no_grad():
                theirs = plain_logps(model, asked.prompt_ids, one.token_ids)
                with model.disable_adapter():
                    base = plain_logps(model, asked.prompt_ids, one.token_ids)
            torch.testing.assert_close(torch.tensor(one.token_logps), theirs, atol=1e-4, rtol=0)
            assert (theirs - base).abs().max() > 1e-2
    assert shared.running() is server


def test_seeded_requests_with_more_tokens_than_one_step_reads_are_all_answered(folder, shared):
    server = shared.running()
    asked = [replace(one, prompt_ids=one.prompt_ids * 6) for one in requests("long", 80, 1)]
    assert sum(len(one.prompt_ids) for one in asked[:32]) > 5000
    work = job(folder / "long", {0: asked}, decoding={"max_tokens": 4})
    [(_, samples)] = engine(WITH_ADAPTERS).sample(work)
    assert len(samples) == 80 and shared.running() is server


def test_a_choice_holds_every_reply_of_a_random_model_to_the_verdicts(folder, shared):
    settings = {"max_tokens": 8, "temperature": 1.0}
    free = judge_with_short_questions(folder, "pairwise", **settings)
    assert {free.parse(one.text).outcome for one in replies(shared, free)} == {"unparsed"}
    held = judge_with_short_questions(folder, "pairwise", structured="choice", **settings)
    said = [held.parse(one.text).outcome for one in replies(shared, held)]
    assert len(said) == 16 and set(said) <= {"first", "second", "tie"}


def test_a_schema_holds_the_replies_that_end_to_its_form(folder, shared):
    settings = {"structured": "json_schema", "max_tokens": 160, "temperature": 1.0}
    held = judge_with_short_questions(folder, "pairwise", **settings)
    said = replies(shared, held)
    ended = [one for one in said if one.finish_reason == "stop"]
    assert all(one.text.lstrip().startswith("{") for one in said)
    assert ended and "unparsed" not in {held.parse(one.text).outcome for one in ended}


def test_a_verdict_is_read_from_the_probabilities_that_the_server_gives_its_letters(folder, shared):
    judge = judge_with_short_questions(folder, "logprob", structured="choice", least_mass=0.0)
    said = [judge.parse(one.text, one.tokens) for one in replies(shared, judge)]
    assert {one.outcome for one in said} <= {"first", "second"}
    assert all(0 < one.p_second_wins < 1 for one in said)


@contextmanager
def struck(shared, number, which):
    """Signal `number` reaches processes of the server once it draws; yields when it did."""
    server, hit = shared.running(), []

    def strike():
        while sums(read(f"{server.address}/metrics", 5) or "").get("num_requests_running", 0) < 1:
            time.sleep(0.02)
        for pid in processes_of(server.workdir):
            with suppress(psutil.NoSuchProcess, ProcessLookupError):  # gone with its killed parent
                if which in " ".join(psutil.Process(pid).cmdline()):
                    os.kill(pid, number)
                    hit.append(pid)

    thread = threading.Thread(target=strike)
    thread.start()
    yield hit
    thread.join()


def in_order(work, samples):
    wanted = [(one.prompt_id, one.sample_index) for part in work.shards.values() for one in part]
    found = [(one.prompt_id, one.sample_index) for part in samples.values() for one in part]
    return found == wanted


@pytest.mark.parametrize(
    ("number", "which"), [(signal.SIGKILL, "api_server"), (signal.SIGSTOP, "EngineCore")]
)
def test_a_server_that_dies_or_hangs_is_restarted_and_no_shard_is_drawn_twice(
    folder, shared, number, which
):
    lost, yielded, began = shared.running(), [], time.monotonic()
    shards = {index: requests(f"d{index}{number}-", 16, 2) for index in range(6)}
    work = job(folder / f"struck-{int(number)}", shards, decoding=WHILE_IT_DRAWS, stop_ids=[])
    samples = {}
    with struck(shared, number, which) as hit:
        for index, part in engine(WITH_ADAPTERS, concurrency=8).sample(work):
            yielded.append(index)
            samples[index] = part
    assert hit and not lost.alive() and shared.running() is not lost
    assert sorted(yielded) == list(range(6)) and in_order(work, dict(sorted(samples.items())))
    if number == signal.SIGSTOP:
        assert time.monotonic() - began > WITH_ADAPTERS["stalled_seconds"]
        assert "made no token for 15 s" in lost.why_lost()


def test_a_failed_start_shows_the_last_lines_of_the_servers_own_log(folder):
    bad = engine({"arguments": ("--block-size", "many")})
    with pytest.raises(ChildError, match="argument --block-size: ") as caught:
        list(bad.sample(job(folder / "bad", {0: requests("e", 1, 1)})))
    assert caught.value.exit_code == 2 and "bad/server/log.txt" in str(caught.value)


def test_a_server_that_does_not_come_up_in_time_is_stopped(folder):
    with pytest.raises(ChildError, match=r"does not answer in time \(start_seconds=1\)") as caught:
        list(engine({"start_seconds": 1.0}).sample(job(folder / "slow", {0: requests("f", 1, 1)})))
    assert caught.value.exit_code == DEADLINE
    assert processes_of(folder / "slow" / "server") == []
