import copy
from functools import cache

import pytest
import torch
from supplied_examples import Supplied
from tiny_models import tiny_model
from training_jobs import (
    groups,
    pair_examples,
    plain_logps,
    plain_model,
    policy_of,
)

from tasks.errors import DataError
from tasks.training.degree_head import with_degree_head
from tasks.training.step import accumulate, check_is_reference, make_optimizer, optimizer_step
from tasks.variants import load_variant
from tests.losses.loss_cases import CASES, name_of

DUAL = {"beta": 0.5, "chosen_ceiling": 0.6, "rejected_floor": -0.4, "sft_weight": 0.1}


def oracle_loss(model, example, beta, chosen_ceiling, rejected_floor, sft_weight):
    """Dual-clip DPO of one pair, written out; two separate forward passes."""
    chosen = plain_logps(model, example.prompt_ids, example.chosen_ids)
    rejected = plain_logps(model, example.prompt_ids, example.rejected_ids)
    reward_w = beta * (chosen.sum() - sum(example.chosen_logps))
    reward_l = beta * (rejected.sum() - sum(example.rejected_logps))
    gap = torch.clamp(reward_w, max=chosen_ceiling) - torch.clamp(reward_l, min=rejected_floor)
    return torch.log1p(torch.exp(-gap)) - sft_weight * chosen.mean()


def relative_error(ours, theirs):
    """Distance of all gradients of one model together, as a share of the oracle's norm."""
    found = dict(ours.named_parameters())
    apart = norm = 0.0
    for name, parameter in theirs.named_parameters():
        if found[name].grad is not None or parameter.grad is not None:
            apart += float((found[name].grad.double() - parameter.grad).square().sum())
            norm += float(parameter.grad.square().sum())
    assert norm > 0
    return (apart / norm) ** 0.5


DECODERS = {
    "llama": {},
    "qwen2": {},
    "qwen3": {"head_dim": 8},
    "mistral": {"sliding_window": None},
    "mistral with a window": {"sliding_window": 6},
    "gemma": {"head_dim": 8},
    "gemma2": {"head_dim": 8, "sliding_window": 6, "attn_logit_softcapping": 2.0},
    "gpt2": {},
}
"""Kinds of decoders and their settings; the first word is the kind."""


@pytest.mark.parametrize("tokens", [20, 64, 100_000])
@pytest.mark.parametrize("decoder", DECODERS)
def test_gradients_equal_those_of_single_pairs_in_double_precision(decoder, tokens, tmp_path):
    kind, config = decoder.split()[0], DECODERS[decoder]
    examples = pair_examples(tiny_model(kind, seed=1, **config), num_prompts=4)
    folder = tiny_model(kind, seed=0, **config)
    policy, model = policy_of(folder), plain_model(folder)
    packed = groups(tmp_path, examples, range(4), tokens)
    assert (max(len(group.packs) for group in packed) > 1) == (tokens == 20)
    loss = load_variant("tasks.losses", "dual_clip_dpo", **DUAL)
    parts = [accumulate(policy, loss, group, 4, 16) for group in packed]
    expected = sum(example.weight * oracle_loss(model, example, **DUAL) for example in examples)
    (expected / 4).backward()
    assert sum(float(part["loss"].total) for part in parts) == pytest.approx(
        expected.item(), rel=1e-6
    )
    assert relative_error(policy.model, model) < 2e-6


@cache
def models(decoder):
    """The policy, the same in double precision, and two references; they are never trained."""
    kind, config = decoder.split()[0], DECODERS[decoder]
    folder, *others = (tiny_model(kind, seed=seed, **config) for seed in range(3))
    return policy_of(folder), plain_model(folder), [plain_model(one) for one in others]


