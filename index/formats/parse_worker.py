"""What the sandbox's process does: `index.formats.sandbox` starts it, nobody else needs it."""

from __future__ import annotations

import json
import signal
import socket
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from index.formats.base import Unreadable, Wordless
from index.formats.pdf import picture
from index.formats.pictures.recognition import RecognisedLine, Scanned, unpacked
from index.formats.sandbox import Limits, out_of_memory, packed, packed_picture
from index.languages import word_lists
from index.system.confinement import Confinement, confine
from index.system.subprocesses import Message, WorkerChannel
from index.types import Document

_REQUEST = 100_000_000  # bytes: above `documents.SIZE_LIMIT`
# Where a system keeps what every program reads: shared libraries, time zones, names of file types.
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store", "/etc/ld.so.cache",
    "/usr/share/zoneinfo", "/etc/localtime", "/etc/mime.types",
)  # fmt: skip

Read = Callable[..., Document]
"""`registry.read_here`: id, bytes and suffix, and where there are any the recognised lines."""
Pages = Callable[[bytes, str], Sequence[str]]
"""`registry.pages_here`: bytes of a feed and where it was fetched from."""
Recognise = Callable[[bytes, str, int], Sequence[RecognisedLine]]
"""`registry.recognise_here`: bytes, suffix and the number of a page."""


def main(arguments: Sequence[str]) -> None:
    """Read files with the readers of `index.formats.registry` until the parent is gone."""
    from index.formats.registry import pages_here, read_here, recognise_here

    word_lists.load()  # there are no files to read from here on
    serve(read_here, Limits(**json.loads(arguments[0])), recognise_here, pages_here)


def serve(
    read: Read, limits: Limits, recognise: Recognise = lambda *_: [], pages: Pages = lambda *_: []
) -> None:
    """Answer each request with a document, recognised lines, a feed's pages, or a reason."""
    parent = WorkerChannel(_REQUEST)
    _bound(limits)
    confine(_readable())
    inbox = parent.inbox()
    last = False
    while not last:
        request, data = inbox.get()
        if "try" in request:
            parent.send(asdict(_confinement(Path(request["try"]))))
            continue
        _wind_up(limits)
        work = partial(_done, read, recognise, pages, request, data, limits)
        answer = _answer(work, limits)
        last = bool(answer.get("last"))
        parent.send(answer)


def _answer(work: Callable[[], Message], limits: Limits) -> Message:
    try:
        return work()
    except Scanned as found:
        return {"scanned": list(found.pages)}
    except Unreadable as error:
        return {"reason": error.reason, "wordless": isinstance(error, Wordless)}
    except MemoryError:  # what is left of memory is not enough for the next file
        return {"reason": out_of_memory(limits.memory), "last": True}
    except Exception as error:  # parsers fail in every way there is; the build goes on
        detail = next(iter(str(error).splitlines()), "")
        reason = f"unreadable: its reader failed ({type(error).__name__}: {detail})"
        return {"reason": Unreadable(reason).reason}


def _done(
    read: Read,
    recognise: Recognise,
    pages: Pages,
    request: Message,
    data: bytes,
    limits: Limits,
) -> Message:
    """What a request asks for: a picture or the lines of a page, a feed's pages, or a document."""
    if "page" in request:
        page = picture.draw(data, request["page"], request["quote"], request["before"])
        return {"picture": packed_picture(page)}
    if "recognise" in request:
        lines = recognise(data, request["suffix"], request["recognise"])
        return {"lines": [asdict(line) for line in lines]}
    if "feed" in request:
        return {"pages": list(pages(data, request["feed"]))}
    more = {"recognised": unpacked(request["recognised"])} if "recognised" in request else {}
    if request.get("address"):
        more["address"] = request["address"]
    document = read(request["id"], data, request["suffix"], **more)
    if len(document.text) > limits.text:
        size = f"{len(document.text) / 1e6:.0f} million characters of text"
        return {"reason": f"too big: {size}, limit {limits.text / 1e6:.0f} million"}
    return {"document": packed(document)}


def _confinement(file: Path) -> Confinement:
    """What this process is shut out from, tried out."""
    return Confinement(
        files=_refused(lambda: file.open("rb").close()),
        network=_refused(lambda: socket.socket().close()),
    )


def _refused(deed: Callable[[], None]) -> bool:
    try:
        deed()
    except PermissionError:
        return True
    return False


def _readable() -> Iterator[Path]:
    """The parsers, the interpreter and what both need of the system. Nothing of the person's.

    Not the folder that we were imported from: in a checkout it holds the library. What a reader
    needs of ours is imported when this is called.
    """
    yield from map(Path, _SYSTEM)
    for prefix in {sys.prefix, sys.base_prefix, sys.base_exec_prefix}:
        yield Path(prefix) / "lib"
    yield from (Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
    for folder in map(Path, sys.path):
        if folder.suffix == ".zip" or any(folder.glob("*.dist-info")):
            yield folder


def _bound(limits: Limits) -> None:
    """Limits for good: memory, and no file is written. Windows has none of these."""
    try:
        import resource
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _wind_up(limits: Limits) -> None:
    """Limits for the next file. The kernel keeps them, whatever a parser is stuck in."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    most = int(used.ru_utime + used.ru_stime) + limits.processor + 1
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (most, hard))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.wall)
