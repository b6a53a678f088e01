"""Between the page and the network: who may ask, and what a browser may do with the page."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFETY_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_GRADIO_FILES = "/assets/"
"""Where Gradio serves files that are named after what is in them."""
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


class Shield:
    """Headers that keep the page to itself, and the refusal of requests from elsewhere.

    The content security policy names no origin but our own, so nothing a document says can make the
    browser fetch or send anything. Scripts: our files, and the page's own inline scripts by their
    hashes, computed as each page passes; an `onerror=` smuggled into the page is refused.
    `'unsafe-eval'` stays because Gradio 6 builds every HTML component through `Function()`; our
    values go in as its argument, never as its source. Inline styles stay because its components set
    `style` attributes.

    A site that points its own name at this address (DNS rebinding) or posts to it from its pages is
    turned away: the Host must be the one we serve, and the Origin, if any, must be that Host.
    """

    def __init__(self, app: ASGIApp, *, any_host: bool, files: str) -> None:
        """Wrap `app`.

        Args:
            app: what is guarded.
            any_host: when a password guards it under whatever name it is reached.
            files: where our own files are served, under a name that changes when they do.
        """
        self._app = app
        self._any_host = any_host
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it, and dresses the response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from starlette.datastructures import MutableHeaders
        from starlette.responses import PlainTextResponse

        headers = MutableHeaders(scope=scope)
        # Pages are hashed on their way out, so they must pass uncompressed.
        del headers["accept-encoding"]
        host, origin = headers.get("host", ""), headers.get("origin")
        app = self._app
        if not (self._any_host or is_loopback(_hostname(host))):
            app = PlainTextResponse("Pilcrow answers only under its own address.", 403)
        elif origin is not None and urlsplit(origin).netloc != host:
            app = PlainTextResponse("Pilcrow answers only its own page.", 403)
        # A page asks for sixty such files; a browser that has one need not ask again.
        lasting = scope["path"].startswith((_GRADIO_FILES, self._files))
        await app(scope, receive, _Dressed(send, f"{self._files}/anew.js", lasting=lasting))


class _Dressed:
    """Adds the headers to one response; a page is held back to get our script and its hashes."""

    def __init__(self, send: Send, first_script: str, *, lasting: bool) -> None:
        self._send = send
        self._first = f'<head><script src="{first_script}"></script>'.encode()
        self._lasting = lasting
        self._start: Message | None = None
        self._page = b""

    async def __call__(self, message: Message) -> None:
        from starlette.datastructures import MutableHeaders

        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(SAFETY_HEADERS)
            if headers.get("content-type", "").startswith("text/html"):
                self._start = message
                return
            headers["Content-Security-Policy"] = "default-src 'none'"
            if self._lasting and message["status"] == 200:
                headers["Cache-Control"] = "max-age=31536000, immutable"
        elif self._start is not None:
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = self._page.replace(b"<head>", self._first, 1)
            headers = MutableHeaders(scope=self._start)
            headers["Content-Security-Policy"] = content_policy(page)
            headers["Content-Length"] = str(len(page))
            await self._send(self._start)
            message = {"type": "http.response.body", "body": page}
            self._start = None
        await self._send(message)


def content_policy(page: bytes) -> str:
    """The Content-Security-Policy of one HTML page, with the hashes of its inline scripts."""
    scripts = _INLINE_SCRIPT.findall(page)
    hashes = (base64.b64encode(hashlib.sha256(s).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{h}'" for h in dict.fromkeys(hashes))
    return (
        "default-src 'none'; "
        f"script-src 'self' 'unsafe-eval' {allowed}; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


def _hostname(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    return urlsplit(f"//{host}").hostname or ""


def is_loopback(host: str) -> bool:
    """Whether `host` can only be reached from this computer."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
