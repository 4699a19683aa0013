import pytest
import torch
from tiny_models import tiny_model
from training_jobs import CPU, plain_logps, plain_model, policy_of, rows_of
from transformers import LlamaForCausalLM

from tasks.errors import ConfigError
from tasks.training.batches import pack_rows
from tasks.training.checkpoints import export
from tasks.training.cpu_linear import OneDNNLinear
from tasks.training.logprobs import token_logps

FAMILIES = [
    ("mistral", {"sliding_window": 6}),
    ("qwen3", {"head_dim": 8}),
    ("gemma2", {"head_dim": 8, "final_logit_softcapping": 2.0}),
    ("cohere", {"logit_scale": 0.25}),
    ("granite", {"logits_scaling": 4.0}),
    ("olmo2", {}),
]


@pytest.mark.parametrize(("kind", "config"), FAMILIES)
def test_padded_batches_equal_single_rows_in_other_model_families(kind, config):
    folder = tiny_model(kind, **config)
    policy, model = policy_of(folder), plain_model(folder)
    rows = rows_of((5, 3), (2, 30), (9, 12))
    together = token_logps(policy, pack_rows(rows, CPU)).double()
    for found, row in zip(together, rows, strict=True):
        wanted = plain_logps(model, row.prompt.tolist(), row.response.tolist())
        torch.testing.assert_close(found[: len(wanted)], wanted, atol=3e-5, rtol=0)


@pytest.mark.parametrize("kind", ["qwen2", "gemma2"])
def test_an_exported_model_is_the_one_in_memory(kind, tmp_path):
    source = tiny_model(kind)
    policy, packed = policy_of(source), pack_rows(rows_of((5, 3), (2, 9)), CPU)
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.mul_(1.1)
    again = policy_of(export(policy, source, tmp_path))
    assert torch.equal(token_logps(again, packed), token_logps(policy, packed))


def test_a_model_that_treats_its_logits_in_an_unknown_way_is_refused(monkeypatch):
    monkeypatch.setattr(LlamaForCausalLM, "get_output_embeddings", lambda self: torch.tanh)
    with pytest.raises(ConfigError, match="LlamaForCausalLM computes its logits"):
        policy_of(tiny_model("llama", vocab_size=32))


def test_linear_layers_on_cpu_compute_by_onednn_up_to_rounding():
    policy, model = policy_of(tiny_model("qwen2")), plain_model(tiny_model("qwen2"))
    layer = policy.model.base_model.layers[0].self_attn.q_proj
    assert isinstance(layer, OneDNNLinear) and layer.bias is not None
    inputs = torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(0))
    wanted = model.base_model.layers[0].self_attn.q_proj(inputs.double())
    torch.testing.assert_close(layer(inputs).double(), wanted, atol=1e-5, rtol=0)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="torch sees no GPU"):
        policy_of(tiny_model(), device="cuda")
