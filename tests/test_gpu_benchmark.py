"""The benchmark for GPUs at a size that any machine can run; its figures mean nothing there."""

import math

import pytest
import yaml

from benchmarks.gpu.__main__ import NOT_RUN, PLAN, flops_of_prompt, main, measure

TINY = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": True,
}  # fmt: skip


def plan(**changed):
    whole = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    return whole | {
        "device": "cpu", "model": TINY, "small": TINY, "vocabulary": 50, "vocabularies": [50, 60],
        "prompt_tokens": 5, "response_tokens": 3, "prompts_per_step": 2, "warmup_steps": 1,
        "timed_steps": 1, "tokens_per_microbatch": 64,
        "agreement": whole["agreement"] | {"tokens": 12},
    } | changed  # fmt: skip


def test_flops_are_those_counted_by_hand():
    shape = {**TINY, "hidden_size": 2, "intermediate_size": 3, "num_hidden_layers": 1}
    wanted = plan(prompt_tokens=2, response_tokens=1, responses=2)
    weights = 4 * 2 * 2 + 3 * 2 * 3
    seen = (1 + 2) + 2 * 3  # two prompt tokens see 1 and 2; each response token sees 3
    head = 2 * 2 * 7 * 2  # a vocabulary of 7, two responses of one token
    assert flops_of_prompt(wanted, shape, 7) == 3 * (2 * weights * 4 + 4 * 2 * seen + head)


@pytest.mark.slow
def test_every_part_of_the_benchmark_runs(tmp_path):
    found = measure(plan(), tmp_path)
    assert found["speed"]["pairs_per_second"] > 0
    assert found["largest_logp_difference"]["float32"]["nats"] < 1e-4
    assert found["activation_bytes_by_vocabulary"].keys() == {50, 60}
    assert (
        math.isnan(found["activation_growth"]["ratio"])
        and not found["activation_growth"]["goal_met"]
    )


def test_without_a_gpu_the_results_say_that_nothing_was_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.gpu.__main__.torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("benchmarks.measurement.RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["gpu"])
    main()
    assert NOT_RUN in capsys.readouterr().out
    assert NOT_RUN in (tmp_path / "gpu.json").read_text()
