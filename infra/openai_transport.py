"""The HTTP client of calls: it goes where it was told to, and reads no more than fits."""

from collections.abc import AsyncIterator

import httpx2
import openai

from infra.openai_retries import OddAnswer

MOST_BYTES = 64 * 2**20
"""Of one answer: a server that sends more is broken, or means to fill this machine's memory."""
PLAIN = {"Accept-Encoding": "identity"}
"""Asks for answers as they are: a compressed one of a few kB may hold gigabytes."""


def http_client() -> httpx2.AsyncClient:
    """A client for `openai` that follows no redirect and reads bounded answers only.

    A redirect would carry prompts and responses to an address that nobody configured.
    """
    return openai.DefaultAioHttpClient(  # a third of the default's CPU time
        follow_redirects=False, event_hooks={"response": [_bound]}
    )


async def _bound(response: httpx2.Response) -> None:
    """Let `response`, whose body is not read yet, end with OddAnswer if it is too much."""
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise OddAnswer(
            f"the server's reply is compressed ({encoding[:40]!r}); plain was asked for"
        )
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """A stream of bytes that raises OddAnswer after MOST_BYTES."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._inner:
            seen += len(chunk)
            if seen > MOST_BYTES:
                raise OddAnswer(f"the server's reply has more than {MOST_BYTES:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        """Close the connection's side of it."""
        await self._inner.aclose()
