"""A web site on this machine, friendly pages and hostile ones."""

from __future__ import annotations

import gzip
import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

from index.sources.fetching import Fetcher, FetchLimits

OWN = ip_network("127.0.0.1/32")
"""This machine, which a fetcher asks only where it is allowed to."""


def article(title: str, text: str, *, head: str = "", author: str = "Ann Berg") -> str:
    """A page as news sites have them."""
    return f"""<!doctype html><html lang="en"><head><title>{title} - The Harbour Post</title>
<meta name="author" content="{author}"><meta property="article:published_time"
content="2024-03-05T08:00:00Z"><meta property="og:site_name" content="The Harbour Post">{head}
</head><body><nav><a href="/">Home</a> <a href="/about">About us</a></nav>
<article><h1>{title}</h1><p>{text}</p><p>The harbour master read the notice aloud on the quay, and
everybody who had come that morning wrote the new hours down before the bell rang.</p></article>
<footer>Subscribe to our newsletter</footer></body></html>"""


def rss(*links: str) -> str:
    items = "".join(f"<item><title>x</title><link>{link}</link></item>" for link in links)
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{items}</channel></rss>'


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """What a site answers, by path, and what it was asked."""

    port: int = 0
    scheme: str = "http"
    pages: dict[str, tuple[str, bytes, Mapping[str, str]]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Paths in the order in which they were asked for, each with the status of the answer."""

    def at(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def put(
        self, path: str, body: str | bytes, kind: str = "text/html; charset=utf-8", **headers: str
    ) -> str:
        """A page with its ETag; its address."""
        data = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = kind, data, named
        return self.at(path)

    def gone(self, path: str) -> None:
        del self.pages[path]


class _Handler(BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(OSError):  # whoever asked does not believe who we are
            super().handle()

    def do_GET(self) -> None:
        with suppress(OSError):  # whoever asked has hung up
            path = self.path.partition("?")[0]
            if answer := self.site.answers.get(path):
                self.site.asked.append((self.path, 0))
                self.close_connection = True
                answer(self)
                return
            kind, data, headers = self.site.pages.get(path, ("", b"", {}))
            etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
            status = 404 if not kind else 200
            if kind and self.headers["If-None-Match"] == etag:
                status, data = 304, b""
            self.site.asked.append((self.path, status))
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
                self.send_header("ETag", etag)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def site(proof: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A web site that answers while the block lasts.

    Args:
        proof: of who it is, for `https`.
    """
    made = Site(scheme="https" if proof else "http")
    handler = type("Handler", (_Handler,), {"site": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if proof:  # shaking hands is for the connection's own thread
            server.socket = proof.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        server.daemon_threads = True
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def fetcher(**limits: float) -> Fetcher:
    """One that may ask this machine, with limits that a test can reach."""
    given = {"seconds": 20.0, "silence": 20.0, **limits}
    return Fetcher([OWN], FetchLimits(**given))  # type: ignore[arg-type]


# --- hostile answers ----------------------------------------------------------------------


def redirect(to: str, status: int = 302) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def raw(data: bytes) -> Answer:
    """These very bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)

    return answer


def silent(released: threading.Event) -> Answer:
    """Not a word until it is released."""

    def answer(_: BaseHTTPRequestHandler) -> None:
        released.wait()

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A page that never ends."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    while True:
        handler.wfile.write(b"<p>and so on</p>" * 4096)


def bomb(handler: BaseHTTPRequestHandler) -> None:
    """A few bytes that unpack to many."""
    data = gzip.compress(b"<p>boom</p>" * 1_000_000)
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def trickle(released: threading.Event, begin: bytes) -> Answer:
    """A byte now and then, for ever: never long silent, never through."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(begin)
        while not released.wait(0.02):
            handler.wfile.write(b"x")

    return answer
