"""Which files a request may name: those uploaded by the same visitor, and no other of this machine.

Gradio's requests name uploaded files by their path on this computer, and its server hashes and
copies whatever they name. So what a request names is compared with what uploads were answered with,
before anybody looks at the file.
"""

from __future__ import annotations

import json
import re
import stat
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from index.tokenization import sound
from ui.http.accounts.people import asking

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UPLOAD, _LOGIN = "/gradio_api/upload", "/login"
"""The two doors that take forms; every other one reads JSON or nothing."""
_META = {"_type": "gradio.FileData"}
_MOST_REMEMBERED = 10_000
"""Uploads whose paths are known; five times what may lie in their folder at the same time."""
_DEEPEST = 32
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_STRANGER = "That is no file which was uploaded from here. Add it again."
_UNREADABLE = "The request cannot be read."


class FileDataGate:
    """Refuses with 403 a request that names a file which its visitor has not uploaded.

    The body of every request but uploads and log-ins is read here, whatever it calls itself; what
    is outside must bound it. One that is no JSON is refused with 400, for nobody here reads others.
    """

    def __init__(self, app: ASGIApp, *, folder: Path) -> None:
        """Wraps `app`, whose uploads land in `folder`."""
        self._app = app
        self._folder = folder
        self._uploaded: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Visitor and path, as the answers to uploads named it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        path, visitor = scope["path"].rstrip("/"), _visitor(scope)
        if path == _UPLOAD:
            await self._app(scope, receive, self._listening(visitor, send))
        elif path == _LOGIN:
            await self._app(scope, receive, send)
        elif (body := await _whole(receive)) is not None:
            app = self._refusal(body, visitor) or self._app
            await app(scope, _again(whole_characters(body), receive), send)

    def _refusal(self, body: bytes, visitor: str) -> Response | None:
        """What a request with this body is answered, unless it may pass."""
        from starlette.responses import JSONResponse

        try:
            named = list(files_in(json.loads(body))) if body else []
        except (ValueError, RecursionError):
            return JSONResponse({"detail": _UNREADABLE}, 400)
        if all(self._is_own(file, visitor) for file in named):
            return None
        return JSONResponse({"detail": _STRANGER}, 403)

    def _is_own(self, named: dict[str, object], visitor: str) -> bool:
        path = named["path"]
        return (
            isinstance(path, str)
            and named.get("meta") == _META
            and (visitor, path) in self._uploaded
            and is_upload(path, self._folder)
        )

    def _listening(self, visitor: str, send: Send) -> Send:
        """`send`, remembering the paths that an upload is answered with."""
        body, status = b"", 0

        async def listen(message: Message) -> None:
            nonlocal body, status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif status == 200:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    self._remember(visitor, json.loads(body))
            await send(message)

        return listen

    def _remember(self, visitor: str, paths: list[str]) -> None:
        for path in paths:
            self._uploaded[visitor, path] = None
            self._uploaded.move_to_end((visitor, path))
        while len(self._uploaded) > _MOST_REMEMBERED:
            self._uploaded.popitem(last=False)


def whole_characters(body: bytes) -> bytes:
    """JSON without halves of characters, which no answer that repeats them could be written with.

    Browsers send what was cut in the middle of an emoji like that. Anything else comes back as it
    is.
    """
    if not _SURROGATE.search(body):
        return body
    try:
        return sound(json.dumps(json.loads(body), ensure_ascii=False)).encode()
    except (ValueError, RecursionError):
        return body


def files_in(body: object) -> Iterator[dict[str, object]]:
    """Every object with a `path` in parsed JSON, wherever it stands.

    Raises:
        ValueError: when the JSON is nested more deeply than any request of the page.
    """
    level = [body]
    for _ in range(_DEEPEST):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                if "path" in value:
                    yield value
                below += value.values()
            elif isinstance(value, list):
                below += value
        level = below
    if level:
        raise ValueError("nested too deeply")


def is_upload(path: str, folder: Path) -> bool:
    """Whether `path` is, resolved, a regular file where uploads to `folder` land; opens nothing."""
    try:
        kind = Path(path).lstat().st_mode
        where = Path(path).resolve(strict=True).parent.parent
        return stat.S_ISREG(kind) and where == folder.resolve()
    except (OSError, ValueError, RuntimeError):  # not there, no path at all, links in a ring
        return False


def _visitor(scope: Scope) -> str:
    """Who asks, as far as can be seen: by account or log-in; without either all are the same."""
    if person := asking():
        return person.id
    from starlette.requests import HTTPConnection

    cookies = HTTPConnection(scope).cookies.items()
    return ";".join(sorted(f"{k}={v}" for k, v in cookies if k.startswith("access-token")))


async def _whole(receive: Receive) -> bytes | None:
    """The body of a request; None when whoever sent it has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` for a request whose body was read already."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