def trees_and_oracle(supplied, decoder, tokens, workdir):
    """Relative errors of a step's gradients: of the model, and of the head if there is one."""
    loss, head = supplied.loss, None
    policy, model, _ = models(decoder)
    for one in (policy.model, model):
        one.zero_grad()
    if loss.HEAD_CLASSES:
        policy = with_degree_head(policy, loss.HEAD_CLASSES, seed=3)
        head = copy.deepcopy(policy.degree_head).double()
    prompts = len(supplied.prompts)
    packed = supplied.groups(workdir, tokens)
    assert (max(len(group.packs) for group in packed) > 1) == (tokens < 100)
    parts = [accumulate(policy, loss, group, prompts, 16) for group in packed]
    expected = supplied.objective(model, head)
    expected.backward()
    total = sum(float(part["loss"].total) for part in parts) / prompts
    assert total == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    errors = [relative_error(policy.model, model)]
    return [*errors, relative_error(policy.degree_head, head)] if head else errors


@pytest.mark.parametrize(
    ("decoder", "tokens"), [*((one, 24) for one in DECODERS), ("llama", 100_000)]
)
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_gradients_of_every_loss_equal_those_of_single_responses(case, decoder, tokens, tmp_path):
    supplied = Supplied(load_variant("tasks.losses", **case), models(decoder)[2])
    assert max(trees_and_oracle(supplied, decoder, tokens, tmp_path)) < 1e-5


@pytest.mark.parametrize(("dtype", "kind"), [("float32", "qwen2"), ("bfloat16", "llama")])
def test_at_step_0_the_margin_is_0_and_the_loss_ln_2(dtype, kind, tmp_path):
    folder = tiny_model(kind)
    policy = policy_of(folder, dtype)
    packed = groups(tmp_path, pair_examples(folder), range(6), 256)
    assert check_is_reference(policy, packed) < {"float32": 1e-4, "bfloat16": 0.2}[dtype]
    optimizer = make_optimizer(policy, (0.9, 0.999), 0.0)
    loss = load_variant("tasks.losses", "dual_clip_dpo")
    result = optimizer_step(policy, loss, packed, 6, optimizer, 1.0)
    tolerance = {"float32": 1e-5, "bfloat16": 0.1}[dtype]
    assert result.metrics["loss"] == pytest.approx(0.6931472, abs=tolerance)
    assert abs(result.metrics["margin"]) < tolerance


def test_a_reference_that_is_no_number_somewhere_is_not_the_policy(tmp_path):
    folder = tiny_model("llama")
    packed = groups(tmp_path, pair_examples(folder), range(6), 40)
    packed[0].reference_KBT[0, 0, 0] = torch.nan
    with pytest.raises(DataError, match="differ by up to nan nats"):
        check_is_reference(policy_of(folder), packed)


def test_a_prompt_weighs_the_same_however_many_pairs_it_has(tmp_path):
    examples = pair_examples(tiny_model(seed=1), num_prompts=2)
    policy, loss = policy_of(tiny_model()), load_variant("tasks.losses", "dpo")
    packed = groups(tmp_path, examples, range(2), 4096)
    optimizer = make_optimizer(policy, (0.9, 0.999), 0.0)
    whole = optimizer_step(policy, loss, packed, 2, optimizer, 1.0).metrics
    policy = policy_of(tiny_model())
    single = [
        float(accumulate(policy, loss, group, 1, 16)["loss"].total)
        for prompt in range(2)
        for group in groups(tmp_path, examples, [prompt], 4096)
    ]
    assert whole["loss"] == pytest.approx(sum(single) / 2, rel=1e-6)


def test_dropout_in_the_config_stays_off(tmp_path):
    folder = tiny_model("gpt2", attn_pdrop=0.5, embd_pdrop=0.5, resid_pdrop=0.5)
    packed = groups(tmp_path, pair_examples(folder, 2), range(2), 4096)
    assert check_is_reference(policy_of(folder), packed) < 1e-4


def test_norms_and_biases_do_not_decay():
    optimizer = make_optimizer(policy_of(tiny_model("qwen2")), (0.9, 0.999), 0.1)
    decaying, others = optimizer.param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert {p.ndim for p in decaying["params"]} == {2}
    assert {p.ndim for p in others["params"]} == {1}
