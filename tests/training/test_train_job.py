import filecmp
from dataclasses import replace

import pytest
from safetensors.torch import load_file
from tiny_models import tiny_model
from training_jobs import (
    lines,
    pair_examples,
    response_examples,
    run_here,
    train_spec,
    write_examples,
)

from tasks.errors import ConfigError, DataError
from tasks.losses._contract import needs_of
from tasks.side_table import reads_side_table
from tasks.training.policy import load_policy
from tasks.variants import kinds, load_variant, variant_class
from tasks.weights import weights_digest


def trains_on_pairs_alone(kind):
    """Whether pairs, their columns and one reference are all that the loss needs."""
    loss = load_variant("tasks.losses", kind, **variant_class("tasks.losses", kind).EXAMPLE)
    several = "several references" in needs_of(loss)
    return loss.EXAMPLES_KIND == "pair" and not (several or reads_side_table(loss))


PAIR_LOSSES = [kind for kind in kinds("tasks.losses") if trains_on_pairs_alone(kind)]


def trained(workdir, examples, model=None, **fields):
    write_examples(workdir, examples)
    return run_here(workdir, train_spec(model or tiny_model(), **fields))


def test_a_round_of_pairs_widens_the_margin(tmp_path):
    settings = {"epochs": 5, "learning_rate": 3e-3}
    examples = pair_examples(tiny_model())
    # A consistent order: response 0 is best, then 1, then 2.
    examples = [example for example in examples if example.example_id[-2:] in ("01", "12")]
    result = trained(tmp_path, examples, settings=settings, expect_reference=True)
    steps = lines(tmp_path / "metrics.jsonl")
    assert [step["step"] for step in steps] == list(range(1, 16))
    assert steps[-1]["margin"] > 0.5 and steps[-1]["accuracy"] > 0.7
    assert result["ended"] == "epochs" and result["steps"] == 15 and result["examples"] == 12
    assert abs(result["first_step_margin"]) < 1e-4


def test_events_repeat_what_metrics_say(tmp_path):
    trained(tmp_path, pair_examples(tiny_model(), 4), settings={"checkpoint_every": 1})
    events = lines(tmp_path / "progress.jsonl")
    steps = [event for event in events if event.pop("event") == "step"]
    assert steps == lines(tmp_path / "metrics.jsonl")
    wanted = {"loss", "reward_chosen", "reward_rejected", "margin", "accuracy", "clipped_both"}
    wanted |= {"chosen_logp", "rejected_logp", "gradient_norm", "learning_rate", "steps"}
    assert wanted <= steps[0].keys()


def test_the_model_folder_keeps_config_and_tokenizer_unchanged(tmp_path):
    source = tiny_model("qwen2")
    trained(tmp_path, pair_examples(source, 2))
    names = [path.name for path in source.iterdir() if path.suffix != ".safetensors"]
    same, changed, missing = filecmp.cmpfiles(source, tmp_path / "model", names, shallow=False)
    assert (sorted(same), changed, missing) == (sorted(names), [], [])
    load_policy(tmp_path / "model", "float32", "cpu")
    assert weights_digest(tmp_path / "model") != weights_digest(source)
    assert load_file(tmp_path / "model" / "model.safetensors").keys() == (
        load_file(source / "model.safetensors").keys()
    )


def test_supervised_training_learns_its_responses(tmp_path):
    settings = {"epochs": 40, "learning_rate": 1e-2, "prompts_per_batch": 8}
    result = trained(
        tmp_path, response_examples(), tiny_model("llama"), loss={"kind": "sft"}, settings=settings
    )
    losses = [step["loss"] for step in lines(tmp_path / "metrics.jsonl")]
    assert losses[0] > 5 and losses[-1] < 1
    assert result["first_step_margin"] is None


def test_max_steps_end_the_job(tmp_path):
    result = trained(tmp_path, pair_examples(tiny_model(), 4), settings={"max_steps": 1})
    assert (result["ended"], result["steps"]) == ("max_steps", 1)


