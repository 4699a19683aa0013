"""The contract of every variant, and that what it returns changes only with a new SEMANTICS.

After a wanted change: raise SEMANTICS in the variant's file, then write the new outputs with
`python -m tests.test_variants`.
"""

import ast
import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tasks.canonical import digest
from tasks.errors import ConfigError
from tasks.variants import family_schema, kinds, load_variant, plain, settings_of, variant_class
from tests.golden_outputs import OUTPUTS, recorded_file
from tests.sources import sources, tree

GOLDEN = Path(__file__).with_name("golden.json")
SHORT = 300
"""Outputs with a longer JSON are kept as a digest."""
VARIANTS = [(family, kind) for family in OUTPUTS for kind in kinds(family)]

each_variant = pytest.mark.parametrize(("family", "kind"), VARIANTS)


def example(family, kind):
    return load_variant(family, kind, **variant_class(family, kind).EXAMPLE)


def entry(family, kind):
    """What golden.json says of one variant; numbers stay readable, the rest may be a digest."""
    variant = example(family, kind)
    output = OUTPUTS[family](variant)
    long = len(json.dumps(output)) > SHORT and family not in ("tasks.losses", "tasks.metrics")
    return {
        "semantics": variant.SEMANTICS,
        "output": digest(output)[:16] if long else json.loads(json.dumps(output)),
    }


def same(old, new):
    """Equal, numbers up to what another processor may round."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same, old, new))
    if isinstance(old, float) and isinstance(new, int | float):
        return new == pytest.approx(old, rel=1e-5, abs=2e-6)
    return old == new


def read_golden():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@each_variant
def test_a_variant_is_a_frozen_keyword_only_dataclass(family, kind):
    cls = variant_class(family, kind)
    assert dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(cls))
    assert cls.__pydantic_config__["extra"] == "forbid"
    assert cls.__pydantic_config__["use_attribute_docstrings"]
    assert type(cls.SEMANTICS) is int and cls.SEMANTICS >= 1
    assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")


@each_variant
def test_the_example_builds_it_and_comes_back_from_plain_data(family, kind):
    variant = example(family, kind)
    written = json.loads(json.dumps(plain(variant)))
    assert written["kind"] == kind
    assert load_variant(family, **written) == variant


@each_variant
def test_settings_for_keys_name_kind_and_semantics(family, kind):
    settings = settings_of(example(family, kind))
    assert (settings["kind"], settings["semantics"]) == (
        kind,
        variant_class(family, kind).SEMANTICS,
    )
    assert len(digest(settings)) == 64


@each_variant
def test_an_unknown_setting_is_refused_and_the_known_ones_are_listed(family, kind):
    cls = variant_class(family, kind)
    known = ", ".join(field.name for field in dataclasses.fields(cls)) or "no settings"
    with pytest.raises(ConfigError) as caught:
        load_variant(family, kind, **cls.EXAMPLE, no_such_setting=1)
    assert "no_such_setting" in str(caught.value)
    assert f"it takes: {known}" in str(caught.value)


@each_variant
def test_every_setting_is_described(family, kind):
    branches = {one["properties"]["kind"]["const"]: one for one in family_schema(family)["anyOf"]}
    properties = branches[kind]["properties"]
    fields = [field.name for field in dataclasses.fields(variant_class(family, kind))]
    assert [name for name in fields if not properties[name].get("description")] == []


@pytest.mark.parametrize("family", OUTPUTS)
def test_an_unknown_kind_is_refused_and_the_known_ones_are_listed(family):
    with pytest.raises(ConfigError) as caught:
        load_variant(family, "no_such_kind")
    assert all(kind in str(caught.value) for kind in kinds(family))
    assert f"write {family.replace('.', '/')}/no_such_kind.py" in str(caught.value)


def test_every_folder_with_variants_is_a_family_under_contract():
    def names_a_variant(path):
        targets = [
            t for node in tree(path).body if isinstance(node, ast.Assign) for t in node.targets
        ]
        return any(isinstance(one, ast.Name) and one.id == "VARIANT" for one in targets)

    folders = {
        path.rpartition("/")[0].replace("/", ".")
        for path in sources("tasks", "infra")
        if names_a_variant(path)
    }
    assert folders == set(OUTPUTS)


@each_variant
def test_output_changes_only_with_a_new_semantics_number(family, kind, tmp_path, monkeypatch):
    recorded_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    old, new = read_golden().get(f"{family}.{kind}"), entry(family, kind)
    write = "then `python -m tests.test_variants` writes tests/golden.json anew"
    assert old is not None, f"{family}.{kind} has no entry: test it, {write}"
    if old["semantics"] == new["semantics"]:
        assert same(old["output"], new["output"]), (
            f"{family}.{kind} returns something else for equal settings, so finished work would be "
            f"mixed with new. If that is wanted, raise SEMANTICS in its file; {write}. "
            f"Was {old['output']}, is {new['output']}"
        )
    assert old["semantics"] == new["semantics"], f"SEMANTICS of {family}.{kind} is new: {write}"


def test_golden_has_no_entry_without_a_variant():
    assert sorted(read_golden()) == sorted(f"{family}.{kind}" for family, kind in VARIANTS)


def news(before, now):
    """One line for each variant that is new, gone or of other SEMANTICS."""
    changed = [
        name
        for name in before.keys() & now.keys()
        if before[name]["semantics"] != now[name]["semantics"]
    ]
    groups = {"added": now.keys() - before, "changed": changed, "removed": before.keys() - now}
    lines = [f"{what} {name}\n" for what, names in groups.items() for name in sorted(names)]
    return "".join(lines) or "golden.json says all of this already\n"


def test_what_is_written_to_golden_is_told():
    one, two = {"semantics": 1, "output": 0.5}, {"semantics": 2, "output": 0.7}
    told = news({"same": one, "other": one, "gone": one}, {"same": one, "other": two, "new": one})
    assert told == "added new\nchanged other\nremoved gone\n"
    assert news({"same": one}, {"same": one}) == "golden.json says all of this already\n"


def write_golden():
    """Write what the variants return now; refused where only SEMANTICS would tell."""
    before = read_golden() if GOLDEN.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        recorded_file(Path(folder))
        os.chdir(folder)
        now = {f"{family}.{kind}": entry(family, kind) for family, kind in VARIANTS}
    silent = [
        name
        for name, new in now.items()
        if name in before
        and before[name]["semantics"] == new["semantics"]
        and not same(before[name]["output"], new["output"])
    ]
    if silent:
        raise SystemExit(f"raise SEMANTICS first in: {', '.join(silent)}")
    sys.stdout.write(news(before, now))
    lines = [f"  {json.dumps(name)}: {json.dumps(now[name])}" for name in sorted(now)]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write_golden()
