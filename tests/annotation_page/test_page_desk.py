"""Who sees which item next, and how far everybody is."""

import pytest

from infra.annotation.page.desk import Desk
from infra.annotation.page.leases import LEASE_SECONDS, Holder, Leases
from tests.annotation_batches import answer, items_of

ANN, BOB, CYD = (Holder(name, f"window-{name}") for name in ("ann", "bob", "cyd"))
NOW = 1000.0


@pytest.fixture
def leases(tmp_path):
    made = Leases(tmp_path / "leases.jsonl", NOW)
    yield made
    made.close()


def desk_of(leases, number=3, annotators=1, answers=()):
    items = items_of(number, annotators)
    return Desk(items, answers, leases), items


def places(items):
    return [item.position for item in items]


def test_two_people_get_different_items(leases):
    desk, _ = desk_of(leases)
    assert places(desk.next(ANN, 2, NOW)) == [0, 1]
    assert places(desk.next(BOB, 2, NOW)) == [2]
    assert desk.next(CYD, 2, NOW) == []


def test_where_two_people_are_wanted_two_get_the_item_and_no_third(leases):
    desk, _ = desk_of(leases, number=1, annotators=2)
    assert places(desk.next(ANN, 1, NOW)) == places(desk.next(BOB, 1, NOW)) == [0]
    assert desk.next(CYD, 1, NOW) == []


def test_an_item_that_nobody_looks_at_any_more_goes_to_another(leases):
    desk, _ = desk_of(leases, number=1)
    desk.next(ANN, 1, NOW)
    assert desk.next(BOB, 1, NOW + LEASE_SECONDS - 1) == []
    assert places(desk.next(BOB, 1, NOW + LEASE_SECONDS + 1)) == [0]
    assert desk.renew(ANN, [items_of(1)[0].item_id], NOW + LEASE_SECONDS + 2) == [
        items_of(1)[0].item_id
    ]


def test_a_renewed_item_stays(leases):
    desk, items = desk_of(leases, number=1)
    desk.next(ANN, 1, NOW)
    assert desk.renew(ANN, [items[0].item_id], NOW + 100) == []
    assert desk.next(BOB, 1, NOW + LEASE_SECONDS + 1) == []


def test_two_windows_of_one_person_get_different_items(leases):
    desk, _ = desk_of(leases, annotators=2)
    other = Holder("ann", "another-window")
    assert places(desk.next(ANN, 1, NOW)) == [0]
    assert places(desk.next(other, 1, NOW)) == [1]


def test_leases_survive_the_server(tmp_path, leases):
    desk, items = desk_of(leases, number=1)
    desk.next(ANN, 1, NOW)
    again = Leases(tmp_path / "leases.jsonl", NOW + 1)
    assert Desk(items, [], again).next(BOB, 1, NOW + 1) == []
    again.close()


def test_a_line_that_was_not_finished_costs_only_itself(tmp_path):
    file = tmp_path / "leases.jsonl"
    file.write_text('["one", "ann", "w", 9000.0]\n["two", "an')
    found = Leases(file, NOW)
    assert found.holders("one", NOW) == {Holder("ann", "w")} and found.holders("two", NOW) == set()
    found.close()


def test_an_answer_counts_once_however_often_it_comes(leases):
    desk, items = desk_of(leases)
    for _ in range(3):
        desk.register(answer(items[0]))
    progress = desk.progress("ann")
    assert (progress.done, progress.left, progress.answers, progress.wanted) == (1, 2, 1, 3)


def test_what_is_taken_back_comes_first_again(leases):
    desk, items = desk_of(leases)
    desk.register(answer(items[0]))
    desk.register(answer(items[1]))
    desk.register(answer(items[0], outcome="withdrawn", revision=1))
    assert desk.progress("ann").done == 1
    assert places(desk.next(ANN, 2, NOW)) == [0, 2]
    desk.register(answer(items[0], outcome="b", revision=2))
    assert desk.progress("ann").done == 2


def test_what_was_taken_back_goes_to_another_if_its_person_does_not_come(leases):
    desk, items = desk_of(leases, number=1)
    desk.register(answer(items[0]))
    desk.register(answer(items[0], outcome="withdrawn", revision=1))
    assert places(desk.next(BOB, 1, NOW)) == [0]


def test_a_skipped_item_is_done_for_whoever_skipped_it_and_goes_to_another(leases):
    desk, items = desk_of(leases, number=1)
    desk.register(answer(items[0], outcome="skip"))
    assert (desk.progress("ann").done, desk.progress("ann").left) == (1, 0)
    assert desk.next(ANN, 1, NOW) == []
    assert places(desk.next(BOB, 1, NOW)) == [0]
    assert desk.progress("bob").left == 1 and desk.progress("bob").answers == 0


def test_the_last_answer_is_the_one_to_undo(leases):
    desk, items = desk_of(leases)
    desk.register(answer(items[1]))
    desk.register(answer(items[0]))
    assert desk.last("ann").item_id == items[0].item_id
    desk.register(answer(items[0], outcome="withdrawn", revision=1))
    assert desk.last("ann").item_id == items[1].item_id
    assert desk.last("bob") is None


def test_a_desk_knows_everything_again_from_the_answers(leases):
    _, items = desk_of(leases, number=4, annotators=2)
    given = [
        answer(items[0], "ann", duration_seconds=10.0),
        answer(items[0], "bob"),
        answer(items[1], "ann", "skip", duration_seconds=20.0),
        answer(items[2], "ann"),
        answer(items[2], "ann", "withdrawn", revision=1),
    ]
    desk = Desk(items, reversed(given), leases)
    ann, bob = desk.progress("ann"), desk.progress("bob")
    assert (ann.done, ann.left, ann.seconds) == (2, 2, 15.0)
    assert (bob.done, bob.left, bob.answers, bob.wanted) == (1, 3, 2, 8)


def test_answers_to_other_items_are_none_of_its_business(leases):
    desk, _ = desk_of(leases)
    desk.register(answer(items_of(1, first=99)[0]))
    assert desk.progress("ann").done == 0
