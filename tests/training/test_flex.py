"""The GPU's attention over trees, by torch's uncompiled form of the same operator."""

import pytest
import torch
from tiny_models import tiny_model
from torch.nn.attention.flex_attention import flex_attention
from training_jobs import CPU, parts_of, policy_of, tree_logps
from transformers.integrations.flex_attention import WrappedFlexAttention

from tasks.training.attention import FLEX
from tasks.training.batches import pack_parts
from tasks.training.logprobs import token_logps

MODELS = [
    ("llama", {}),
    ("mistral", {"sliding_window": 6}),
    ("gemma2", {"head_dim": 8, "sliding_window": 6, "attn_logit_softcapping": 2.0}),
    ("gpt2", {}),
]


@pytest.mark.filterwarnings(
    "ignore:flex_attention called without torch.compile", "ignore:.torch.jit"
)
@pytest.mark.parametrize(("kind", "config"), MODELS)
@pytest.mark.parametrize("length", [None, 128])
@torch.no_grad()
def test_flex_attention_gives_what_blocks_of_rows_give(kind, config, length, monkeypatch):
    monkeypatch.setattr(WrappedFlexAttention, "__call__", lambda self: flex_attention)
    policy, parts = policy_of(tiny_model(kind, **config)), parts_of((5, [3, 9, 12]), (2, [30]))
    wanted = torch.cat(tree_logps(policy, parts))
    policy.model.set_attn_implementation(FLEX)
    found = token_logps(policy, pack_parts(parts, CPU, length))
    torch.testing.assert_close(found, wanted, atol=3e-5, rtol=0)
