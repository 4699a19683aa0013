"""docs/security.md and docs/operations.md name files, roles and services that are there."""

import re

import pytest

from tests.sources import ROOT

PAGES = ("security", "operations", "kubernetes")
FOLDERS = "flows|tasks|infra|tests|docs"


def page(name):
    return (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_is_there(name):
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w/.*-]*)`", page(name)))
    missing = [one for one in sorted(named) if not list(ROOT.glob(one.rstrip("/")))]
    assert missing == [] and named


def threats():
    """(threat, what is done, code and test) of every row of the tables of threats."""
    tables = page("security").split("| threat | what is done | code · test |\n|---|---|---|\n")[1:]
    for table in tables:
        for line in table.partition("\n\n")[0].splitlines():
            threat, done, held = (cell.strip() for cell in line.strip("|").split(" | "))
            yield threat, done, held


def test_every_threat_is_held_by_a_test_or_said_to_remain():
    rows = list(threats())
    named = ("test_", "tests/", "the same", "above")
    held = [row for row in rows if any(word in row[2] for word in named)]
    remaining = [row for row in rows if "remains" in row[0] + row[1]]
    assert [row for row in rows if row not in held and row not in remaining] == []
    assert len(held) >= 25 and len(remaining) >= 3


def test_the_policies_of_the_page_are_those_there_are():
    named = set(re.findall(r"`(\w+\.json)` \|", page("security")))
    assert named == {file.name for file in (ROOT / "infra/policies").glob("*.json")}
