import pytest
import torch
from safetensors.torch import load_file
from tiny_models import tiny_model
from training_jobs import (
    groups,
    lines,
    pair_examples,
    policy_of,
    run_here,
    train_spec,
    write_examples,
)

from tasks.training.live_reference import LiveReference
from tasks.training.policy import load_policy, recompute_layers
from tasks.training.settings import LiveReferenceSettings
from tasks.training.step import accumulate, make_optimizer, optimizer_step
from tasks.variants import load_variant


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_recomputed_layers_give_the_same_gradients_to_the_last_bit(kind, tmp_path):
    found = []
    for recompute in (False, True):
        policy = policy_of(tiny_model(kind, attn_pdrop=0.5, resid_pdrop=0.5))
        if recompute:
            recompute_layers(policy)
        for group in groups(tmp_path, pair_examples(tiny_model(kind), 3), range(3), 4096):
            accumulate(policy, load_variant("tasks.losses", "dpo"), group, 3, 16)
        found.append([parameter.grad for parameter in policy.parameters.values()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_recomputed_layers_keep_fewer_activations(tmp_path):
    [group] = groups(tmp_path, pair_examples(tiny_model("llama"), 4), range(4), 4096)
    kept = []
    for recompute in (False, True):
        policy, sizes = policy_of(tiny_model("llama", num_hidden_layers=6)), []
        if recompute:
            recompute_layers(policy)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, sizes=sizes: sizes.append(tensor.numel()) or tensor, lambda one: one
        ):
            accumulate(policy, load_variant("tasks.losses", "dpo"), group, 4, 16)
        kept.append(sum(sizes))
    assert kept[1] < kept[0]


def test_weights_and_optimizer_are_bfloat16_only_if_that_is_asked_for(tmp_path):
    folder = tiny_model("llama")
    for name, master, wanted in [("a", True, torch.float32), ("b", False, torch.bfloat16)]:
        (tmp_path / name).mkdir()
        write_examples(tmp_path / name, pair_examples(folder))
        run_here(tmp_path / name, train_spec(folder, dtype="bfloat16", master_weights=master))
        found = load_file(tmp_path / name / "model/model.safetensors")
        assert {tensor.dtype for tensor in found.values()} == {wanted}


def test_log_probabilities_are_float32_also_of_bfloat16_weights(tmp_path):
    policy = load_policy(tiny_model("llama"), "bfloat16", "cpu", master_weights=False)
    optimizer = make_optimizer(policy, (0.9, 0.999), 0.0)
    packed = groups(tmp_path, pair_examples(tiny_model("llama"), 3), range(3), 4096)
    result = optimizer_step(policy, load_variant("tasks.losses", "dpo"), packed, 3, optimizer, 1.0)
    assert result.metrics["loss"] == pytest.approx(0.6931, abs=0.1)


def live(every, mixing):
    settings = LiveReferenceSettings(every=every, mixing=mixing)
    return LiveReference(model=policy_of(tiny_model("llama")), settings=settings)


def first_weight(policy):
    return next(iter(policy.parameters.values())).detach().flatten()[0].item()


def test_a_moving_average_halves_its_distance_at_each_step():
    policy, reference = policy_of(tiny_model("llama")), live(every=1, mixing=0.5)
    with torch.no_grad():
        next(iter(reference.model.parameters.values())).zero_()
        next(iter(policy.parameters.values())).fill_(1.0)
    seen = []
    for step in (1, 2, 3):
        reference.follow(policy, step)
        seen.append(first_weight(reference.model))
    assert seen == [0.5, 0.75, 0.875]


def test_a_reference_moves_only_every_so_many_steps():
    policy, reference = policy_of(tiny_model("llama", seed=1)), live(every=3, mixing=1.0)
    before = first_weight(reference.model)
    for step in (1, 2):
        reference.follow(policy, step)
    assert first_weight(reference.model) == before
    reference.follow(policy, 3)
    assert first_weight(reference.model) == first_weight(policy)


def distances(workdir, **fields):
    folder = tiny_model("llama")
    write_examples(workdir, pair_examples(folder))
    run_here(workdir, train_spec(folder, settings={"epochs": 2}, **fields))
    return [line["kl"] for line in lines(workdir / "metrics.jsonl")]


def test_the_distance_to_a_reference_that_becomes_the_policy_each_step_stays_0(tmp_path):
    for name in ("live", "fixed"):
        (tmp_path / name).mkdir()
    followed = distances(tmp_path / "live", live_reference={"every": 1, "mixing": 1.0})
    assert max(followed) < 1e-9
    assert max(distances(tmp_path / "fixed")) > 1e-5


def test_a_job_with_a_live_reference_resumes_bit_equal(tmp_path):
    settings, reference = {"checkpoint_every": 1}, {"every": 1, "mixing": 0.3}
    folder = tiny_model("llama")
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        write_examples(tmp_path / name, pair_examples(folder))
        run_here(tmp_path / name, train_spec(folder, settings=settings, live_reference=reference))
    last = sorted((tmp_path / "cut/checkpoints").iterdir())[-1]
    (last / "DONE").unlink()
    run_here(tmp_path / "cut", train_spec(folder, settings=settings, live_reference=reference))
    one, other = (
        load_file(tmp_path / name / "model/model.safetensors") for name in ("whole", "cut")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
