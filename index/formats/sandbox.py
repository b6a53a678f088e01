"""Parsers of foreign files, run where they can do no harm.

HTML, PDF and Word files, pictures, and long plain text, are read in a child process that may use so
much memory, processor time and wall-clock time, and write no file. It is given the bytes of one
file and no more: none of this process's variables but those of language and time; on Linux no other
file of the person and no network (`confine.py`; where the kernel cannot, `pilcrow doctor` says so).
One child reads many files, since starting it and importing the parsers costs about a second; it is
replaced after a failure and after some hundred files, so that nothing it leaks adds up.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from index.formats.base import Unreadable, Wordless
from index.formats.pictures.recognition import PAGES_LIMIT
from index.system.confinement import Confinement
from index.system.subprocesses import LOCALE_AND_LOADER, Empty, Message, WorkerExited, WorkerProcess
from index.types import Document, Heading, Page, PagePicture, Span

_POLL = 0.1  # seconds between two looks at `cancelled`
_STARTING = 30  # seconds that a process may take to start
_LINE = 400_000_000
"""Bytes of one message: a text at its limit in a script of three bytes a letter, twice over."""
# A parser computes with one thread. On a host with many cores the stacks and buffers of all the
# others, none of them ever used, would take up what memory it may have.
_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1"
) | {"MALLOC_ARENA_MAX": "2"}
_CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE")


class Cancelled(Exception):
    """The person asked to stop. Never leaves the library."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may take."""

    memory: int = 2_000_000_000
    """Bytes of address space, the parsers themselves (some 250 MB) included."""
    processor: int = 120
    """Seconds of processor time: a PDF of 2,000 pages takes about a minute."""
    wall: int = 300
    """Seconds: more than of processor time, because other programs may be busy too."""
    text: int = 50_000_000
    """Characters of the text that comes out."""
    files: int = 500
    """Files that one process reads before the next one takes over."""


