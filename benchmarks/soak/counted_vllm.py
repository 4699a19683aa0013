"""`python counted_vllm.py LOG ARGUMENTS...`: vLLM's server, which notes every call that reaches it.

Runs in vLLM's environment, so it imports nothing of this project. LOG gets a line for each POST:
a digest of its body, or `probe` for the token that is drawn to see whether the server works.
"""

import hashlib
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

LOG = "VLLM_COUNTED_CALLS"
PATHS = ("/v1/completions", "/v1/chat/completions")


class Counted:
    """ASGI middleware that writes a call down before the server sees it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in PATHS:
            await self.app(scope, receive, send)
            return
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        self._note(b"".join(message.get("body", b"") for message in messages))
        waiting = iter(messages)

        async def again() -> Any:
            return next(waiting, None) or await receive()

        await self.app(scope, again, send)

    @staticmethod
    def _note(body: bytes) -> None:
        probe = json.loads(body).get("prompt") == [1]
        name = "probe" if probe else hashlib.sha256(body).hexdigest()[:16]
        with open(os.environ[LOG], "ab") as log:
            log.write(f"{name}\n".encode())


def main() -> None:
    """Start vLLM's server with the middleware."""
    os.environ[LOG] = sys.argv.pop(1)
    sys.path.insert(0, str(Path(__file__).parent))
    sys.argv += ["--middleware", "counted_vllm.Counted"]
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
