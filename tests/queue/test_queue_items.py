"""The order of the queue: all kinds mixed, repeats after the first time."""

from tasks.annotation_items import item_id_of
from tasks.queue.items import Gold, Picked, in_order, item_of, known_items, ranks, repeats_of
from tasks.queue.settings import QueueSettings

SETTINGS = QueueSettings(annotators=2, annotators_of={"random": 3})


def picked(number, reason="low_margin", rank=0.5):
    return Picked(f"p{number}", (f"a{number}", f"b{number}"), reason, "web · x | y", 0.2, rank)


def items(number, reason="low_margin", seed=0):
    places = zip(range(number), ranks(number), strict=True)
    return [(rank, item_of(picked(i, reason, rank), SETTINGS, seed)) for i, rank in places]


def test_an_item_knows_why_it_is_asked_and_which_side_comes_first():
    sides = [item.first_shown for _, item in items(200)]
    assert 70 < sides.count("a") < 130
    [(_, one)] = items(1, reason="random")
    assert (one.reason, one.annotators, one.chance, one.known) == ("random", 3, 0.2, None)
    assert one.item_id == item_id_of("p0", "b0", "a0") and one.stratum == "web · x | y"


def test_every_stretch_of_the_queue_has_its_part_of_every_kind():
    chosen, drawn = (
        items(80),
        [
            (rank, item_of(picked(100 + i, "random"), SETTINGS, 0))
            for i, rank in enumerate(ranks(20))
        ],
    )
    line = in_order([*chosen, *drawn], [], 0)
    assert [one.position for one in line] == list(range(100))
    for start in range(0, 100, 25):
        assert sum(one.reason == "random" for one in line[start : start + 25]) == 5
    by_reason = [one.prompt_id for one in line if one.reason == "low_margin"]
    assert by_reason == [f"p{i}" for i in range(80)], "the strongest first"


def test_a_repeat_shows_the_other_side_first_and_comes_after_the_first_time():
    chosen = items(40)
    again = repeats_of([item for _, item in chosen], 6, SETTINGS, 0)
    line = in_order(chosen, again, 0)
    first = {one.prompt_id: one for one in line if one.repeat == 0}
    repeats = [one for one in line if one.repeat]
    assert len(repeats) == 6 and {one.reason for one in repeats} == {"repeat"}
    for one in repeats:
        before = first[one.prompt_id]
        assert before.position < one.position and one.position >= 20
        assert one.first_shown != before.first_shown and one.item_id != before.item_id


def test_known_answers_are_drawn_by_the_seed_and_keep_their_outcome():
    gold = [Gold(f"p{i}", (f"a{i}", f"b{i}"), "ab"[i % 2], "known") for i in range(10)]
    made = known_items(gold, 4, SETTINGS, 1)
    assert len(made) == 4 and {one.reason for one in made} == {"known_answer"}
    assert all(one.known == "ab"[int(one.prompt_id[1:]) % 2] for one in made)
    assert made == known_items(reversed(gold), 4, SETTINGS, 1) != known_items(gold, 4, SETTINGS, 2)