class Sandbox:
    """A process for parsers, started when the first file needs it. One file at a time."""

    def __init__(
        self, limits: Limits = Limits(), worker: str = "index.formats.parse_worker"
    ) -> None:
        """Prepare; nothing is started.

        Args:
            limits: for each file.
            worker: the module whose `main` the process runs.
        """
        self._limits = limits
        self._worker = worker
        self._child: WorkerProcess | None = None
        self._read = 0
        self._lock = threading.Lock()

    def read(
        self,
        document_id: str,
        data: bytes,
        suffix: str,
        cancelled: Callable[[], bool] | None = None,
        *,
        recognising: bool = False,
        address: str = "",
    ) -> Document:
        """The document in a file's bytes, as `registry.read_here` finds it in the child.

        Args:
            document_id: what the document will be called.
            data: the whole file.
            suffix: the file name's ending, in lower case.
            cancelled: asked often; when it says True the child is ended.
            recognising: whether the text of pages that are pictures is recognised. Each of them may
                take what a whole file may; one that takes more is read as empty.
            address: of the web page that it is a copy of.

        Raises:
            Unreadable: with the reason, also when the parser crashed or took too much.
            Cancelled: when asked to.
        """
        request: Message = {"id": document_id, "suffix": suffix, "address": address}
        if recognising:
            request["recognised"] = None
        answer = self._ask(request, data, cancelled or _never)
        if scanned := answer.get("scanned"):
            request["recognised"] = self._recognised(scanned, suffix, data, cancelled or _never)
            answer = self._ask(request, data, cancelled or _never)
        return _document(answer["document"])

    def _recognised(
        self, pages: Sequence[int], suffix: str, data: bytes, cancelled: Callable[[], bool]
    ) -> dict[str, Any]:
        """The lines of these pages.

        Raises:
            Unreadable: when not one of the pages could be looked at.
        """
        lines, last = {}, None
        for page in pages[:PAGES_LIMIT]:  # no child keeps us busy for longer
            try:
                request = {"recognise": page, "suffix": suffix}
                lines[str(page)] = self._ask(request, data, cancelled)["lines"]
            except Unreadable as error:
                last = error
        if last and not lines:
            raise last
        return lines

    def pages(self, data: bytes, address: str) -> list[str]:
        """The pages of a feed, as `feed.pages` finds them in the child; raises as `read` does."""
        return [str(page) for page in self._ask({"feed": address}, data, _never)["pages"]]

    def draw(self, data: bytes, page: int, quote: str, before: str) -> PagePicture:
        """A page of a PDF, as `pdf.picture.draw` makes it in the child; raises as `read` does."""
        answer = self._ask({"page": page, "quote": quote, "before": before}, data, _never)
        values = answer["picture"]
        boxes = tuple((box[0], box[1], box[2], box[3]) for box in values.pop("boxes"))
        return PagePicture(b64decode(values.pop("png")), **values, boxes=boxes)

    def _ask(self, request: Message, data: bytes, cancelled: Callable[[], bool]) -> Message:
        """What the child answers to a request about a file's bytes."""
        with self._lock:
            done = False
            try:
                child = self._ready()
                child.send(request, data)
                answer = self._answer(child, cancelled)
                done = True
            finally:
                if not done:  # also at Ctrl-C: what it still writes belongs to no question
                    self._drop()
            self._read += 1
            if self._read >= self._limits.files or answer.get("last"):
                self._drop()
        if "reason" in answer:
            kind = Wordless if answer.get("wordless") else Unreadable
            raise kind(str(answer["reason"]))
        return answer

    def confinement(self) -> Confinement:
        """What the child is shut out from: it tries to open a file of ours and a socket.

        Raises:
            Unreadable: when the child fails.
        """
        with self._lock, TemporaryDirectory(prefix="pilcrow-") as folder:
            file = Path(folder, "file")
            file.touch()
            child = self._ready()
            child.send({"try": str(file)})
            answer = self._answer(child, _never)
        return Confinement(bool(answer["files"]), bool(answer["network"]))

    def start(self) -> None:
        """Start the child ahead of the first file, which then need not wait for it."""
        if self._lock.acquire(blocking=False):  # else it is at work
            try:
                with suppress(OSError):  # then the first file says why
                    self._ready()
            finally:
                self._lock.release()

    def close(self) -> None:
        """End the child; the next file starts another."""
        with self._lock:
            self._drop()

    def _ready(self) -> WorkerProcess:
        if self._child is not None and not self._child.alive:
            self._drop()  # it died between two files, or this process is a fork of its owner
        if self._child is None:
            limits = json.dumps(asdict(self._limits))
            self._child = WorkerProcess(
                self._worker,
                [limits],
                longest=_LINE,
                environment=_ONE_THREAD,
                inherited=LOCALE_AND_LOADER,
            )
            self._read = 0
        return self._child

    def _drop(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None

    def _answer(self, child: WorkerProcess, cancelled: Callable[[], bool]) -> Message:
        # the child has an alarm of its own, set when it begins to read; this is for one that cannot
        # hear it, and leaves a busy machine the time to start the process
        end = time.monotonic() + self._limits.wall + _STARTING
        while time.monotonic() < end:
            try:
                return child.receive(_POLL)
            except Empty:
                if cancelled():
                    raise Cancelled from None
            except WorkerExited as gone:
                raise Unreadable(self._why(gone)) from None
        raise Unreadable(self._timed_out())

    def _why(self, gone: WorkerExited) -> str:
        """What the end of the child says about the file."""
        how = str(gone)
        if how.endswith("SIGXCPU"):
            return f"timed out: more than {self._limits.processor} s of processor time"
        if how.endswith("SIGALRM"):
            return self._timed_out()
        if "MemoryError" in gone.last_words or "bad_alloc" in gone.last_words:
            return out_of_memory(self._limits.memory)
        if how.endswith(_CRASHES):
            return f"unreadable: its reader crashed ({how.rsplit(' ', 1)[-1]})"
        return f"unreadable: its reader failed ({how})"

    def _timed_out(self) -> str:
        return f"timed out: not read within {self._limits.wall} s"


def out_of_memory(limit: int) -> str:
    """What to say of a file whose reader wanted more memory than it may have."""
    return f"too big: reading it takes more than {limit / 1e9:.1f} GB of memory"


def packed_picture(picture: PagePicture) -> dict[str, Any]:
    """A picture as JSON values; `Sandbox.draw` makes it a picture again."""
    return {**asdict(picture), "png": b64encode(picture.png).decode()}


def packed(document: Document) -> dict[str, Any]:
    """A document as JSON values; `Sandbox.read` makes it a document again."""
    return asdict(document)


def _document(values: dict[str, Any]) -> Document:
    boilerplate = tuple(Span(span["start"], span["end"]) for span in values.pop("boilerplate"))
    tags, aliases = tuple(values.pop("tags")), tuple(values.pop("aliases"))
    pages = tuple(Page(**{**page, "box": tuple(page["box"])}) for page in values.pop("pages"))
    headings = tuple(Heading(**heading) for heading in values.pop("headings"))
    return Document(
        **values, boilerplate=boilerplate, tags=tags, aliases=aliases, pages=pages,
        headings=headings,
    )  # fmt: skip


def _never() -> bool:
    return False
