import json
import shutil

import pytest
from safetensors.torch import load_file, save_file
from tiny_models import tiny_model

from tasks.errors import ConfigError
from tasks.weights import reference_fingerprint, weights_digest

PARTS = {
    "weights": "w", "tokenizer": "t", "template": "c", "dtype": "float32", "truncation": "drop>64",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(tiny_model("llama"), tmp_path / "latest")


def test_the_same_path_with_one_weight_changed_is_another_model(folder):
    before = weights_digest(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"][3, 4] += 1e-6
    save_file(tensors, folder / "model.safetensors")
    assert weights_digest(folder) != before


def test_the_config_counts_but_not_who_wrote_it(folder):
    before, path = weights_digest(folder), folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"transformers_version": "9", "_name_or_path": "x"}))
    assert weights_digest(folder) == before
    path.write_text(json.dumps(config | {"rms_norm_eps": 1e-5}))
    assert weights_digest(folder) != before


def test_a_copy_elsewhere_is_the_same_model(folder):
    assert weights_digest(folder) == weights_digest(tiny_model("llama"))


def test_a_folder_without_safetensors_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no model folder"):
        weights_digest(tmp_path)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_each_part_of_a_fingerprint_changes_it(part):
    assert reference_fingerprint(**PARTS) == reference_fingerprint(**PARTS)
    assert reference_fingerprint(**PARTS | {part: "other"}) != reference_fingerprint(**PARTS)
