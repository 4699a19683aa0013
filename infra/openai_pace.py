"""How many calls are under way at a time: a fixed number, or as many as the server makes use of.

The adaptive rule. A window is as many answers as calls may be under way, twice over. After each:
- the rate has risen by GAIN: the limit doubles, or grows by a STEP once doubling has ended;
- else it stays, and every PATIENCE windows a STEP is tried; a try that brings no gain is undone.
429, 503 and timeouts halve the limit, once a window at most, and end the doubling for good.
"""

import time
from collections.abc import Callable

START = 8
"""Calls under way at first."""
GAIN = 1.1
"""A limit is worth raising again if the rate of answers rose by this factor."""
STEP = 1.25
"""By which the limit grows once doubling has ended."""
PATIENCE = 4
"""Windows between two tries."""
LEAST_ANSWERS = 16
"""A window has at least so many answers: fewer say nothing about a rate."""


class Pace:
    """A limit on calls under way; told of answers and of signs of overload."""

    def __init__(
        self, fixed: int | None, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = min(START, most) if fixed is None else fixed
        self._adapts = fixed is None
        self._most = most
        self._clock = clock
        self._doubling = True
        self._best = 0.0
        self._before_try = 0
        self._quiet = 0
        self._halved = False
        self._begin()

    def answered(self) -> None:
        """A call was answered."""
        self._answers += 1
        if self._adapts and self._answers >= max(LEAST_ANSWERS, 2 * self.limit):
            self._adapt(self._answers / max(self._clock() - self._since, 1e-9))
            self._halved = False
            self._begin()

    def overloaded(self) -> None:
        """The server said, or let see, that it has too much to do."""
        if not self._adapts or self._halved:
            return
        self.limit = max(1, self.limit // 2)
        self._doubling, self._halved = False, True
        self._best, self._before_try, self._quiet = 0.0, 0, 0
        self._begin()

    def _begin(self) -> None:
        self._answers = 0
        self._since = self._clock()

    def _adapt(self, rate: float) -> None:
        if rate >= GAIN * self._best:
            self._best, self._before_try = rate, 0
            self._grow()
        elif self._before_try:
            self.limit, self._before_try, self._quiet = self._before_try, 0, 0
        else:
            self._rest(rate)

    def _rest(self, rate: float) -> None:
        """The last raise brought nothing more: stay, and try again later."""
        self._doubling = False
        self._best = max(rate, 0.9 * self._best)  # a server that got slower is believed in time
        self._quiet += 1
        if self._quiet >= PATIENCE:
            self._quiet, self._before_try = 0, self.limit
            self._grow()

    def _grow(self) -> None:
        grown = 2 * self.limit if self._doubling else max(self.limit + 1, int(self.limit * STEP))
        self.limit = min(self._most, grown)
