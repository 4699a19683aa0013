"""Who is let in beside whom: by number, by memory, by GPUs, in order, and while others drain."""

import threading

import pytest

from infra.processes.room import Needs, Room, together

GIB = 1 << 30
ALONE = Needs(alone=True)
NOTHING = Needs()


def server(gib, shared=""):
    return Needs(host_bytes=gib * GIB, shared=shared)


def on_gpus(count, share):
    return Needs(gpus=count, gpu_share=share)


def fits(inside, more, *, most=None, gib=16, gpus=()):
    """Whether `more` is let in beside those inside."""
    place = Room(most, gib * GIB, gpus)
    for one in inside:
        assert place.has_place(one)
        place.let_in(one)
    return place.has_place(more)


def test_memory_decides_where_no_number_is_given():
    assert fits([server(6)], server(9)) and not fits([server(6)], server(11))


def test_a_number_is_kept_however_much_memory_there_is():
    assert fits([server(1)], server(1), most=2)
    assert not fits([server(1), server(1)], server(1), most=2)


def test_an_empty_room_takes_whoever_comes():
    assert fits([], server(99)) and fits([NOTHING], server(99))


def test_what_computes_elsewhere_is_beside_anything():
    assert fits([ALONE], NOTHING) and fits([server(16)], NOTHING)
    assert not fits([NOTHING], NOTHING, most=1)


def test_what_takes_all_cores_is_alone_unless_a_number_is_given():
    assert not fits([ALONE], ALONE) and not fits([ALONE], server(1))
    assert fits([ALONE], ALONE, most=2)


def test_a_shared_server_counts_once():
    assert fits([server(9, "a")], server(9, "a"))
    assert fits([server(9, "a"), server(9, "a")], server(6))
    assert not fits([server(9, "a")], server(9, "b"))


def test_gpus_are_given_out_by_the_share_of_their_memory():
    place = Room(None, 16 * GIB, ("0", "1", "2"))
    assert place.let_in(on_gpus(2, 0.9)).gpus == ("0", "1")
    assert not place.has_place(on_gpus(2, 0.4))
    assert place.let_in(on_gpus(1, 0.5)).gpus == ("2",)
    assert place.let_in(on_gpus(1, 0.5)).gpus == ("2",)
    assert not place.has_place(on_gpus(1, 0.2)) and place.has_place(on_gpus(1, 0.1))


def test_who_shares_a_server_shares_its_gpus():
    place = Room(None, 16 * GIB, ("0", "1"))
    needs = Needs(gpus=1, gpu_share=0.9, shared="a")
    assert place.let_in(needs).gpus == place.let_in(needs).gpus == ("0",)
    assert place.let_in(on_gpus(1, 0.9)).gpus == ("1",)


class Crowd:
    """Threads that want in; who is inside, in the order of entering."""

    def __init__(self, place):
        self.place, self.entered, self.events, self.entries = place, [], {}, {}
        self.threads = []

    def comes(self, name, needs):
        self.events[name] = threading.Event()
        thread = threading.Thread(target=self._stay, args=(name, needs))
        thread.start()
        self.threads.append(thread)
        while name not in self.entered and len(self.place._waiting) + len(self.entered) < len(
            self.events
        ):
            threading.Event().wait(0.001)

    def _stay(self, name, needs):
        with self.place.entered(needs) as entry:
            self.entries[name] = entry
            self.entered.append(name)
            self.events[name].wait()

    def leaves(self, name):
        self.events[name].set()

    def has(self, name):
        for _ in range(2000):
            if name in self.entered:
                return True
            threading.Event().wait(0.001)
        return False


@pytest.fixture
def crowd():
    made = Crowd(Room(1, 16 * GIB, ()))
    yield made
    for event in made.events.values():
        event.set()
    for thread in made.threads:
        thread.join()


def test_the_next_begins_while_the_former_drains_if_memory_allows(crowd):
    crowd.comes("first", server(6))
    crowd.comes("second", server(6))
    assert crowd.entered == ["first"]
    crowd.entries["first"].drain()
    assert crowd.has("second")


def test_draining_gives_no_memory_back(crowd):
    crowd.comes("first", server(12))
    crowd.comes("second", server(12))
    crowd.entries["first"].drain()
    crowd.comes("third", server(1))
    assert crowd.entered == ["first"]
    crowd.leaves("first")
    assert crowd.has("second")


def test_those_who_wait_enter_in_order(crowd):
    for name in "abcd":
        crowd.comes(name, server(1))
    for name in "abcd":
        assert crowd.has(name)
        assert crowd.entered[-1] == name
        crowd.leaves(name)


def test_the_plan_groups_those_who_run_together():
    needs = {"a": server(6), "b": server(6), "c": server(6), "d": ALONE, "e": NOTHING}
    assert together(needs, Room(None, 16 * GIB, ())) == [["a", "b"], ["c"], ["d", "e"]]
    assert together(needs, Room(1, 16 * GIB, ())) == [["a"], ["b"], ["c"], ["d"], ["e"]]
