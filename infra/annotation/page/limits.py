"""What one caller may send: how often, how much, and under which name of the server."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 2_000_000
"""Bytes of a request: an ideal response of the greatest length, in the longest encoding."""
TOO_LARGE = "too large"
MOST_CALLERS = 10_000
"""Callers whose rates are remembered."""


@dataclass(kw_only=True)
class Rate:
    """At most `burst` requests at once and `per_second` in the long run, for each caller."""

    per_second: float
    burst: float
    clock: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait(self, caller: str) -> float:
        """Seconds until the caller may come again; 0 if this request is allowed, and counted."""
        now = self.clock()
        left, since = self._left.pop(caller, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.per_second)
        allowed = left >= 1
        self._left[caller] = (left - 1 if allowed else left, now)
        if len(self._left) > MOST_CALLERS:
            del self._left[next(iter(self._left))]
        return 0.0 if allowed else (1 - left) / self.per_second


class BodyLimit:
    """Refuses bodies over `largest` bytes, whether or not their length was told."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what is read of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "0")
        if not told.isdigit() or int(told) > self._largest:
            await PlainTextResponse(TOO_LARGE, status_code=413)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._largest:
                raise HTTPException(413, TOO_LARGE)
            return message

        await self._app(scope, counted, send)


HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; worker-src 'self'; manifest-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class SafeHeaders:
    """Gives every answer the headers that keep a browser from doing more than it should."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and the answer back, with headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = {name.encode(): value.encode() for name, value in HEADERS.items()}
                kept = [(name, value) for name, value in message["headers"] if name not in added]
                message["headers"] = [*kept, *added.items()]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class OwnPagesOnly:
    """Refuses what the pages of others send, and every name that is not the server's own.

    A page elsewhere could make a browser send requests here, or let its own name lead here; it can
    set neither Origin nor Host.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400 or 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _name_of(headers.get("host", "")) not in self._hosts:
            answer = PlainTextResponse("this server has another name\n", status_code=400)
            await answer(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD") and not self._is_own(headers):
            answer = PlainTextResponse("not from our page\n", status_code=403)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_own(self, headers: Headers) -> bool:
        """Whether a request comes from our page; a program that is no browser tells neither."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site not in (None, "same-origin"):
            return False
        return origin is None or origin.partition("://")[2] == headers.get("host")


def _name_of(host: str) -> str:
    """`host` without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
