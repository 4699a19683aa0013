"""`python -m benchmarks.client_overhead`: CPU time of a call, ours beside a bare `openai` loop.

A server in its own process answers at once. Ours writes down every answer (fsync) and holds to a
budget; the loop does neither. Both keep the same number of calls under way; repetitions alternate.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measurement import write_result
from infra.journal import Journal
from infra.ledger import Ledger, Purse
from infra.openai_client import Call, Client
from tasks.spending import Budget

PROMPT = "Compare two responses to the last message of a conversation. " * 40
SETTINGS = {"temperature": 0.0, "max_tokens": 512}
ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Both are right.\nVerdict: tie"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 500, "completion_tokens": 9, "total_tokens": 509},
}


class AtOnce(asyncio.Protocol):
    """Answers every request as soon as its last byte is there."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._data = b""
        body = json.dumps(ANSWER).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._answer = head.encode() + b"\r\n\r\n" + body

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self._data) < end + 4 + length:
                return
            self._data = self._data[end + 4 + length :]
            self._transport.write(self._answer)


async def serve(ready: Path) -> None:
    """Serve until the process is ended; the address is written to `ready`."""
    server = await asyncio.get_running_loop().create_server(AtOnce, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ready.with_suffix(".new").write_text(f"http://127.0.0.1:{port}/v1", encoding="utf-8")
    ready.with_suffix(".new").rename(ready)
    await server.serve_forever()


def messages(number: int) -> list[Any]:
    return [{"role": "user", "content": f"{PROMPT}{number}"}]


def ours(url: str, calls: int, concurrency: int) -> None:
    """The client with journal and budget."""
    asked = [Call(id=str(n), messages=messages(n), settings=SETTINGS) for n in range(calls)]
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "spent") as ledger:
        ledger.hold_to(Budget(usd_per_run=1000.0))
        purse = Purse(ledger=ledger, round_index=0, verb="judge", who="main", price=(0.1, 0.4))
        journal = Journal(Path(folder) / "journal")
        client = Client(
            base_url=url, model="m", concurrency=concurrency, journal=journal, purse=purse
        )
        with client:
            assert sum(reply.error is None for _, reply in client.complete(asked)) == calls


def bare(url: str, calls: int, concurrency: int) -> None:
    """Workers of an event loop that await the `openai` package's function."""
    import openai

    async def work(create: Any, numbers: Any) -> None:
        for number in numbers:
            await create(model="m", messages=messages(number), **SETTINGS)

    async def loop() -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as api:
            numbers = iter(range(calls))
            create = api.chat.completions.create
            await asyncio.gather(*(work(create, numbers) for _ in range(concurrency)))

    asyncio.run(loop())


def measured(run: Callable[[str, int, int], None], *arguments: Any) -> dict[str, float]:
    """CPU and wall time of a call (ms)."""
    wall, cpu, calls = time.perf_counter(), time.process_time(), arguments[1]
    run(*arguments)
    return {
        "cpu_ms": round((time.process_time() - cpu) / calls * 1e3, 3),
        "wall_ms": round((time.perf_counter() - wall) / calls * 1e3, 3),
    }


def compare(calls: int, concurrency: int, repetitions: int) -> dict[str, Any]:
    """Both ways, alternating, after a warm-up of each."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "url"
        program = [sys.executable, "-m", "benchmarks.client_overhead", "--serve", str(ready)]
        server = subprocess.Popen(program)
        try:
            while not ready.exists():
                time.sleep(0.05)
            url = ready.read_text(encoding="utf-8")
            found: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
            for repetition in range(repetitions + 1):
                for name, run in (("ours", ours), ("bare", bare)):
                    one = measured(run, url, 200 if repetition == 0 else calls, concurrency)
                    if repetition:
                        found[name].append(one)
        finally:
            server.kill()
            server.wait()
    medians = {name: median(one["cpu_ms"] for one in runs) for name, runs in found.items()}
    return {
        "calls": calls,
        "concurrency": concurrency,
        "load_before": [round(one, 2) for one in os.getloadavg()],
        "repetitions": found,
        "median_cpu_ms": medians,
        "ratio": round(medians["ours"] / medians["bare"], 3),
    }


def main() -> int:
    """Measure and write benchmarks/results/client_overhead.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--serve", type=Path)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve))
    metrics = compare(given.calls, given.concurrency, given.repetitions)
    print(json.dumps(metrics, indent=1), write_result("client_overhead", metrics), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
