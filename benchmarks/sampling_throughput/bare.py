"""The other side: a loop around the `openai` client that keeps nothing."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import openai

CONCURRENCIES = (16, 32, 64, 96, 128, 256)


def seconds_of(base_url: str, bodies: Sequence[dict[str, Any]], kind: str, width: int) -> float:
    """Wall time of all calls with `width` of them under way; `kind` is completions or chat."""
    started = time.monotonic()
    asyncio.run(_all(base_url, bodies, kind, width))
    return time.monotonic() - started


async def _all(base_url: str, bodies: Sequence[dict[str, Any]], kind: str, width: int) -> None:
    waiting = iter(bodies)
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as api:
        create = api.completions.create if kind == "completions" else api.chat.completions.create

        async def worker() -> None:
            for body in waiting:
                reply = await create(**body)
                assert reply.choices

        await asyncio.gather(*(worker() for _ in range(width)))


def best_width(timed: Callable[[int], float]) -> tuple[int, dict[str, float]]:
    """The concurrency with the shortest `timed` run, and all of them (s)."""
    seconds = {width: timed(width) for width in CONCURRENCIES}
    return min(seconds, key=lambda width: seconds[width]), {str(w): s for w, s in seconds.items()}
