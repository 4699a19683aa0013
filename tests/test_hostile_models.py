"""Model folders and templates that mean harm: nothing in them runs."""

import json
import os
import pickle

import pytest

from tasks.errors import ConfigError
from tasks.tokens import load_tokenizer
from tasks.training.policy import load_policy
from tests.tiny_models import tiny_model


class Owned:
    """Unpickled, it makes a file: proof that code of a model's author ran."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def folder(tmp_path):
    """A copy of a tiny model whose files a test may replace."""
    import shutil

    copy = tmp_path / "model"
    shutil.copytree(tiny_model(), copy)
    return copy


def change(file, **values):
    known = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(known | values), encoding="utf-8")


def test_pickled_weights_are_not_read(folder, tmp_path):
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    mark = tmp_path / "owned"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Owned(mark)))
    with pytest.raises(ConfigError, match="cannot load a causal language model"):
        load_policy(folder, "float32", "cpu")
    assert not mark.exists()


def test_code_of_a_model_folder_does_not_run(folder, tmp_path):
    mark = tmp_path / "owned"
    (folder / "modeling_evil.py").write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    change(
        folder / "config.json",
        model_type="evil",
        auto_map={
            "AutoConfig": "modeling_evil.Config",
            "AutoModelForCausalLM": "modeling_evil.Model",
        },
    )
    with pytest.raises(ConfigError, match="cannot load a causal language model"):
        load_policy(folder, "float32", "cpu")
    assert not mark.exists()


def test_code_of_a_tokenizer_does_not_run(folder, tmp_path):
    mark = tmp_path / "owned"
    (folder / "tokenization_evil.py").write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    change(
        folder / "tokenizer_config.json",
        tokenizer_class="EvilTokenizer",
        auto_map={"AutoTokenizer": ["tokenization_evil.EvilTokenizer", None]},
    )
    try:
        load_tokenizer(folder)
    except ConfigError as error:
        assert "cannot load a tokenizer" in str(error)
    assert not mark.exists()


ESCAPES = [
    "{{ cycler.__init__.__globals__.os.mkdir(mark) }}",
    "{{ messages.__class__.__mro__[1].__subclasses__() }}",
    "{% set x = messages.append({}) %}{{ ''.__class__.__base__.__subclasses__() }}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_a_chat_template_cannot_leave_its_sandbox(folder, template):
    for file in (folder / "chat_template.jinja", folder / "chat_template.json"):
        file.unlink(missing_ok=True)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    change(folder / "tokenizer_config.json", chat_template=template)
    tokenizer = load_tokenizer(folder)
    from jinja2.exceptions import SecurityError, UndefinedError

    with pytest.raises((SecurityError, UndefinedError)):
        tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)


@pytest.mark.parametrize("template", ESCAPES)
def test_a_judge_template_cannot_leave_its_sandbox(tmp_path, template):
    from tasks.templates import render_template

    file = tmp_path / "evil.j2"
    file.write_text(template, encoding="utf-8")
    with pytest.raises(ConfigError, match="does not render"):
        render_template(str(file), [{"role": "user", "content": "hi"}], {"a": "x"})
