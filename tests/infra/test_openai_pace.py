"""How many calls are under way at a time, against simulated servers: no clock, no network."""

import heapq
from itertools import pairwise

import pytest

from infra.openai_pace import Pace

SECONDS = 1.0
"""What the simulated server takes for one answer when it is not full."""


class Simulation:
    """A server that works on `slots` calls at a time; above `most` in all it refuses."""

    def __init__(self, slots: int, most: int = 10**6, ceiling: int = 256) -> None:
        self.now = 0.0
        self.slots = slots
        self.most = most
        self.pace = Pace(None, ceiling, lambda: self.now)
        self.limits: list[int] = []
        self.refused = 0

    def run(self, answers: int) -> float:
        """Answers in a second over the second half of `answers`."""
        free = [0.0] * self.slots
        under_way: list[float] = []
        done, half = 0, 0.0
        while done < answers:
            while len(under_way) < self.pace.limit:
                if len(under_way) >= self.most:
                    self.refused += 1
                    self.pace.overloaded()
                    break
                begin = max(self.now, heapq.heappop(free))
                heapq.heappush(free, begin + SECONDS)
                heapq.heappush(under_way, begin + SECONDS)
            self.now = heapq.heappop(under_way)
            self.pace.answered()
            self.limits.append(self.pace.limit)
            done += 1
            if done == answers // 2:
                half = self.now
        return (answers - answers // 2) / (self.now - half)


@pytest.mark.parametrize("slots", [1, 4, 16, 50, 100])
def test_a_server_is_kept_full_whatever_it_can_take(slots: int) -> None:
    simulation = Simulation(slots)
    assert simulation.run(60 * slots + 2000) >= 0.95 * slots / SECONDS


def test_the_limit_stops_growing_where_the_rate_does() -> None:
    simulation = Simulation(slots=32)
    simulation.run(8000)
    assert max(simulation.limits) <= 128
    assert simulation.limits[-1] >= 32


def test_the_limit_stays_below_its_ceiling() -> None:
    simulation = Simulation(slots=1000, ceiling=48)
    simulation.run(4000)
    assert max(simulation.limits) == 48


def test_a_server_that_refuses_is_asked_for_less_and_then_for_more_again() -> None:
    simulation = Simulation(slots=40, most=40)
    rate = simulation.run(6000)
    assert simulation.refused < 200
    assert rate >= 0.6 * 40
    falls = [after for before, after in pairwise(simulation.limits) if after < before]
    assert falls


def test_many_refusals_at_once_halve_it_once() -> None:
    pace = Pace(None, 256, lambda: 0.0)
    before = pace.limit
    for _ in range(10):
        pace.overloaded()
    assert pace.limit == before // 2


def test_a_fixed_number_stays_what_it_is() -> None:
    pace = Pace(5, 256)
    for _ in range(500):
        pace.answered()
        pace.overloaded()
    assert pace.limit == 5
