"""Texts become the mean of an encoder's last hidden states, in a child process."""

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from infra.embedding import embeddings
from tasks.errors import ConfigError
from tasks.rounds import checks_of
from tests.small_config import small_config
from tests.tiny_models import tiny_model

TEXTS = {"r1": "The red fox ran to the lake.", "r2": "It has eight legs.", "r3": ""}


@pytest.mark.slow
def test_a_text_is_the_mean_of_its_last_hidden_states(tmp_path, monkeypatch):
    monkeypatch.setenv("TSO_WORK", str(tmp_path))
    folder = tiny_model()
    found = embeddings(TEXTS, folder, 4, "w" * 64)
    assert found.keys() == TEXTS.keys() and not found["r3"].any()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    ids = tokenizer(TEXTS["r1"], return_tensors="pt").input_ids[:, :4]
    with torch.no_grad():
        wanted = model.eval()(ids).last_hidden_state[0].mean(dim=0)
    np.testing.assert_allclose(found["r1"], wanted.numpy(), atol=1e-6)


def encoder_check(name):
    checks = checks_of(small_config(diversity={"embedder": name}))
    [check] = [one for one in checks if one.name == "diversity.embedder"]
    return check.look()


def test_an_encoder_that_is_missing_is_told_before_the_round(tmp_path):
    with pytest.raises(
        ConfigError, match=r"diversity.embedder: no model folder at .* leave it out"
    ):
        encoder_check(str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"diversity.embedder: .* is no model folder"):
        encoder_check(str(tmp_path))


def test_an_encoder_that_is_there_is_named_by_its_weights():
    assert ", weights " in encoder_check(str(tiny_model()))


def test_without_an_encoder_nothing_is_looked_for():
    assert "diversity.embedder" not in [one.name for one in checks_of(small_config())]
