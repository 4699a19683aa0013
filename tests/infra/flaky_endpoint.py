"""A chat server that fails by a seeded plan and writes down every call it receives.

`python -m tests.infra.flaky_endpoint FOLDER` runs it in a process of its own: settings are in
FOLDER/endpoint.json, its address appears in FOLDER/url, received calls in FOLDER/received.jsonl.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.canonical import short_id
from tasks.seeds import seed_of, uniform_of
from tests.infra.chat_server import Server, cut_in_the_body, running_server, send

TROUBLES = ("429", "500", "timeout", "cut")
OK = "ok"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens to the n-th attempt of a call: decided by a seed, not by the order of calls."""

    seed: int
    share: float
    """Of the attempts that fail."""
    timeout_seconds: float
    """A call that is to time out is answered after this long."""
    seconds: float
    """What any other answer takes."""
    retry_after: str = "0.2"

    def trouble(self, call: str, attempt: int) -> str:
        """One of TROUBLES, or OK."""
        if uniform_of(self.seed, "fails", call, attempt) >= self.share:
            return OK
        return TROUBLES[seed_of(self.seed, "how", call, attempt) % len(TROUBLES)]


class FlakyEndpoint:
    """The `play` of a `Server`: every call received is a line, written before it is answered."""

    def __init__(self, server: Server, plan: Plan, log: Path) -> None:
        self._plan = plan
        self._attempts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        server.play = self.play

    def play(self, handler: Any, number: int, text: str, body: dict[str, Any]) -> None:
        call = short_id(body)
        with self._lock:
            self._attempts[call] += 1
            outcome = self._plan.trouble(call, self._attempts[call])
            line = json.dumps({"call": call, "outcome": outcome}) + "\n"
            os.write(self._log, line.encode())
        time.sleep(self._plan.timeout_seconds if outcome == "timeout" else self._plan.seconds)
        if outcome == "429":
            send(handler, 429, "{}", Retry_After=self._plan.retry_after)
        elif outcome == "500":
            send(handler, 500, "{}")
        elif outcome == "cut":
            cut_in_the_body(handler)
        else:
            choices(handler, [f"{call} {index}" for index in range(body.get("n", 1))])


def choices(handler: Any, texts: list[str | None], finish: str = "stop", **message: Any) -> None:
    """Answer with these texts; every text counts as two tokens, the prompt as three."""
    listed = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text, **message},
            "finish_reason": finish,
        }
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 2 * len(texts), "total_tokens": 0}
    head = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
    send(handler, 200, json.dumps({**head, "choices": listed, "usage": usage}))


def main(folder: Path) -> None:
    """Serve until the process is ended."""
    plan = Plan(**json.loads((folder / "endpoint.json").read_text(encoding="utf-8")))
    with running_server() as server:
        FlakyEndpoint(server, plan, folder / "received.jsonl")
        ready = folder / "url.new"
        ready.write_text(server.url, encoding="utf-8")
        ready.rename(folder / "url")
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
