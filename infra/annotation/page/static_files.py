"""The page's own files, read once."""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
PAGE = "page.html"
WORKER = "worker.js"


class StaticFiles:
    """Answers with a file, or says that the browser has it already."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}

    def answer(self, request: Request, name: str) -> Response:
        """The file, 304 or 404; a browser asks each time, so a new version shows at once."""
        body = self._files.get(name)
        if body is None:
            return Response("no such file\n", status_code=404, media_type="text/plain")
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if name == WORKER:
            headers["Service-Worker-Allowed"] = "/"
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=TYPES[Path(name).suffix])
