import json

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from tiny_models import tiny_model
from training_jobs import pair_examples, plain_model, run_here, train_spec, write_examples

from tasks.errors import ConfigError

LORA = {"rank": 2, "alpha": 4}


def weights(folder):
    return load_file(folder / "model.safetensors")


def trained(workdir, model=None, **adapter):
    """A job that trains an adapter on `model` for its six prompts."""
    folder = model or tiny_model("llama")
    write_examples(workdir, pair_examples(folder))
    run_here(workdir, train_spec(folder, adapter=LORA | adapter, expect_reference=True))
    return folder


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_only_linear_layers_change_and_the_result_is_a_plain_model(tmp_path):
    base = weights(trained(tmp_path))
    after = weights(tmp_path / "model")
    assert after.keys() == base.keys()
    assert {name.rpartition(".")[0].rpartition("_")[2] for name in changed(base, after)} == {"proj"}
    assert {tuple(one.shape) for one in after.values()} == {
        tuple(one.shape) for one in base.values()
    }
    plain_model(tmp_path / "model")


def test_each_change_has_at_most_the_rank_of_the_adapter(tmp_path):
    base, after = weights(trained(tmp_path)), weights(tmp_path / "model")
    for name in changed(base, after):
        singular = torch.linalg.svdvals((after[name] - base[name]).double())
        assert singular[2] < 1e-4 * singular[0]


def test_layers_can_be_named(tmp_path):
    base = weights(trained(tmp_path, targets=["q_proj"]))
    assert all("q_proj" in name for name in changed(base, weights(tmp_path / "model")))


def test_layers_that_are_not_there_are_refused_with_those_that_are(tmp_path):
    with pytest.raises(ConfigError, match=r"down_proj, gate_proj, k_proj, lm_head"):
        trained(tmp_path, targets=["query"])


@pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
def test_a_layer_that_shares_its_weights_with_the_embedding_is_refused(target, tmp_path):
    with pytest.raises(ConfigError, match=f"{target}, whose weights are the embedding's"):
        trained(tmp_path, tiny_model("qwen2"), targets=[target])


def test_tied_embeddings_survive_an_adapter(tmp_path):
    base = weights(trained(tmp_path, tiny_model("qwen2")))
    assert weights(tmp_path / "model").keys() == base.keys()
    assert plain_model(tmp_path / "model").config.tie_word_embeddings


def test_stacked_adapters_of_two_rounds_on_the_base_are_the_second_rounds_model(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    base = trained(tmp_path / "one", per_round="stack")
    trained(tmp_path / "two", tmp_path / "one/model", per_round="stack", rank=3)
    stacked = tmp_path / "two/model/adapter"
    config = json.loads((stacked / "adapter_config.json").read_text())
    assert (config["r"], config["base_model_name_or_path"]) == (5, str(base))
    ids = torch.tensor([[7, 8, 9, 10]])
    found = PeftModel.from_pretrained(plain_model(base, torch.float32), stacked)(ids).logits
    wanted = plain_model(tmp_path / "two/model", torch.float32)(ids).logits
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert not torch.allclose(wanted, plain_model(base, torch.float32)(ids).logits, atol=1e-3)


def test_a_killed_adapter_job_ends_as_an_undisturbed_one(tmp_path):
    folder = tiny_model("llama")
    settings = {"checkpoint_every": 1}
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        write_examples(tmp_path / name, pair_examples(folder))
    run_here(tmp_path / "whole", train_spec(folder, adapter=LORA, settings=settings))
    run_here(tmp_path / "cut", train_spec(folder, adapter=LORA, settings=settings))
    last = sorted((tmp_path / "cut/checkpoints").iterdir())[-1]
    for path in last.iterdir():
        path.unlink()
    last.rmdir()
    run_here(tmp_path / "cut", train_spec(folder, adapter=LORA, settings=settings))
    assert not changed(weights(tmp_path / "whole/model"), weights(tmp_path / "cut/model"))
