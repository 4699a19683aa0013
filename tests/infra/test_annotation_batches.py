from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from infra.annotation.answer_objects import AnswerObjects
from infra.annotation.batches import open_batch
from tasks.errors import ConfigError, DamagedError, DataError, StorageError
from tests.annotation_batches import answer, batch_of, items_of


def test_a_batch_is_found_again_by_whoever_opens_it(store):
    made = batch_of(store, items_of(3, annotators=2), quorum=0.5)
    assert batch_of(store, items_of(3, annotators=2), quorum=0.5).facts == made.facts
    found = open_batch(store, "weekly")
    assert found.facts == made.facts and (found.facts.wanted, found.label) == (
        6,
        "weekly · round 0",
    )
    assert [item.prompt_id for item in found.items()] == ["p0", "p1", "p2"]
    [second] = found.texts(1, 2)
    assert (second.a, second.b) == ("text of r1a", "text of r1b")
    assert second.messages[0]["role"] == "user"


def test_a_run_without_a_batch_says_how_one_comes_about(own_store):
    with pytest.raises(ConfigError, match=r"asks people nothing.*annotate\.budget is above 0"):
        open_batch(own_store, "weekly")
    batch_of(own_store, items_of(1))
    with pytest.raises(ConfigError, match=r"round 7 asks people nothing.*rounds that have: 0"):
        open_batch(own_store, "weekly", 7)


def test_answers_are_there_for_everybody_when_append_returns(store):
    batch = batch_of(store, items_of(2))
    first, second = batch.items()
    batch.append([answer(first)])
    other = open_batch(store, "weekly", writer="file")
    assert other.answers() == [answer(first)]
    other.append([answer(second, outcome="tie")])
    assert sorted(one.outcome for one in batch.answers()) == ["a", "tie"]
    assert batch.answers() == other.answers()


def test_what_is_kept_twice_counts_once_and_the_later_of_two_counts(own_store):
    batch = batch_of(own_store, items_of(1))
    [item] = batch.items()
    later = answer(item, outcome="b", answered_at="2026-11-22T07:00:00+00:00")
    batch.append([answer(item)])
    batch.append([answer(item), later])
    batch.append([answer(item)])
    assert batch.answers() == [later] == open_batch(own_store, "weekly").answers()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_id": "nowhere"}, "weekly · round 0 has no item 'nowhere'"),
        ({"outcome": "banana"}, "outcome is 'banana'; allowed: a, b, tie"),
        ({"ideal": "x", "ideal_from": "r9"}, "ideal_from is 'r9'; the item shows r0a and r0b"),
    ],
)
def test_of_answers_with_one_that_cannot_be_none_is_kept(own_store, change, message):
    batch = batch_of(own_store, items_of(1))
    [item] = batch.items()
    with pytest.raises(DataError, match=message):
        batch.append([answer(item), replace(answer(item, "bea"), **change)])
    assert batch.answers() == []


def test_progress_counts_people_up_to_those_an_item_asks(own_store):
    batch = batch_of(own_store, items_of(2, annotators=2))
    first, second = batch.items()
    batch.append([answer(first, name) for name in ("ann", "bea", "cleo")])
    batch.append(
        [answer(second, "ann", "skip"), answer(second, "bea"), answer(first, "ann", "b", 1)]
    )
    batch.append([answer(second, "bea", "withdrawn", 1)])
    progress = batch.progress()
    assert (progress.given, progress.wanted, progress.share) == (3, 4, 0.75)
    assert (progress.items_done, progress.items, progress.skipped) == (1, 2, 1)
    assert progress.people == {"ann": 2, "bea": 1, "cleo": 1}


def test_it_is_due_by_quorum_or_by_deadline_and_an_extension_moves_it(own_store):
    batch = batch_of(own_store, items_of(2), quorum=0.5, deadline_hours=2)
    soon, later = (datetime.now(UTC) + timedelta(hours=one) for one in (1, 3))
    assert (batch.is_due(soon), batch.is_due(later)) == ("", "deadline")
    batch.extend(5, "ann", "one")
    batch.extend(9, "ann", "one")
    assert batch.is_due(later) == "" and batch.is_due(soon + timedelta(hours=5)) == "deadline"
    batch.append([answer(batch.items()[0])])
    assert batch.is_due(soon) == batch.is_due(later) == "quorum"


def test_closing_fixes_what_counts_and_the_first_who_closes_does(store):
    batch = batch_of(store, items_of(2))
    first, second = batch.items()
    batch.append([answer(first)])
    with pytest.raises(DataError, match="still open"):
        batch.counted()
    assert (batch.close("form", "ann").why, batch.close("quorum", "tick").by) == ("form", "ann")
    open_batch(store, "weekly", writer="file").append([answer(second)])
    again = open_batch(store, "weekly")
    assert again.counted() == batch.counted() == [answer(first)]
    assert again.progress().given == 1 and len(again.answers()) == 2


