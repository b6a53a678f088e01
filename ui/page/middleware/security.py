"""Between the page and the network: who may ask for what, and what a browser may do with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ui.http.origin import is_foreign, origin_refusal
from ui.page.middleware.page_policy import FILE_POLICY, PagePolicy

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFETY_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE = "/"
_GRADIO_FILES = "/assets/"
"""Where Gradio serves files that are named after what is in them."""
_NEEDED = {
    "GET": (
        r"/|/logout|/theme\.css|/manifest\.json|/favicon\.ico",
        r"/assets/[\w.@-]+|/static/(?:js|img|fonts)/[\w.@/-]+",
        r"/gradio_api/(?:app_id|queue/data|upload_progress|heartbeat/\w+)",
    ),
    "POST": (
        r"/login|/gradio_api/(?:component_server/?|run/predict|queue/join)",
        r"/gradio_api/(?:upload|cancel|reset)",
    ),
}
"""What the page asks for besides our own files, as patterns of the paths that the router sees."""
_SHARED = b"access-control-"
"""Headers with which an answer is given to other sites' pages; ours is for none."""
_HEARSAY = ("x-forwarded-host", "x-forwarded-proto", "x-gradio-server")
"""Headers that Gradio would take the page's own address from; anybody can write them."""

_LONGEST_NAME = 255
"""Characters of one part of an address: no file system has a file of a longer name."""


class SecurityHeaders:
    """Refuses requests from elsewhere and for what the page does not need; dresses every response.

    Only the page itself may run script, and only its own: `page_policy` says how. Whatever else is
    answered is an inert file to a browser, even when it says that it is a page.

    A site that points its own name at this address (DNS rebinding), or that fetches, frames, posts
    or links to anything here but the page, is turned away: the Host must be the one we serve, the
    Origin, if any, must be that Host, and a browser that says where a request comes from must say
    that it comes from our page or from the person.

    Of Gradio's routes only those that the page needs are reachable. Those that fetch from other
    hosts, print what they are sent or serve files of the disk are not among them.
    """

    def __init__(self, app: ASGIApp, *, any_host: bool, files: str, policy: PagePolicy) -> None:
        """Wrap `app`.

        Args:
            app: what is guarded.
            any_host: when a password guards it under whatever name it is reached.
            files: where our own files are served, under a name that changes when they do.
            policy: what the page may do.
        """
        self._app = app
        self._any_host = any_host
        self._files = files
        self._policy = policy
        ours = rf"{re.escape(files)}/[\w.-]+"
        gets = re.compile("|".join((*_NEEDED["GET"], ours)), re.ASCII)
        posts = re.compile("|".join(_NEEDED["POST"]), re.ASCII)
        self._needed = {"GET": gets, "HEAD": gets, "POST": posts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it, and dresses the response."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing of ours speaks anything else
            await send({"type": "websocket.close", "code": 1008})
            return
        from starlette.datastructures import MutableHeaders
        from starlette.responses import PlainTextResponse

        headers, path = MutableHeaders(scope=scope), scope["path"]
        # The page is read on its way out, so it must pass uncompressed; our own files need not.
        packed = path.startswith(self._files)
        for name in _HEARSAY if packed else ("accept-encoding", *_HEARSAY):
            del headers[name]
        app = self._app
        if refusal := self._refusal(scope["method"], path, headers):
            status, words = refusal
            app = PlainTextResponse(words, status)
        elif path == _PAGE:
            scope["query_string"] = b""  # what may stand there is for the page's script
        # A page asks for sixty such files; a browser that has one need not ask again.
        lasting = path.startswith((_GRADIO_FILES, self._files))
        policy = self._policy if path == _PAGE else None
        await app(scope, receive, SecureSend(send, policy, lasting=lasting))

    def _refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        """Why a request is not looked at, as status and words; None when it may pass."""
        refusal = origin_refusal(headers, any_host=self._any_host, ours="its own page")
        if refusal is not None:
            return refusal
        if is_foreign(headers) and not (path == _PAGE and _is_visit(method, headers)):
            return 403, "Pilcrow answers only its own page."
        needed = self._needed.get(method)
        longest = max(map(len, path.split("/")))  # the disk is not asked for what no file can be
        if needed is None or longest > _LONGEST_NAME or not needed.fullmatch(path):
            return 404, "Pilcrow's page has nothing there."
        return None


class SecureSend:
    """Adds the headers to one response; the page is held back to be read for its policy."""

    def __init__(self, send: Send, policy: PagePolicy | None, *, lasting: bool) -> None:
        self._send = send
        self._policy = policy
        self._lasting = lasting
        self._start: Message | None = None
        self._page = b""

    async def __call__(self, message: Message) -> None:
        """Sends one message of a response on, with the headers that keep it harmless."""
        from starlette.datastructures import MutableHeaders

        if message["type"] == "http.response.start":
            sent = message.get("headers", ())
            message["headers"] = [_strict(h) for h in sent if not h[0].lower().startswith(_SHARED)]
            headers = MutableHeaders(scope=message)
            headers.update(SAFETY_HEADERS)
            headers["Content-Security-Policy"] = FILE_POLICY
            if self._policy and headers.get("content-type", "").startswith("text/html"):
                self._start = message
                return
            if self._lasting and message["status"] == 200:
                headers["Cache-Control"] = "max-age=31536000, immutable"
        elif self._policy and self._start is not None:
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = self._policy.prepared(self._page)
            headers = MutableHeaders(scope=self._start)
            headers["Content-Security-Policy"] = self._policy.of(page)
            headers["Content-Length"] = str(len(page))
            await self._send(self._start)
            message = {"type": "http.response.body", "body": page}
            self._start = None
        await self._send(message)


def _strict(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The header; one that sets a cookie with the cookie kept from requests of other sites."""
    name, value = header
    if name.lower() != b"set-cookie":
        return header
    parts = [p for p in value.split(b";") if not p.strip().lower().startswith(b"samesite")]
    return name, b";".join([*parts, b" SameSite=Strict"])


def _is_visit(method: str, headers: Headers) -> bool:
    """Whether a person has followed a link, which shows the page to nobody else."""
    mode, dest = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return (method, mode, dest) == ("GET", "navigate", "document")
