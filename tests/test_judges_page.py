"""The page on judges: it names every kind, and its presets build."""

import re

import yaml

from tasks.variants import kinds, load_variant
from tests.sources import ROOT

PAGE = (ROOT / "docs/judges.md").read_text(encoding="utf-8")


def test_every_kind_has_a_line_and_no_other_has():
    table = PAGE.partition("## Which one")[2].partition("\n\nn responses")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(named) == list(kinds("tasks.judges"))


def test_the_presets_of_the_page_build():
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    judges = [one for block in blocks for one in yaml.safe_load(block)["judges"].values()]
    assert len(judges) == 4
    for one in judges:
        assert load_variant("tasks.judges", **one)
