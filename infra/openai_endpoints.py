"""Servers that answer calls: how fast each may be asked, which one is asked next.

An endpoint is one address with one key. All clients of a process share it, so the limits hold
over the judges and cells of a flow, and a pause that one caller is told of is kept by all.
"""

import asyncio
import hashlib
import random
import threading
import time
from collections.abc import Sequence

from infra.openai_limits import Bucket, Clock
from tasks.spending import RateLimits

FAILURES = 3
"""Failed attempts in a row after which an endpoint is left out, where there is another."""
FIRST_BREAK_SECONDS = 2.0
LONGEST_BREAK_SECONDS = 60.0
"""It is left out for the first, doubling up to the longest; then one call tries it."""
LONGEST_NAP_SECONDS = 1.0
"""Callers that wait look again at least this often."""


class Endpoint:
    """One address with one key; thread-safe."""

    def __init__(self, url: str, limits: RateLimits, clock: Clock = time.monotonic) -> None:
        self.url = url
        self.in_flight = 0
        """Calls that it is working on, of all clients of this process."""
        self.calls = 0
        """Calls that it was given."""
        self._clock = clock
        self._lock = threading.Lock()
        self._paused_until = self._out_until = 0.0
        self._failures = 0
        self._set(limits)

    def _set(self, limits: RateLimits) -> None:
        self.limits = limits
        self._requests = _bucket(limits.requests_per_minute, self._clock)
        self._tokens = _bucket(limits.tokens_per_minute, self._clock)

    def hold_to(self, limits: RateLimits) -> None:
        """From now on calls keep to `limits`."""
        with self._lock:
            if limits != self.limits:
                self._set(limits)

    def seconds_until_free(self, tokens: int) -> float:
        """How long until a call of `tokens` may go out; 0 if it may now."""
        with self._lock:
            return self._wait(tokens)

    def _wait(self, tokens: int) -> float:
        waits = [0.0, self._paused_until - self._clock()]
        if self._requests:
            waits.append(self._requests.seconds_until(1))
        if self._tokens:
            waits.append(self._tokens.seconds_until(tokens))
        return max(waits)

    def take(self, tokens: int) -> bool:
        """Count a call of `tokens` as begun, unless another caller was first and it must wait."""
        with self._lock:
            if self._wait(tokens) > 0:
                return False
            if self._requests:
                self._requests.take(1)
            if self._tokens:
                self._tokens.take(tokens)
            self.in_flight += 1
            self.calls += 1
            return True

    def ended(self, reserved: int, used: int | None) -> None:
        """A call is over that was to take `reserved` tokens and took `used`, if that is known."""
        with self._lock:
            self.in_flight -= 1
            if self._tokens and used is not None:
                self._tokens.give_back(reserved - used)

    def pause(self, seconds: float) -> None:
        """Let nobody call for so long: the server asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def answered(self) -> None:
        """It works."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """It gave no answer; after some failures in a row it is out for a while."""
        with self._lock:
            self._failures += 1
            beyond = self._failures - FAILURES
            if beyond >= 0:
                away = min(FIRST_BREAK_SECONDS * 2.0**beyond, LONGEST_BREAK_SECONDS)
                self._out_until = self._clock() + away

    @property
    def is_out(self) -> bool:
        """Whether it has failed of late; when its break is over, one call at a time tries it."""
        with self._lock:
            if self._failures < FAILURES:
                return False
            return self._clock() < self._out_until or self.in_flight > 0


def _bucket(per_minute: int | None, clock: Clock) -> Bucket | None:
    return None if per_minute is None else Bucket(per_minute, clock)


class Endpoints:
    """The endpoints of one model: each call goes to the one that has least to do."""

    def __init__(self, members: Sequence[Endpoint]) -> None:
        self.members = list(members)
        self._turn = asyncio.Lock()

    async def next(self, tokens: int) -> Endpoint:
        """The endpoint for a call of `tokens`, counted as begun; waits, first come, first served.

        Where all have failed of late, they are all tried: a call is never held back for that.
        """
        async with self._turn:
            while True:
                usable = [one for one in self.members if not one.is_out] or self.members
                waits = {id(one): one.seconds_until_free(tokens) for one in usable}
                free = [one for one in usable if not waits[id(one)]]
                least = min(free, key=lambda one: (one.in_flight, one.calls), default=None)
                if least is not None and least.take(tokens):
                    return least
                nap = min(LONGEST_NAP_SECONDS, min(waits.values()))
                await asyncio.sleep(nap * random.uniform(1, 1.02) + 0.001)


_known: dict[tuple[str, str], Endpoint] = {}
_known_lock = threading.Lock()


def endpoint_at(url: str, key: str, limits: RateLimits) -> Endpoint:
    """The process's one endpoint at `url` with the key `key`, from now on with these limits."""
    mark = hashlib.sha256(key.encode()).hexdigest()
    with _known_lock:
        endpoint = _known.setdefault((url.rstrip("/"), mark), Endpoint(url, limits))
    endpoint.hold_to(limits)
    return endpoint
