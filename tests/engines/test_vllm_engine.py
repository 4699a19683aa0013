"""What the vllm engine decides without a server: calls, names, keys, refusals, and its command."""

import json

import pytest

from infra.engines.vllm import VLLM, _sample
from infra.openai_attempts import read
from infra.openai_calls import Call, Choice, Reply, reply_of
from infra.vllm.command import command_line, variables
from infra.vllm.http import sums
from infra.vllm.machine import environment_for, interpreter
from tasks.canonical import digest
from tasks.errors import ConfigError, DataError
from tasks.serving import ServerSettings
from tasks.variants import load_variant, settings_of
from tests.services.vllm_cells import EOS, engine, job, requests


def calls(tmp_path, samples=3, **settings):
    work = job(tmp_path, {0: requests("a", 2, samples)})
    return engine(**settings)._calls(work.shards[0], work)


def test_one_call_draws_all_samples_of_a_prompt(tmp_path):
    first, second = calls(tmp_path)
    assert (first.id, second.id) == (
        f"a0:0-2 of seed {first.seeds[0]}",
        f"a1:0-2 of seed {second.seeds[0]}",
    )
    assert first.choices == 3 and first.request["n"] == 3
    assert first.content == {"prompt": first.prompt_ids} and "messages" not in first.content
    assert first.request["seed"] == first.seeds[0] % 2**31


def test_per_request_makes_calls_smaller(tmp_path):
    assert [one.id.partition(" of seed")[0] for one in calls(tmp_path, per_request=2)] == [
        "a0:0-1", "a0:2-2", "a1:0-1", "a1:2-2",
    ]  # fmt: skip


def test_only_our_stop_ids_end_a_response(tmp_path):
    exact = {"return_token_ids": True, "ignore_eos": True, "stop_token_ids": [EOS]}
    assert calls(tmp_path)[0].settings.items() >= exact.items()


def test_log_probabilities_are_asked_for_only_where_they_are_kept(tmp_path):
    assert "logprobs" not in calls(tmp_path)[0].settings
    assert calls(tmp_path, logprobs=True)[0].settings["logprobs"] == 0


@pytest.mark.parametrize(
    ("samples", "settings", "wanted"),
    [(1, {}, 64), (4, {}, 16), (4, {"per_request": 1}, 64), (4, {"concurrency": 7}, 7)],
)
def test_as_many_requests_are_under_way_as_fill_the_servers_batch(
    tmp_path, samples, settings, wanted
):
    work = job(tmp_path, {0: requests("a", 1, samples)})
    assert engine(**settings)._client(tmp_path, work).concurrency == wanted


def test_a_request_without_token_ids_is_refused(tmp_path):
    from dataclasses import replace

    work = job(tmp_path, {})
    with pytest.raises(DataError, match="a0:0 has no token ids"):
        engine()._call([replace(requests("a", 1, 1)[0], prompt_ids=None)], work)


def completion(seen, drawn=(7, 8), **fields):
    choice = {"finish_reason": "length", "logprobs": None, "token_ids": list(drawn)} | fields
    return {"choices": [{"prompt_token_ids": list(seen), **choice}], "usage": None}


def test_an_engine_that_read_other_ids_is_an_error():
    asked = Call(id="c", messages=[], prompt_ids=[1, 2, 3])
    assert read(completion([1, 2, 3]), asked, 1.0).choices[0].token_ids == [7, 8]
    with pytest.raises(DataError, match=r"call c gave \[1, 2, 3\]…, it read \[1, 1, 2, 3\]…"):
        read(completion([1, 1, 2, 3]), asked, 1.0)


def test_a_reply_without_ids_is_no_completion():
    with pytest.raises(ValueError, match="without a usable choice"):
        read(completion([1], token_ids=None), Call(id="c", messages=[], prompt_ids=[1]), 1.0)


def test_drawn_ids_and_log_probabilities_come_back_from_the_journal():
    choice = Choice(text="", finish_reason="stop", token_ids=[7, EOS], token_logps=[-1.0, -0.5])
    call = Call(id="c", messages=[], prompt_ids=[1])
    kept = json.loads(json.dumps(Reply(choices=[choice]).kept(call, "stage")))
    assert reply_of(kept).choices == [choice]


def test_entries_of_conversations_stay_as_they_were():
    kept = Reply(choices=[Choice(text="x")]).kept(Call(id="c", messages=[]), "stage")
    assert kept["choices"] == [{"text": "x", "finish_reason": "unknown"}]


def drawn(*ids, finish="stop"):
    choice = Choice(text="", finish_reason=finish, token_ids=list(ids))
    return _sample(requests("a", 1, 1)[0], choice, {EOS})


