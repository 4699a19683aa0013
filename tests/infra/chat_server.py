"""A small chat server that plays what a test wants, good and bad."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from inspect import signature
from typing import Any


class Listening(ThreadingHTTPServer):
    """Lets many callers connect at the same moment."""

    request_queue_size = 128


class Server:
    """A chat server whose `play(handler, n-th request for this text, text)` each test sets.

    A `play` that takes a fourth argument is given the whole request.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.now = self.most = 0
        self.play: Callable[..., None] = lambda handler, number, text: answer(handler, text)
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.handle(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = Listening(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        text = body["messages"][-1]["content"]
        with self._lock:
            self.bodies.append(body)
            self.asked[text] += 1
            self.keys.add(handler.headers["Authorization"])
            number = self.asked[text]
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            whole = len(signature(self.play).parameters) > 3
            self.play(handler, number, text, *([body] if whole else []))
        finally:
            with self._lock:
                self.now -= 1


def send(handler: Any, status: int, body: str, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body.encode())


def answer(handler: Any, text: str) -> None:
    message = {"role": "assistant", "content": f"re: {text}"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    head = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
    send(handler, 200, json.dumps({**head, "choices": [choice], "usage": usage}))


def cut_in_the_body(handler: Any) -> None:
    """Promise more than is sent, and close the connection."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.wfile.flush()
    handler.connection.close()


def first_time(trouble: Callable[[Any], None]) -> Callable[..., None]:
    """`trouble` for the first request of each text, then the answer."""

    def play(handler: Any, number: int, text: str) -> None:
        if number == 1:
            trouble(handler)
        else:
            answer(handler, text)

    return play


@contextmanager
def running_server() -> Iterator[Server]:
    """A server on a free local port."""
    running = Server()
    thread = threading.Thread(target=running.http.serve_forever, args=(0.02,))
    thread.start()
    yield running
    running.http.shutdown()
    running.http.server_close()
    thread.join()
