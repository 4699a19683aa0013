"""Calls as the tests of the client make them."""

from typing import Any

from infra.openai_client import Call, Client, Reply
from tests.infra.chat_server import Server

SECRET = "sk-very-secret-0123456789"


def calls(*texts: str) -> list[Call]:
    return [Call(id=text, messages=[{"role": "user", "content": text}]) for text in texts]


def replies(server: Server, *texts: str, **settings: Any) -> dict[str, Reply]:
    quick = {"api_key_env": "TEST_KEY", "timeout_seconds": 5.0, "first_wait_seconds": 0.02}
    options = quick | settings
    with Client(base_url=server.url, model="m", **options) as client:
        return {call.id: reply for call, reply in client.complete(calls(*texts))}
