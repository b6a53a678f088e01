"""Uploads on their way in: how much may lie in their folder, and that it does not stay there."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from index.library import LONGEST_TAG
from index.tokenization import sound
from index.types import FailedFile
from ui.language.catalogue import gettext, gettext_noop

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 500_000_000
"""What may lie in the folder, and come in, at the same time."""
MOST_FILES = 2_000
_STALE = 3600.0
"""Seconds after which a file is nobody's: its tab was closed, or we were killed."""
_SILENT = 60.0
"""The same for one that was still on its way: Gradio writes those beside the others' folders."""
_FULL = gettext_noop(
    "Too much is being uploaded at once: add fewer or smaller files, or the folder they are in "
    "with `pilcrow add`."
)

_LEFT_OUT = {
    "kind": gettext_noop("of a kind that is not read"),
    "size": gettext_noop("larger than 20 MB"),
    "unreadable": gettext_noop("the browser cannot read it"),
    "skip": gettext_noop("skipped: a document of this name is kept"),
}
_REPLACE, _INTO = "replace", "into"
_MOST_LEFT_OUT = 1_000
_LONGEST_NAME = 120
"""Bytes; the end is kept, since it says what kind of file it is. Disks allow 255."""


class UploadLimit:
    """Refuses with 413 what would not fit in the folder for uploads on their way."""

    def __init__(self, app: ASGIApp, *, folder: Path, most: int = MOST_BYTES) -> None:
        """Wraps `app`, whose uploads land in `folder`; `most` bytes may be there."""
        self._app = app
        self._folder = folder
        self._most = most
        self._coming = 0
        """Bytes of the requests that are being received."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, counting what comes."""
        path = scope.get("path", "").rstrip("/")
        if scope["type"] != "http" or scope["method"] != "POST" or not path.endswith("/upload"):
            await self._app(scope, receive, send)
            return
        from starlette.exceptions import HTTPException
        from starlette.requests import ClientDisconnect
        from starlette.responses import PlainTextResponse

        held, files = _weigh(self._folder)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        announced = int(length) if length.isdigit() else 0
        if files >= MOST_FILES or held + self._coming + announced > self._most:
            await PlainTextResponse(gettext(_FULL), 413)(scope, receive, send)
            return
        came = 0

        async def counting() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            self._coming += len(message.get("body", b""))
            if held + self._coming > self._most:
                raise HTTPException(413, gettext(_FULL))
            return message

        try:
            # a tab that is closed in the middle is nobody's mistake, and nobody is there to be told
            with suppress(ClientDisconnect):
                await self._app(scope, counting, send)
        finally:
            self._coming -= came


def clear(folder: Path) -> None:
    """Takes away what has lain in `folder` for too long."""
    now = time.time()
    for path in sorted(folder.rglob("*"), reverse=True):  # a folder comes after what is in it
        with suppress(OSError):  # somebody else has taken it away, or it is not empty
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif now - path.lstat().st_mtime > (_SILENT if path.parent == folder else _STALE):
                path.unlink()


def left_behind(sent: str) -> tuple[FailedFile, ...]:
    """Files that a page did not send, from its JSON; comes from a browser: read, never trusted."""
    return tuple(FailedFile(name, _why(why)) for name, why in _remarks(sent) if why != _REPLACE)


def _why(short: str) -> str:
    """Why a file was not sent, in words."""
    words = _LEFT_OUT.get(short, gettext_noop("not added"))
    return gettext(words)


def to_replace(sent: str) -> frozenset[str]:
    """Names of files that are to take the place of those called so, from the same JSON."""
    return frozenset(name for name, why in _remarks(sent) if why == _REPLACE)


def collection_of(sent: str) -> str:
    """The collection that the files of a page are put into, from the same JSON; empty for none."""
    named = next((name for name, why in _pairs(sent) if why == _INTO), "")
    return sound(named)[:LONGEST_TAG]


def _remarks(sent: str) -> list[tuple[str, str]]:
    """Pairs of a file name and what is said of it."""
    return [(bare(name), why) for name, why in _pairs(sent) if why != _INTO]


def _pairs(sent: str) -> list[tuple[str, str]]:
    """Pairs of texts, as they came."""
    try:
        given = json.loads(sent)
    except (ValueError, RecursionError):
        given = None
    pairs = given if isinstance(given, list) else []
    return [
        (pair[0], pair[1])
        for pair in pairs[:_MOST_LEFT_OUT]
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
    ]


def bare(name: str) -> str:
    """A file name that stays in its folder, on its line, and within what a disk allows."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    last = "".join(c for c in last if c.isprintable()).lstrip(". ")[-_LONGEST_NAME:]
    while len(last.encode()) > _LONGEST_NAME:
        last = last[1:]
    return last or "article.txt"


def _weigh(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files in a folder, once what is stale has gone."""
    clear(folder)
    sizes = []
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                sizes.append(path.stat().st_size)
    return sum(sizes), len(sizes)