def test_a_response_ended_by_itself_iff_its_last_id_is_a_stop_id():
    assert drawn(7, EOS).finish_reason == "stop"
    assert drawn(7, EOS, finish="length").finish_reason == "stop"
    assert drawn(7, 8, finish="length").finish_reason == "length"
    assert drawn(finish="abort").finish_reason == "abort"


@pytest.mark.parametrize(("ids", "finish"), [((7, 8), "stop"), ((EOS, 7), "length")])
def test_a_stop_id_elsewhere_or_nowhere_is_an_error(ids, finish):
    with pytest.raises(DataError, match="a stop id must end a response"):
        drawn(*ids, finish=finish)


def test_a_prompt_that_the_server_refuses_has_no_response():
    refused = _sample(requests("a", 1, 1)[0], Choice(text="", finish_reason="too_long"), {EOS})
    assert refused.token_ids is None and refused.finish_reason == "too_long"


def test_only_type_arguments_and_log_probabilities_enter_keys():
    plain = settings_of(VLLM())
    elsewhere = {
        "interpreter": "/x", "command": ["-m", "x"], "tensor_parallel": 2, "data_parallel": 2,
        "memory_share": 0.5, "kv_cache_gib": 9, "max_model_len": 9, "max_num_seqs": 9,
        "eager": True, "adapters": 3, "adapter_rank": 8, "start_seconds": 1, "stalled_seconds": 1,
        "restarts": 0,
    }  # fmt: skip
    moved = load_variant("infra.engines", "vllm", server=elsewhere, concurrency=3, per_request=1)
    assert settings_of(moved) == plain
    changed = [{"server": {"dtype": "float16"}}, {"server": {"arguments": ["-x"]}}, {"logprobs": 1}]
    others = [settings_of(load_variant("infra.engines", "vllm", **one)) for one in changed]
    assert len({digest(one) for one in [plain, *others]}) == 4


@pytest.mark.parametrize(
    "argument",
    ["--trust-remote-code", "--trust_remote_code=true", "--trust-rem", "--tokenizer=x", "-tp=2",
     "--load-format", "--generation-config", "--middleware", "--config=a.yaml", "--port"],
)  # fmt: skip
def test_arguments_that_serve_something_else_or_run_foreign_code_are_refused(argument):
    with pytest.raises(ConfigError, match="arguments:"):
        load_variant("infra.engines", "vllm", server={"arguments": [argument]})


def test_an_adapter_needs_its_files_and_a_server_with_adapters(tmp_path):
    here = {"interpreter": "/bin/sh"}
    with pytest.raises(ConfigError, match=r"write server.adapters: 1"):
        engine(here, adapter=str(tmp_path)).fingerprint("m")
    with_adapters = engine(here | {"adapters": 1}, adapter=str(tmp_path))
    with pytest.raises(ConfigError, match="has no adapter_config"):
        with_adapters.fingerprint("m")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).write_text("1")
    before = with_adapters.fingerprint("m")
    (tmp_path / "adapter_model.safetensors").write_text("2")
    assert with_adapters.fingerprint("m") != before
    assert engine(here).fingerprint("m") == ""


def test_a_missing_environment_names_the_command_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TSO_SAMPLING_PYTHON", str(tmp_path / "python"))
    with pytest.raises(ConfigError, match=r"`python3 -m infra.environment sampling`") as caught:
        interpreter(None)
    assert str(tmp_path / "python") in str(caught.value)


def test_the_command_serves_the_folder_on_loopback_with_vllms_own_defaults(tmp_path):
    settings = ServerSettings(interpreter="/bin/sh", max_model_len=64, arguments=("--seed", "1"))
    line = command_line(settings, tmp_path, 8123, ("name", "mark"))
    text = " ".join(line)
    for part in (
        f"--model {tmp_path}", "--host 127.0.0.1", "--port 8123", "--load-format safetensors",
        "--generation-config vllm", "--max-model-len 64", "--served-model-name name mark",
    ):  # fmt: skip
        assert part in text
    assert line[-2:] == ["--seed", "1"] and "--enable-lora" not in line


def test_a_server_gets_no_secrets_and_no_network_of_the_hub(monkeypatch):
    for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "VLLM_API_KEY", "PGPASS"):
        monkeypatch.setenv(name, "secret")
    given = environment_for(variables(ServerSettings(), ("1", "3"), "/tmp/s"))
    assert "secret" not in given.values() and "PATH" in given
    assert given["HF_HUB_OFFLINE"] == given["VLLM_NO_USAGE_STATS"] == "1"
    assert given["CUDA_VISIBLE_DEVICES"] == "1,3"


def test_metrics_are_added_up_over_engines():
    page = (
        "# TYPE vllm:num_requests_running gauge\n"
        'vllm:num_requests_running{engine="0",model_name="m"} 2.0\n'
        'vllm:num_requests_running{engine="1",model_name="m"} 3.0\n'
        "http_requests_total 9\n"
    )
    assert sums(page) == {"num_requests_running": 5.0}
