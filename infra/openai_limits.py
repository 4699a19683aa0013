"""How fast one endpoint may be called: requests and tokens per minute."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
BURST_SHARE = 1 / 12
"""Of a minute's allowance that may go out at once: five seconds' worth."""


class Bucket:
    """Hands out at most `per_minute` units in any minute, and what one call asks for above it.

    Filled at an even rate: servers count in seconds what they promise by the minute. A call that
    asks for more than fits at once waits for a full bucket and leaves a debt. What it did not use
    may be given back, so what is used stays below the limit and what was then in flight. Not
    thread-safe.
    """

    def __init__(self, per_minute: float, clock: Clock = time.monotonic) -> None:
        self.per_minute = per_minute
        self._burst = max(1.0, per_minute * BURST_SHARE)
        self._per_second = max(per_minute - self._burst, per_minute / 2) / 60
        self._level = self._burst
        self._clock = clock
        self._at = clock()

    def seconds_until(self, amount: float) -> float:
        """How long until `amount` may be taken; 0 if it may be now."""
        self._fill()
        missing = min(amount, self._burst) - self._level
        return max(0.0, missing / self._per_second)

    def take(self, amount: float) -> None:
        """Take `amount`, which `seconds_until` allowed."""
        self._fill()
        self._level -= amount

    def give_back(self, amount: float) -> None:
        """Put back what was taken and not used."""
        self._fill()
        self._level = min(self._burst, self._level + amount)

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self._per_second)
        self._at = now