def test_late_answers_are_handed_to_the_next_round_once(own_store):
    early = batch_of(own_store, items_of(2))
    first, second = early.items()
    early.append([answer(first)])
    early.close("deadline", "tick")
    early.append([answer(second, "bea")])
    RunManifests(own_store).commit(0)
    middle = batch_of(own_store, items_of(2, first=5), round_index=1)
    middle.close("form", "ann")
    assert middle.late() == {0: [answer(second, "bea")]}
    early.append([answer(second, "cleo")])
    RunManifests(own_store).commit(1)
    last = batch_of(own_store, items_of(2, first=9), round_index=2)
    last.close("form", "ann")
    assert last.late() == {0: [answer(second, "cleo")]}
    assert open_batch(own_store, "weekly", 1).late() == {0: [answer(second, "bea")]}


def test_a_round_that_is_redone_asks_anew_and_keeps_answers_to_what_it_asks_again(own_store):
    before = batch_of(own_store, items_of(3))
    before.append([answer(one) for one in before.items()])
    before.close("form", "ann")
    after = batch_of(own_store, items_of(3, first=2))
    assert open_batch(own_store, "weekly").facts == after.facts and after.closed is None
    assert [one.item_id for one in after.answers()] == [after.items()[0].item_id]
    assert after.current and not before.current and len(before.counted()) == 3


def test_other_terms_ask_anew_and_keep_all_answers_but_a_closed_batch_stays(own_store):
    before = batch_of(own_store, items_of(2), quorum=1.0)
    before.append([answer(before.items()[0])])
    after = batch_of(own_store, items_of(2), quorum=0.5)
    assert after.settled("tick") == "quorum" and len(after.counted()) == 1
    assert batch_of(own_store, items_of(2), quorum=0.9).facts == after.facts


def test_a_round_may_go_on_without_and_the_answers_are_the_next_rounds(own_store):
    batch = batch_of(own_store, items_of(1))
    batch.append([answer(batch.items()[0])])
    assert batch.close("without", "ann").given == 0 and batch.counted() == []
    RunManifests(own_store).commit(0)
    after = batch_of(own_store, items_of(1, first=3), round_index=1)
    after.close("form", "ann")
    assert after.late() == {0: [answer(batch.items()[0])]}


def test_a_deadline_may_be_there_to_fail(own_store):
    goes_on = batch_of(own_store, items_of(1), run="one", deadline_hours=1e-9)
    fails = batch_of(own_store, items_of(1), run="two", deadline_hours=1e-9, on_deadline="fail")
    assert goes_on.settled("tick") == fails.settled("tick") == "deadline"
    assert goes_on.closed.why == "deadline" and fails.closed is None


def test_writers_at_once_lose_nothing(disk):
    batch = batch_of(disk, items_of(40))
    front_ends = [open_batch(disk, "weekly") for _ in range(4)]

    def work(front_end, part):
        for item in part:
            front_end.append([answer(item, f"person {front_ends.index(front_end)}")])

    threads = [
        Thread(target=work, args=(one, batch.items()[start::2]))
        for one in front_ends
        for start in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(batch.answers()) == 160


def test_a_failed_write_is_tried_again_and_counts_once(own_store, monkeypatch):
    batch = batch_of(own_store, items_of(2))
    first, second = batch.items()
    create = type(own_store).create

    def written_then_lost(self, path, data):
        create(self, path, data)
        raise StorageError("the line broke")

    with monkeypatch.context() as patch:
        patch.setattr(type(own_store), "create", written_then_lost)
        with pytest.raises(StorageError):
            batch.append([answer(first)])
    batch.append([answer(first, duration_seconds=9.0)])
    batch.append([answer(second)])
    assert [one.item_id for one in batch.answers()] == sorted([first.item_id, second.item_id])
    batch.close("form", "ann")
    assert len(batch.counted()) == 2


def test_a_lost_object_is_named_and_no_answer_is_silently_missing(own_store):
    batch = batch_of(own_store, items_of(3))
    for item in batch.items():
        batch.append([answer(item)])
    [_, middle, _] = own_store.list(f"runs/weekly/{batch.folder}/answers")
    own_store.delete(middle)
    with pytest.raises(DamagedError, match=r"000001\.jsonl is missing, though its writer went on"):
        open_batch(own_store, "weekly").answers()


def test_packs_hold_what_the_objects_hold(own_store, monkeypatch):
    monkeypatch.setattr("infra.annotation.answer_objects.PACKED", 4)
    batch = batch_of(own_store, items_of(11))
    for item in batch.items():
        batch.append([answer(item)])
    assert (batch.pack(), batch.pack()) == (2, 0)
    folder = f"runs/weekly/{batch.folder}"
    seen = []
    read = type(own_store).read
    monkeypatch.setattr(
        type(own_store), "read", lambda self, one: seen.append(one) or read(self, one)
    )
    objects = AnswerObjects(own_store, folder)
    assert len(objects.upto(objects.segments())) == 11
    assert sorted("packs" in one for one in seen) == [False] * 3 + [True] * 2


class RunManifests:
    """Commits rounds as the refresh door does: a manifest each."""

    def __init__(self, store):
        self._store = store

    def commit(self, round_index):
        path = f"runs/weekly/rounds/{round_index:05d}/manifest.json"
        self._store.write(path, b'{"round_index": 0}')
