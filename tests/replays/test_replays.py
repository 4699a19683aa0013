"""What replays keep and draw: buffers, counters, seeds."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.replaying import next_memory
from tasks.replays._contract import Remembered
from tasks.variants import kinds, load_variant

SETTINGS = {"recent_rounds": {"rounds": 2}, "fifo_buffer": {"capacity": 5}}


def of(number, *, made_in=0, times=0):
    return Remembered(
        pair_id=f"pair{number}",
        prompt_id=f"p{number}",
        chosen_id=f"c{number}",
        rejected_id=f"r{number}",
        round_index=made_in,
        times_replayed=times,
    )


def replay(kind, **settings):
    return load_variant("tasks.replays", kind, **{"number": 3, **SETTINGS[kind], **settings})


def ids(some):
    return [one.pair_id for one in some]


def test_every_kind_is_looked_at_here():
    assert set(SETTINGS) == set(kinds("tasks.replays"))


def test_recent_rounds_forgets_what_is_older():
    memory = [of(number, made_in=number) for number in range(5)]
    assert ids(replay("recent_rounds", rounds=2).kept(memory, 5)) == ["pair3", "pair4"]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 9))
def test_the_buffer_holds_at_most_its_capacity_and_the_first_in_leaves_first(sizes, capacity):
    buffer, memory, all_pairs = replay("fifo_buffer", capacity=capacity), [], []
    for index, size in enumerate(sizes):
        own = [of(len(all_pairs) + number, made_in=index) for number in range(size)]
        all_pairs += own
        drawn = buffer.drawn(memory, size, 7, index)
        memory = next_memory(memory, drawn, own, buffer, index)
        assert len(memory) <= capacity
        assert ids(memory) == ids(all_pairs[-capacity:])


def test_a_fresh_pair_is_twice_as_likely_as_one_that_was_replayed_once():
    buffer, memory = replay("fifo_buffer", number=1), [of(0), of(1, times=1)]
    first = Counter(buffer.drawn(memory, 1, seed, 0)[0].pair_id for seed in range(6000))
    assert first["pair0"] / 6000 == pytest.approx(2 / 3, abs=0.02)


def test_recent_rounds_draws_all_alike():
    recent, memory = replay("recent_rounds", number=1), [of(0), of(1, times=9)]
    first = Counter(recent.drawn(memory, 1, seed, 0)[0].pair_id for seed in range(4000))
    assert first["pair0"] / 4000 == pytest.approx(1 / 2, abs=0.03)


def test_what_is_drawn_is_counted_under_its_id_and_the_rest_is_not():
    buffer, memory = replay("fifo_buffer"), [of(0, times=4), of(1)]
    after = next_memory(memory, [memory[0]], [of(2, made_in=1)], buffer, 1)
    assert [one.times_replayed for one in after] == [5, 0, 0]


def test_a_pair_that_is_made_again_stands_once_keeps_its_count_and_is_the_newest():
    buffer, memory = replay("fifo_buffer"), [of(0, times=4), of(1)]
    again = of(0, made_in=3)
    after = next_memory(memory, [], [again], buffer, 3)
    assert after == [of(1), replace(again, times_replayed=4)]


@pytest.mark.parametrize("kind", SETTINGS)
@given(seed=st.integers(0, 99), order=st.permutations(range(6)))
def test_the_draw_is_a_function_of_seed_round_and_ids_alone(kind, seed, order):
    one, memory = replay(kind), [of(number) for number in range(6)]
    drawn = one.drawn(memory, 6, seed, 2)
    assert len({each.pair_id for each in drawn}) == 3
    assert one.drawn([memory[number] for number in order], 6, seed, 2) == drawn


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_share_is_of_the_rounds_own_pairs_and_no_more_come_than_there_are(kind):
    memory = [of(number) for number in range(5)]
    half = replay(kind, number=None, share=0.5)
    assert len(half.drawn(memory, 4, 1, 1)) == 2
    assert len(half.drawn(memory, 40, 1, 1)) == 5


@pytest.mark.parametrize("amount", [{"number": None}, {"number": 2, "share": 0.5}])
def test_how_much_is_replayed_is_said_once(amount):
    with pytest.raises(ConfigError, match="write one of them"):
        replay("recent_rounds", **amount)
