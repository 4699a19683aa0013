"""`python -m infra.stack.reports PORT`: the reports of all runs of TSO_STORE, for a browser.

Links in Prefect's UI lead here. It serves reports and their list, nothing else of the store, to
this machine alone.
"""

import math
import os
import re
import sys
from collections.abc import Sequence
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from infra.run_tree import NAME, REPORT
from infra.storage import Store, open_store
from tasks.errors import StorageError

PAGE = re.compile(rf"runs/({NAME.pattern})/(?:rounds/(\d{{5}})/)?{re.escape(REPORT)}")
"""The page of a run, or of one of its rounds."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
}
STYLE = "body{font:16px system-ui;max-width:44rem;margin:2rem auto;color-scheme:light dark}"


class Reports(BaseHTTPRequestHandler):
    """Answers GET for the list, for a report, and for the question whether it is there."""

    store: Store

    def do_GET(self) -> None:
        """Answer with a page, 404, or 503 where the store does not answer."""
        path = self.path.partition("?")[0].lstrip("/")
        try:
            page = self._page(path)
        except FileNotFoundError:
            self._send(404, "text/plain", b"no such report\n")
        except StorageError as error:
            self._send(503, "text/plain", f"{error}\n".encode())
        else:
            self._send(200, "text/plain" if path == "health" else "text/html", page)

    def _page(self, path: str) -> bytes:
        if path == "health":
            return b"ok"
        if not path:
            return list_of(self.store).encode()
        if not PAGE.fullmatch(path):
            raise FileNotFoundError(path)
        return self.store.read(path)

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: only what goes wrong is worth a line."""


def list_of(store: Store) -> str:
    """A page that links the reports of all runs: of the whole, then of rounds, newest first."""
    pages: dict[str, list[tuple[float, str]]] = {}
    for path in store.list("runs"):
        if found := PAGE.fullmatch(path):
            place = math.inf if found[2] is None else int(found[2])
            pages.setdefault(found[1], []).append((place, path))
    blocks = [
        f"<h2>{escape(run)}</h2><p>"
        + " · ".join(
            f'<a href="/{escape(path)}">{_called(place)}</a>'
            for place, path in sorted(listed, reverse=True)
        )
        + "</p>"
        for run, listed in sorted(pages.items())
    ]
    body = "".join(blocks) or "<p>No round is finished yet.</p>"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Reports</title>"
        f"<style>{STYLE}</style><h1>Reports</h1>{body}"
    )


def _called(place: float) -> str:
    return "all rounds" if math.isinf(place) else f"round {place:.0f}"


def main(arguments: Sequence[str]) -> None:
    """Serve on the port until the process is ended."""
    Reports.store = open_store(os.environ["TSO_STORE"])
    ThreadingHTTPServer(("127.0.0.1", int(arguments[0])), Reports).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
