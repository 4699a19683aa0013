import pytest
import torch
from tiny_models import tiny_model
from training_jobs import ids, policy_of
from transformers import AutoModelForCausalLM

from tasks.training import checkpoints


def changed(policy):
    """`policy` after every weight moved a little."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in policy.parameters.values():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return policy


def source_with(source, policy):
    """The source as transformers computes it, with the policy's weights."""
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    model.load_state_dict(policy.model.state_dict())
    return model


@pytest.mark.parametrize("kind", ["qwen2", "llama", "gpt2"])
@pytest.mark.parametrize("shard_bytes", [None, 20_000])
def test_exported_models_load_again_equal(kind, shard_bytes, tmp_path, monkeypatch):
    if shard_bytes is not None:
        monkeypatch.setattr(checkpoints, "SHARD_BYTES", shard_bytes)
    source = tiny_model(kind)
    policy = changed(policy_of(source))
    folder = checkpoints.export(policy, source, tmp_path, "models/step-0000003")
    assert folder == tmp_path / "models/step-0000003"
    assert (len(list(folder.glob("*.safetensors"))) > 1) == (shard_bytes is not None)
    again = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    assert again.config.tie_word_embeddings == (kind != "llama")
    parameters = dict(again.named_parameters())
    assert parameters.keys() == policy.parameters.keys()
    assert all(torch.equal(parameters[name], one) for name, one in policy.parameters.items())
    with torch.no_grad():
        expected = source_with(source, policy)(torch.tensor([ids(0, 9)])).logits
        torch.testing.assert_close(again(torch.tensor([ids(0, 9)])).logits, expected)


def test_a_second_export_takes_the_place_of_the_first(tmp_path):
    source = tiny_model()
    policy = policy_of(source)
    folder = checkpoints.export(policy, source, tmp_path)
    (folder / "stray.txt").touch()
    first = (folder / "model.safetensors").read_bytes()
    checkpoints.export(changed(policy), source, tmp_path)
    assert not (folder / "stray.txt").exists()
    assert (folder / "model.safetensors").read_bytes() != first
