"""All that programs can ask for, as one FastAPI application with its schema at /openapi.json."""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse, Response

from index import Library
from index.errors import PilcrowError
from rag import Assistant
from rag.grounding import sealing
from rag.settings import installed_version
from ui.api.answers import answer_routes
from ui.api.completions import completion_routes
from ui.api.documents import MOST_AT_ONCE, document_routes, held
from ui.api.errors import ApiError, Json, handle_errors
from ui.api.guard import Guard
from ui.api.links import Links, seal_of
from ui.api.mcp_server import build_mcp
from ui.api.metrics import Metrics
from ui.api.service import Service
from ui.http.accounts.people import asked_by
from ui.http.accounts.permitted import require
from ui.http.accounts.sharing import Shared, SignIn
from ui.http.attempts import ATTEMPTS
from ui.http.body_limit import MOST_BYTES, BodyLimit

if TYPE_CHECKING:
    from starlette.types import ASGIApp

log = logging.getLogger(__name__)

_DESCRIPTION = """Ask your own articles; every statement points at the sentences it rests on.
`start` and `end` of a citation count characters of the document's text (`GET /v1/documents/ID`):
`text[start:end]` is the quote, always. With PILCROW_API_KEY every request needs it as
bearer key; where there are accounts each has a key of its own (`pilcrow accounts key NAME`)."""


@dataclass(frozen=True)
class ApiOptions:
    """How programs are served."""

    key: str | None = None
    """What they have to know; without one only this computer is answered."""
    page: bool = False
    """Whether the chat page is served at the same address."""
    address: str = "http://127.0.0.1:7861"
    """Where it is served, for the links that agents get."""
    allow_changes: bool = False
    """Whether agents may change the library."""
    accounts: SignIn | None = None
    """How people sign in who have accounts; None where there are none."""
    stateless: bool = False
    """Whether any other process may get an agent's next request; else its session is remembered."""
    attempts: int = ATTEMPTS
    """Wrong keys in a row of an address that this process looks at before it has to wait."""


def build_api(
    assistant: Assistant, library: Library, options: ApiOptions, metrics: Metrics | None = None
) -> FastAPI:
    """The application; without a key it must only be served to this computer.

    Args:
        assistant: answers the questions.
        library: what it answers from.
        options: how it is served.
        metrics: counts what is asked, here and wherever else it was handed; new ones when None.
    """
    shared = Shared(assistant, library, options.accounts) if options.accounts else None
    service = Service(assistant, library, metrics, shared)
    seal = sealing.key_of(library, create=True) if options.key or shared else None

    def links_of(request: Request) -> Links:
        base = f"{request.url.scheme}://{request.headers.get('host', '')}"
        return Links(base, options.page, seal)

    agents = build_mcp(
        service,
        Links(options.address.rstrip("/"), options.page, seal),
        allow_changes=options.allow_changes,
    )
    # the guard before everything has looked at Host and Origin
    unguarded = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    mcp_routes = agents.streamable_http_app(
        transport_security=unguarded, stateless_http=options.stateless or shared is not None
    ).routes

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with agents.session_manager.run():
            yield

    app = FastAPI(
        title="Pilcrow", version=installed_version(), description=_DESCRIPTION, lifespan=lifespan,
        docs_url=None, redoc_url=None, default_response_class=Json,
    )  # fmt: skip
    app.include_router(completion_routes(service, links_of))
    app.include_router(answer_routes(service, links_of))
    app.include_router(document_routes(service))
    guarded = options.key is not None or shared is not None
    _add_small_routes(app, service, seal, shared, guarded=guarded)
    app.router.routes.extend(mcp_routes)
    handle_errors(app)
    app.add_middleware(BodyLimit, most=_most_bytes, refusal=_too_long)
    app.add_middleware(Guard, key=options.key, attempts=options.attempts, shared=shared)
    return app


def _add_small_routes(
    app: FastAPI, service: Service, seal: bytes | None, shared: Shared | None, *, guarded: bool
) -> None:
    @app.get("/health", tags=["Server"], summary="Is it there?")
    async def health() -> Response:
        """Says `ok`; needs no key."""
        return Json({"status": "ok"})

    @app.get("/ready", tags=["Server"], summary="Can it answer?")
    async def ready() -> Response:
        """Says `ready` and the number of the library's state; an error while the library is away.

        Needs no key; where there is one, strangers are told neither number nor reason.
        """
        try:
            change = await service.work(lambda: service.whole.change)
        except PilcrowError as error:
            if not guarded:
                raise
            log.warning("not ready: %s", error)
            words = "the library cannot be read; the terminal says why"
            raise ApiError(503, words, "unavailable") from error
        return Json({"status": "ready"} if guarded else {"status": "ready", "change": change})

    @app.get("/metrics", tags=["Server"], summary="Counters for Prometheus")
    async def metrics() -> Response:
        """Questions, their states, the time of each stage, memory."""
        require(service.library, "admin", all_of_it=True)
        documents = await service.work(lambda: service.library.stats().documents)
        text = service.metrics.text(documents)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/read/{id:path}", include_in_schema=False)
    async def read(id: str, given: Request) -> Response:
        """What a citation's link opens where there is no page: the article as plain text."""
        sealed, by = (given.query_params.get(name, "") for name in ("seal", "by"))
        person = await service.work(lambda: shared.accounts.by_id(by)) if shared else None
        right = seal is None or hmac.compare_digest(sealed.encode(), seal_of(id, seal, by).encode())
        if not right or (shared and person is None):
            raise ApiError(403, "this link was not made by this Pilcrow", "forbidden")
        with asked_by(person):
            record, document = await service.work(lambda: held(service, id))
        del record
        return PlainTextResponse(document.text.encode("utf-8", "replace"))


def _most_bytes(path: str) -> int:
    """Bytes that a request may have."""
    return MOST_AT_ONCE if path.rstrip("/") == "/v1/documents" else MOST_BYTES


def _too_long(status: int, words: str) -> ASGIApp:
    return ApiError(status, words, "too_large").response()
