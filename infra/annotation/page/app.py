"""The annotation page's server: one page, and what it asks for.

Paths that begin with /-/ are the server's own; no run can have that name.
"""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware import Middleware

from infra.annotation.page.access import LINK, SESSION, Keys, Pass
from infra.annotation.page.answering import Answering, Asked, Clock, Given, Wanted
from infra.annotation.page.limits import BodyLimit, OwnPagesOnly, Rate, SafeHeaders
from infra.annotation.page.open_batches import OpenBatches
from infra.annotation.page.static_files import PAGE, StaticFiles
from infra.run_tree import NAME
from infra.storage import Store
from tasks.annotation_items import TAGS
from tasks.errors import ConfigError, StorageError

API = "/-/api/{run}"
NOT_SIGNED_IN = "open your link again: this browser is not signed in, or was too long ago"
NO_BATCH = "nobody is asked anything here (yet): ask whoever gave you the link"
NO_STORE = "the store does not answer; what you said stays in this browser and is sent again"

Run = Annotated[str, Path(pattern=f"^{NAME.pattern}$")]
Round = Annotated[int, Path(ge=0, le=99_999)]

_log = logging.getLogger(__name__)


class SignIn(BaseModel):
    """What a link brings along."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(max_length=2000)]


class Desks:
    """What all requests share."""

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self.batches = OpenBatches(store)
        self.keys = keys
        self.clock = clock
        self.requests = Rate(per_second=20.0, burst=60.0)
        """Of one annotator."""
        self.wrong_tokens = Rate(per_second=0.2, burst=10.0)
        """Of one address."""

    def signed_in(self, run: Run, authorization: Annotated[str, Header()] = "") -> Pass:
        """Who asks; HTTPException 401 or 429 if they may not."""
        token = authorization.removeprefix("Bearer ")
        who = self.keys.read(SESSION, token, run, self.clock())
        if who is None:
            raise HTTPException(401, NOT_SIGNED_IN)
        _check(self.requests, f"{run}/{who.annotator}")
        return who

    def sign_in(self, run: Run, given: SignIn, request: Request) -> dict[str, str]:
        """A session for whoever has a link; wrong ones are slowed down."""
        now = self.clock()
        link = self.keys.read(LINK, given.token, run, now)
        if link is None:
            _check(self.wrong_tokens, request.client.host if request.client else "")
            raise HTTPException(401, NOT_SIGNED_IN)
        return {"session": self.keys.session(link, now), "annotator": link.annotator}

    async def answering(self, who: Pass, round_index: int, window: str) -> Answering:
        """The batch of a round, for one person at one window."""
        batch = await self.batches.get(who.run, round_index)
        return Answering(batch, who, window, self.clock)


def annotation_app(
    store: Store, keys: Keys, hosts: frozenset[str], clock: Clock = time.time
) -> FastAPI:
    """The server of all batches of `store`, under the names `hosts`."""
    desks = Desks(store, keys, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await desks.batches.close()

    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        middleware=[
            Middleware(SafeHeaders),
            Middleware(OwnPagesOnly, hosts=hosts),
            Middleware(BodyLimit),
        ],
    )
    _add_failures(app)
    _add_answers(app, desks)
    _add_page(app, StaticFiles())
    return app


def _add_answers(app: FastAPI, desks: Desks) -> None:
    """What the page asks for."""
    SignedIn = Annotated[Pass, Depends(desks.signed_in)]

    @app.post(f"{API}/session")
    def session(signed: Annotated[dict[str, str], Depends(desks.sign_in)]) -> dict[str, str]:
        return signed

    @app.get(f"{API}/newest")
    async def newest(who: SignedIn) -> dict[str, Any]:
        return {"round": await desks.batches.newest(who.run)}

    @app.get(f"{API}/{{round_index}}/about")
    async def about(who: SignedIn, round_index: Round) -> dict[str, Any]:
        facts = (await desks.batches.get(who.run, round_index)).batch.facts
        return {
            "run": facts.run,
            "round": facts.round_index,
            "generation": facts.generation,
            "annotator": who.annotator,
            "tags": list(TAGS),
        }

    @app.post(f"{API}/{{round_index}}/next")
    async def following(who: SignedIn, round_index: Round, asked: Wanted) -> dict[str, Any]:
        desk = await desks.answering(who, round_index, asked.window)
        return await desk.more(asked.have, asked.want)

    @app.post(f"{API}/{{round_index}}/back")
    async def back(who: SignedIn, round_index: Round, asked: Asked) -> dict[str, Any]:
        return await (await desks.answering(who, round_index, asked.window)).back()

    @app.post(f"{API}/{{round_index}}/answers")
    async def answers(who: SignedIn, round_index: Round, given: Given) -> dict[str, Any]:
        desk = await desks.answering(who, round_index, given.window)
        return await desk.take(given.answers)


def _add_page(app: FastAPI, files: StaticFiles) -> None:
    """The page itself, the same for everybody: what is secret comes later."""

    @app.get("/-/health")
    async def health() -> Response:
        return PlainTextResponse("ok")

    @app.get("/-/{name}")
    async def file(request: Request, name: str) -> Response:
        return files.answer(request, name)

    @app.get("/")
    @app.get("/{run}")
    @app.get("/{run}/{round_index}")
    async def page(request: Request) -> Response:
        return files.answer(request, PAGE)


def _add_failures(app: FastAPI) -> None:
    """Errors in words for people; nothing of the request or of the store is quoted."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        found = [
            {"at": ".".join(map(str, one["loc"])), "why": one["msg"]} for one in error.errors()
        ]
        return _said(422, "the server does not understand this", problems=found)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return _said(error.status_code, error.detail, headers=dict(error.headers or {}))

    @app.exception_handler(ConfigError)
    async def no_batch(_: Request, error: ConfigError) -> Response:
        return _said(404, NO_BATCH)

    @app.exception_handler(StorageError)
    async def no_store(_: Request, error: StorageError) -> Response:
        _log.error("an answer or an item had to wait: %s", error)
        return _said(503, NO_STORE, headers={"Retry-After": "5"})


def _said(status: int, why: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse({"why": why, **more}, status_code=status, headers=kept)


def _check(rate: Rate, caller: str) -> None:
    """HTTPException 429 if this caller comes too often."""
    if wait := rate.wait(caller):
        retry = {"Retry-After": str(int(wait) + 1)}
        raise HTTPException(429, "too many requests; wait a moment", headers=retry)
