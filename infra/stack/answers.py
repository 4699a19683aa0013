"""What the parts of a stack answer over HTTP, on this machine and past any proxy."""

import json
import urllib.request
from datetime import UTC, datetime
from typing import Any

TIMEOUT_SECONDS = 10.0


def text(url: str, body: Any = None) -> str:
    """The answer to GET, or to POST with `body` as JSON; OSError if there is none."""
    request = urllib.request.Request(url)
    request.add_header("content-type", "application/json")
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, data, timeout=TIMEOUT_SECONDS) as answer:
        content: bytes = answer.read()
    return content.decode()


def has_worker(api: str, pool: str, name: str, start: float) -> bool:
    """Whether the worker `name` has reported to `pool` since it was started (Unix time, s)."""
    workers = json.loads(text(f"{api}/work_pools/{pool}/workers/filter", {}))
    since = datetime.fromtimestamp(start, UTC)
    return any(
        one["name"] == name
        and one["status"] == "ONLINE"
        and datetime.fromisoformat(one["last_heartbeat_time"]) > since
        for one in workers
    )
