"""The few questions that are put to a server of ours beside the calls: is it there, how far."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback addresses are never asked through a proxy."""
_SAMPLE = re.compile(r"^vllm:(\w+?)(?:\{[^}]*\})? ([0-9.e+-]+)$", re.MULTILINE)


def read(url: str, seconds: float, body: Any = None) -> str | None:
    """What `url` answers to GET (or POST of `body`), None if nothing useful in `seconds`."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with _direct.open(request, timeout=seconds) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        error.close()
        return None
    except (OSError, ValueError):
        return None


def sums(metrics: str) -> dict[str, float]:
    """The values in a page of Prometheus metrics of vLLM, added up over engines."""
    found: dict[str, float] = {}
    for name, value in _SAMPLE.findall(metrics):
        found[name] = found.get(name, 0.0) + float(value)
    return found