def test_training_ends_early_when_most_pairs_are_clipped_on_both_sides(tmp_path):
    loss = {"kind": "dual_clip_dpo", "chosen_ceiling": 1e-4, "rejected_floor": -1e-4}
    settings = {"epochs": 50, "learning_rate": 3e-3, "stop_when_clipped": 0.5}
    examples = [e for e in pair_examples(tiny_model(), 2) if e.example_id[-2:] == "01"]
    result = trained(tmp_path, examples, loss=loss, settings=settings)
    shares = [step["clipped_both"] for step in lines(tmp_path / "metrics.jsonl")]
    assert result["ended"] == "clipped" and result["steps"] == len(shares) < 50
    assert all(sum(shares[k : k + 10]) / 10 <= 0.5 for k in range(len(shares) - 10))
    assert sum(shares[-10:]) / 10 > 0.5


@pytest.mark.parametrize("kind", ["other weights", "edited weights"])
def test_a_policy_that_is_not_the_reference_is_refused(kind, tmp_path):
    other = tiny_model(seed=1) if kind == "other weights" else tiny_model(initializer_range=0.101)
    with pytest.raises(DataError, match="the policy is not the reference"):
        trained(tmp_path, pair_examples(other), expect_reference=True)
    assert not (tmp_path / "model").exists()


def test_expecting_a_reference_that_the_loss_does_not_read_is_refused(tmp_path):
    with pytest.raises(DataError, match="expect_reference"):
        trained(tmp_path, response_examples(), loss={"kind": "sft"}, expect_reference=True)


def test_a_learning_rate_that_explodes_is_reported_as_divergence(tmp_path):
    settings = {"learning_rate": 1e30, "warmup_share": 0.0, "epochs": 3}
    with pytest.raises(DataError, match="training diverged"):
        trained(tmp_path, response_examples(), loss={"kind": "sft"}, settings=settings)


def test_each_step_is_logged_before_it_is_made(tmp_path):
    log = tmp_path / "items.jsonl"
    trained(tmp_path, pair_examples(tiny_model(), 4), item_log=str(log))
    assert [(line["stage"], line["item"]) for line in lines(log)] == [
        ("train-0", "step-1"),
        ("train-0", "step-2"),
    ]


def test_an_unknown_job_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="there are: train, score"):
        run_here(tmp_path, {"job": "merge"})


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="cannot load a causal language model"):
        trained(tmp_path, pair_examples(tiny_model(), 2), model=tmp_path / "empty")


def test_equal_jobs_give_equal_bytes(tmp_path):
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        trained(tmp_path / name, pair_examples(tiny_model(), 4))
        digests.append(weights_digest(tmp_path / name / "model"))
    assert digests[0] == digests[1]


def test_rows_beyond_the_context_are_refused_with_numbers(tmp_path):
    short = tiny_model("gpt2", n_positions=10)
    with pytest.raises(DataError, match="12 tokens, the model's context is 10"):
        trained(tmp_path, response_examples(), short, loss={"kind": "sft"})


@pytest.mark.parametrize("kind", PAIR_LOSSES)
def test_every_loss_on_pairs_trains_and_falls(kind, tmp_path):
    """On one pair a prompt; the reference is the start, for losses that use one."""
    pairs = [
        replace(one, p_chosen=0.9, margin=0.8, weight=1.0)
        for one in pair_examples(tiny_model(), 4)
        if one.example_id.endswith("-01")
    ]
    example = variant_class("tasks.losses", kind).EXAMPLE
    loss = load_variant("tasks.losses", kind, **example)
    settings = {"epochs": 10, "learning_rate": 3e-3, "prompts_per_batch": 4}
    trained(
        tmp_path,
        pairs,
        loss={"kind": kind, **example},
        settings=settings,
        expect_reference=loss.USES_REFERENCE,
    )
    steps = lines(tmp_path / "metrics.jsonl")
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert steps[-1]["margin"] > steps[0]["margin"]
