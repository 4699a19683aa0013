"""What verbs took is noted: when they succeed, when they fail, once where they overlap."""

import re

import pytest

from infra.code_version import code_version
from infra.run_tree import RunTree
from infra.storage import open_store
from infra.worked import Worked, noted_work, seconds_by_verb, seconds_of, work_of
from tests.small_config import small_place


@pytest.fixture
def place(tmp_path):
    return small_place(root=f"file://{tmp_path}/store", round_index=3)


def work(begun, seconds, verb="sample"):
    return Worked(
        verb=verb, name="", begun_at=f"2026-11-22T06:00:{begun:02}.000+00:00", seconds=seconds,
        outcome="done", code="c",
    )  # fmt: skip


def test_a_call_that_succeeds_or_fails_leaves_a_note(place):
    with noted_work(place, "judge", "main"):
        pass
    with pytest.raises(ValueError, match="bad"), noted_work(place, "train", ""):
        raise ValueError("bad")
    found = work_of(RunTree(open_store(place.storage), place.run), 3)
    assert [(one.verb, one.name, one.outcome) for one in found] == [
        ("judge", "main", "done"),
        ("train", "", "failed"),
    ]
    assert all(0 <= one.seconds < 60 and one.code == code_version() for one in found)


def test_a_store_that_fails_does_not_hide_what_went_wrong_before(place, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(RunTree, "write_round", full)
    with pytest.raises(ValueError, match="bad"), noted_work(place, "train", ""):
        raise ValueError("bad")


def test_calls_at_the_same_time_count_once():
    assert seconds_of([work(0, 10.0), work(5, 10.0), work(30, 1.0)]) == 16.0
    assert seconds_of([work(0, 10.0), work(2, 3.0)]) == 10.0
    assert seconds_by_verb([work(0, 2.0), work(1, 4.0, "train")]) == {"sample": 2.0, "train": 4.0}
    assert work(58, 3.5).ended_at == "2026-11-22T06:01:01.500+00:00"


def test_the_code_is_named_by_version_and_commit():
    assert re.fullmatch(r"(not installed|\d[\w.]*)( \([0-9a-f]{7,40}(-dirty)?\))?", code_version())
