"""Requests as a server hands them to an application, without a network between: for fuzzers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

import anyio
from anyio.from_thread import start_blocking_portal
from starlette.types import Message, Scope

from tests.support.programs import PATIENCE


@dataclass(frozen=True)
class Request:
    """One request, as a server hands it on."""

    method: str
    path: bytes
    """Percent-encoded, with its query."""
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def scope(self) -> Scope:
        path, _, query = self.path.partition(b"?")
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1", "scheme": "http", "root_path": "", "method": self.method,
            "path": unquote_to_bytes(path).decode("utf-8", "replace"), "raw_path": path,
            "query_string": query, "headers": list(self.headers),
            "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 7860),
        }  # fmt: skip


@dataclass
class Response:
    """What came back."""

    statuses: list[int] = field(default_factory=list)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    error: Exception | None = None
    """What the server fell over."""


async def ask(app: Any, request: Request) -> Response:
    """Sends a request and hangs up once its answer has begun to come."""
    response, answered = Response(), anyio.Event()
    waiting: list[Message] = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.statuses.append(message["status"])
            response.headers += message.get("headers", [])
        else:
            response.body += message.get("body", b"")
        answered.set()

    with anyio.fail_after(PATIENCE):  # a server that hangs
        try:
            await app(request.scope(), receive, send)
        except Exception as error:
            response.error = error
    return response


Fire = Callable[[Request], Response]
"""Sends one request; what comes back."""


@contextmanager
def under_fire(app: Any) -> Iterator[Fire]:
    """An application that runs while the block lasts."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
    ):

        def fire(one: Request) -> Response:
            response: Response = portal.call(ask, app, one)
            return response

        yield fire


def paths_of(routes: Any) -> Iterator[str]:
    """Every path that some part of an application has a route for."""
    for route in routes:
        if inner := getattr(route, "original_router", getattr(route, "app", None)):
            yield from paths_of(getattr(inner, "routes", ()))
        if path := getattr(route, "path", ""):
            yield path


class Complaints(logging.Handler):
    """What ours says has gone wrong: an error that nobody expected, which costs a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else ""
        self.lines.append(f"{record.name}: {record.getMessage()} {error!r}")


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Errors of ours while the block lasts, a line each."""
    kept = Complaints()
    names = ("ui", "rag", "index")
    for name in names:
        logging.getLogger(name).addHandler(kept)
    try:
        yield kept.lines
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(kept)
