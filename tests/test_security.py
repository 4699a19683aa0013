"""Nothing from outside runs as code or leaves its folder (docs/security.md)."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from infra.presets import parse_preset, parse_value
from infra.run_tree import RunTree
from infra.storage import StoredFile, open_store
from tasks.config import Config
from tasks.errors import ConfigError, DataError
from tasks.variants import load_variant, variant_class
from tests.sources import CODE, EVERYTHING, ROOT, calls, sources, tree

# --- no code comes with data ----------------------------------------------------------------------


def keywords(call):
    return {one.arg: one.value for one in call.keywords if one.arg}


def spread(call, path):
    """Keywords of a call, those of `**name` included where `name = {...}` stands in the file."""
    given = {name: ast.unparse(value) for name, value in keywords(call).items()}
    spreads = [ast.unparse(one.value) for one in call.keywords if one.arg is None]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            names = [ast.unparse(target) for target in node.targets]
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                if key is not None and set(names) & set(spreads):
                    given[str(ast.literal_eval(key))] = ast.unparse(value)
    return given


LOADS = [
    (path, call, name)
    for path in sources(*CODE)
    for call, name in calls(path)
    if name.endswith(".from_pretrained")
]


def test_every_load_refuses_the_code_of_a_model_folder_and_asks_nobody():
    """Left out, `trust_remote_code` asks whoever sits at the terminal."""
    found = [
        f"{path}:{call.lineno} {name}"
        for path, call, name in LOADS
        if spread(call, path).get("trust_remote_code") != "False"
    ]
    assert found == [] and len(LOADS) >= 7


def test_every_load_of_weights_takes_safetensors_only():
    found = [
        f"{path}:{call.lineno} {name}"
        for path, call, name in LOADS
        if "Model" in name and spread(call, path).get("use_safetensors") != "True"
    ]
    assert found == []


def test_yaml_is_read_by_the_safe_loader_alone():
    allowed = {"yaml.safe_load", "yaml.safe_load_all", "yaml.safe_dump"}
    found = {
        (path, name)
        for path in sources(*EVERYTHING)
        for _, name in calls(path)
        if re.fullmatch(r"yaml\.\w+", name) and name not in allowed
    }
    assert found == set()


def test_no_archive_is_unpacked_by_the_names_in_it():
    """Members are read one by one under checked names; `extract` follows `../` and links."""
    unpacks = (".extract", ".extractall", "shutil.unpack_archive", "zipfile.ZipFile")
    found = [
        f"{path}:{call.lineno} {name}"
        for path in sources(*CODE)
        for call, name in calls(path)
        if name.endswith(unpacks)
    ]
    assert found == []


def test_prefect_keeps_no_result_of_a_flow_or_task_so_none_is_a_pickle():
    found = []
    for path in sources("flows", "infra/prefect"):
        for call, name in calls(path):
            if name in ("flow", "task"):
                kept = keywords(call).get("persist_result")
                if not (isinstance(kept, ast.Constant) and kept.value is False):
                    found.append(f"{path}:{call.lineno}")
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['touch /tmp/owned']",
        "a: !!python/name:os.system",
        "a: !!python/module:os",
        "a: !include /etc/passwd",
    ],
)
def test_a_preset_with_tags_is_refused(text):
    with pytest.raises(ConfigError, match="is not YAML"):
        parse_preset(text, "hostile.yaml")
    with pytest.raises(ConfigError, match="is not YAML"):
        parse_value(text.removeprefix("a: "))


KINDS = [
    "../../x",
    "os",
    "..tasks.errors",
    "dual_clip_dpo/../dpo",
    "_contract",
    "x\0y",
    "",
    "__init__",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_a_file_of_its_family_or_an_error(kind):
    with pytest.raises(ConfigError, match="has no kind"):
        variant_class("tasks.losses", kind)


def test_settings_cannot_replace_a_variants_own_attributes():
    for name in ("__class__", "SEMANTICS", "VARIANT", "__post_init__"):
        with pytest.raises(ConfigError):
            load_variant("tasks.losses", "dpo", **{name: "x"})


SUSPICIOUS = re.compile(r"(command|interpreter|executable|program|script|module|import|plugin)s?$")


def test_no_setting_of_a_run_names_a_program():
    def names(schema):
        if isinstance(schema, dict):
            yield from schema.get("properties", {})
            for value in schema.values():
                yield from names(value)
        elif isinstance(schema, list):
            for value in schema:
                yield from names(value)

    from tasks.config_schema import preset_schema

    found = {name for name in names(preset_schema()) if SUSPICIOUS.search(name)}
    assert found == set() and "training" in Config.model_fields


# --- hostile stores and names ---------------------------------------------------------------------

OUTSIDE = ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "..", ""]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_leaves_the_store_is_refused(tmp_path, path):
    store = open_store(f"file://{tmp_path}/store")
    for use in (store.read, store.size, lambda name: store.write(name, b"x"), store.delete):
        with pytest.raises(DataError, match="is no path in a store"):
            use(path)


@pytest.mark.parametrize("name", ["../../../owned", "../owned", "a/../../owned", "/owned", "."])
def test_a_manifest_cannot_write_outside_of_the_folder_it_is_fetched_to(tmp_path, name):
    store = open_store(f"file://{tmp_path}/store")
    store.write("stages/train/k/files/model/config.json", b"{}")
    prefix, into = "stages/train/k/files/model", tmp_path / "into"
    file = StoredFile(path=f"{prefix}/{name}", sha256="0" * 64, size=2)
    with pytest.raises(DataError):
        store.get_folder([file], prefix, into)
    assert sorted(one.name for one in tmp_path.iterdir()) in (["store"], ["into", "store"])
    assert not into.exists() or list(into.iterdir()) == []


@pytest.mark.parametrize(
    "run", ["../x", "a/b", "A", "", ".", "..", "a b", "x" * 64, "é", "a\n", "-x", "_x"]
)
def test_a_run_name_that_could_leave_its_folder_is_refused(tmp_path, run):
    with pytest.raises(ConfigError, match="run name"):
        RunTree(open_store(f"file://{tmp_path}/store"), run)


# --- servers of ours listen to this machine alone -------------------------------------------------


def test_nothing_listens_on_all_addresses():
    everywhere = re.compile(r"0\.0\.0\.0(?!/)|\[::\]|INADDR_ANY")
    here = Path(__file__).name
    found = [
        f"{path}: {line.strip()}"
        for path in sources(*EVERYTHING)
        if not path.endswith(here)
        for line in (ROOT / path).read_text(encoding="utf-8").splitlines()
        if everywhere.search(line)
    ]
    assert found == []


def test_servers_that_we_start_are_told_the_loopback_address():
    from infra.prefect import server
    from infra.vllm import command

    for module in (server, command):
        text = Path(module.__file__).read_text(encoding="utf-8")
        assert '"--host"' in text and '"127.0.0.1"' in text, module


def test_presets_that_ship_name_no_secret():
    for file in sorted((ROOT / "flows/presets").glob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        assert "sk-" not in text and "://" not in text.replace("file://", ""), file
        assert isinstance(yaml.safe_load(text), dict)
