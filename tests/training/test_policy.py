import pytest
import torch
from tiny_models import tiny_model
from training_jobs import parts_of, plain_logps, plain_model, policy_of, tree_logps
from transformers import LlamaForCausalLM

from tasks.errors import ConfigError, DataError
from tasks.training import cpu_linear
from tasks.training.checkpoints import export
from tasks.training.cpu_linear import OneDNNLinear

FAMILIES = [
    ("cohere", {"logit_scale": 0.25}),
    ("gemma2", {"head_dim": 8, "final_logit_softcapping": 2.0}),
    ("granite", {"logits_scaling": 4.0}),
    ("olmo2", {}),
    ("phi3", {"sliding_window": 5}),
]


@pytest.mark.parametrize(("kind", "config"), FAMILIES)
def test_trees_equal_single_sequences_in_other_model_families(kind, config):
    folder = tiny_model(kind, **config)
    policy, model, parts = policy_of(folder), plain_model(folder), parts_of((5, [3, 9]), (2, [30]))
    wanted = [
        plain_logps(model, part.trunk.tolist(), branch.tokens.tolist())
        for part in parts
        for branch in part.branches
    ]
    for found, one in zip(tree_logps(policy, parts), wanted, strict=True):
        torch.testing.assert_close(found.double(), one, atol=3e-5, rtol=0)


@pytest.mark.parametrize(
    ("kind", "config", "why"),
    [
        ("mamba", {}, "Mamba"),
        ("bloom", {}, "Bloom"),
        ("falcon", {}, "FalconForCausalLM computes other logits on prompt trees"),
        ("lfm2", {"layer_types": ["conv", "full_attention"]}, r"kinds \['conv'\]"),
        ("gpt_oss", {"num_local_experts": 4, "head_dim": 8}, "s_aux"),
        ("phimoe", {"num_local_experts": 2, "sliding_window": 10}, "window of 10 tokens"),
    ],
)
def test_a_model_that_cannot_compute_trees_is_refused_by_name(kind, config, why):
    with pytest.raises(ConfigError, match=why):
        policy_of(tiny_model(kind, **config))


def test_a_window_beyond_the_models_context_is_none():
    policy_of(tiny_model("phimoe", num_local_experts=2, sliding_window=512))


def test_rows_beyond_which_angles_change_for_all_rows_are_refused():
    rope = {
        "rope_type": "longrope", "rope_theta": 1e4, "factor": 8.0,
        "short_factor": [1.0] * 4, "long_factor": [4.0] * 4,
    }  # fmt: skip
    policy = policy_of(
        tiny_model("phi3", rope_parameters=rope, original_max_position_embeddings=16)
    )
    policy.check_context(16)
    with pytest.raises(DataError, match=r"17 tokens, and beyond 16 .*longrope"):
        policy.check_context(17)


@pytest.mark.parametrize("kind", ["qwen2", "gemma2"])
def test_an_exported_model_is_the_one_in_memory(kind, tmp_path):
    source = tiny_model(kind)
    policy, parts = policy_of(source), parts_of((5, [3]), (2, [9]))
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.mul_(1.1)
    again = policy_of(export(policy, source, tmp_path))
    for one, other in zip(tree_logps(again, parts), tree_logps(policy, parts), strict=True):
        assert torch.equal(one, other)


def test_a_model_that_treats_its_logits_in_an_unknown_way_is_refused(monkeypatch):
    monkeypatch.setattr(LlamaForCausalLM, "get_output_embeddings", lambda self: torch.tanh)
    with pytest.raises(ConfigError, match="LlamaForCausalLM computes other logits"):
        policy_of(tiny_model("llama", vocab_size=32))


def test_linear_layers_on_cpu_compute_by_onednn_up_to_rounding():
    policy, model = policy_of(tiny_model("qwen2")), plain_model(tiny_model("qwen2"))
    layer = policy.model.base_model.layers[0].self_attn.q_proj
    assert isinstance(layer, OneDNNLinear) and layer.bias is not None
    inputs = torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(0))
    wanted = model.base_model.layers[0].self_attn.q_proj(inputs.double())
    torch.testing.assert_close(layer(inputs).double(), wanted, atol=1e-5, rtol=0)


def test_a_frozen_layer_on_cpu_computes_no_gradient_of_its_weight(monkeypatch):
    layer = policy_of(tiny_model("qwen2")).model.base_model.layers[0].self_attn.q_proj
    products = []
    product = cpu_linear._product
    monkeypatch.setattr(cpu_linear, "_product", lambda *args: products.append(1) or product(*args))
    inputs = torch.ones(3, 32, requires_grad=True)
    layer.requires_grad_(False)(inputs).sum().backward()
    assert len(products) == 2 and inputs.grad is not None
    layer.requires_grad_(True)(inputs.detach()).sum().backward()
    assert len(products) == 4 and layer.weight.grad is not None and layer.bias.grad is not None


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="torch sees no GPU"):
        policy_of(tiny_model(), device="cuda")
