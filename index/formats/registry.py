"""A file → a `Document`: finding files, reading their bytes, choosing the reader.

Whatever is wrong with one file becomes `Unreadable` with a reason in one line; the caller lists
it and goes on. Everything is read in a process of its own (`sandbox.py`) but short plain text: what
that costs its length bounds, and most libraries hold nothing else.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from index.formats import base
from index.formats.base import NO_WORDS, Unreadable, Wordless
from index.formats.office import docx, opendocument, presentation, rtf, sheets
from index.formats.pdf import reading as pdf
from index.formats.pictures import image, recognition, wordless
from index.formats.plain import delimited, json_values, marked, notebook, subtitles, text
from index.formats.sandbox import Sandbox
from index.formats.web import epub, feed, html, mail
from index.system import files
from index.system.roots import why
from index.types import Document, PagePicture

__all__ = [
    "KINDS",
    "SIZE_LIMIT",
    "SUFFIXES",
    "SUFFIXES_IN_WORDS",
    "Unreadable",
    "Wordless",
    "draw_page",
    "edition",
    "expect_pages",
    "feed_pages",
    "has_pictures",
    "is_article",
    "is_hidden",
    "no_article",
    "pages_here",
    "parse",
    "read_bytes",
    "read_here",
    "readable",
    "recognise_here",
    "safe_name",
    "suffixes",
    "visible",
    "walk",
]

SIZE_LIMIT = 50_000_000
"""Bytes of one file."""

_READERS: dict[str, base.Parser] = {
    ".txt": text.plain,
    ".text": text.plain,
    ".md": text.markdown,
    ".markdown": text.markdown,
    ".html": html.read,
    ".htm": html.read,
    ".pdf": pdf.read,
    ".docx": docx.docx,
    ".odt": opendocument.odt,
    ".rtf": rtf.read,
    ".epub": epub.read,
    ".pptx": presentation.pptx,
    ".odp": opendocument.odp,
    ".xlsx": sheets.read,
    ".xls": sheets.read,
    ".ods": sheets.read,
    ".csv": delimited.read,
    ".tsv": delimited.read,
    ".json": json_values.read,
    ".jsonl": json_values.read_lines,
    ".ipynb": notebook.read,
    ".eml": mail.eml,
    ".mbox": mail.mbox,
    ".msg": mail.msg,
    ".srt": subtitles.read,
    ".vtt": subtitles.read,
    ".rst": marked.rst,
    ".org": marked.org,
    ".adoc": marked.adoc,
    ".tex": marked.tex,
    ".xhtml": html.read,
}
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
"""Endings that are read where text recognition is installed, the extra `ocr`."""
PLUG_INS = "pilcrow.formats"
"""The entry points by which another package adds a format: `.suffix = "package.module:reader"`."""
SUFFIXES = tuple(_READERS)
"""File name endings that are read, in lower case: the page, uploads and the help read them here."""
_IN_ORDER = list(_READERS.values())
KINDS = tuple(s for i, s in enumerate(SUFFIXES) if _IN_ORDER.index(_READERS[s]) == i)
"""One ending for each kind of file that is read, the first of those that mean the same."""
SUFFIXES_IN_WORDS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
_SCANS = {".pdf": pdf.read, **dict.fromkeys(PICTURES, image.read)}
"""Readers of files whose pages may be pictures of text."""
_HOLDERS = {".eml": mail.eml, ".msg": mail.msg, ".docx": docx.docx}
"""Readers of files that may hold pictures of text: attached ones, or nothing else."""
_EDITIONS = dict.fromkeys((".md", ".markdown"), 3)
_EDITIONS |= dict.fromkeys((".pdf", ".docx", ".html", ".htm", ".xhtml"), 4)
"""Raised when a format's reader finds more in the same file: files are read again by the next
update, and what says the same is not embedded again. That of the others is 2, since titles and
dates are known in other languages."""
_PLAIN = (".txt", ".text", ".md", ".markdown")
_WEB_PAGES = (".html", ".htm", ".xhtml")
_SHORT = 64_000
"""Bytes of plain text that are read in this very process, in some milliseconds."""
_WORD = re.compile(r"[^\W_]")
# One process for all who read in this one; it is started by the first file that is not short text.
_SANDBOX = Sandbox()
_PICTURES = Sandbox()

OnError = Callable[[Path, str], None]
Ignored = Callable[[Path, bool], bool]
"""Whether a path is to be passed over; the second value says whether it is a folder."""
Lister = Callable[[Path], Iterable[Path]]
"""What is in a folder."""


def parse(
    document_id: str,
    data: bytes,
    suffix: str,
    *,
    address: str = "",
    cancelled: Callable[[], bool] | None = None,
    sandbox: Sandbox = _SANDBOX,
) -> Document:
    """The document in a file's bytes.

    Args:
        document_id: what the document will be called.
        data: the whole file.
        suffix: the file name's ending with its dot, in any case; it decides how data is read.
        address: of the web page that it is a copy of.
        cancelled: asked while a file that is not short plain text is read.
        sandbox: where such files are read.

    Raises:
        Wordless: when it is a picture without words.
        Unreadable: with the reason, when there is no text worth indexing.
        Cancelled: when `cancelled` said True.
    """
    kind = suffix.lower()
    if not readable(kind):
        raise Unreadable(no_article(suffix))
    if not data or data.isspace():
        raise Unreadable("empty file")
    if kind in _PLAIN and len(data) <= _SHORT:
        document = read_here(document_id, data, kind, address=address)
    else:
        recognising = (kind in _SCANS or kind in _HOLDERS) and recognition.is_available()
        if kind in PICTURES and wordless.is_remembered(data):
            raise Wordless(NO_WORDS)
        try:
            document = sandbox.read(
                document_id, data, kind, cancelled, recognising=recognising, address=address
            )
        except Wordless:
            wordless.remember(data)
            raise
    if _WORD.search(document.text) is None:
        raise Unreadable("no words in it" if document.text.strip() else "empty: no text in it")
    return document


def feed_pages(data: bytes, address: str) -> list[str]:
    """The addresses of the pages that an RSS or Atom feed lists, read in the sandbox.

    Raises:
        Unreadable: with the reason.
    """
    return _SANDBOX.pages(data, address)


def draw_page(data: bytes, page: int, quote: str = "", before: str = "") -> PagePicture:
    """The picture of a page of a PDF, drawn in a sandbox of its own: reading goes on beside it.

    Args:
        data: the whole file.
        page: counted from 1.
        quote: text of the document on this page, which is boxed.
        before: the text of this page up to there.

    Raises:
        Unreadable: with the reason.
    """
    return _PICTURES.draw(data, page, quote, before)


def expect_pages(sandbox: Sandbox = _PICTURES) -> None:
    """Start what draws pages, since one may be asked for soon: it takes a second to be there."""
    sandbox.start()


def is_article(path: Path) -> bool:
    """Whether a file's name ends like one that is read."""
    return readable(path.suffix)


def readable(suffix: str) -> bool:
    """Whether files with this ending are read, by us or by a plug-in."""
    kind = suffix.lower()
    if kind in PICTURES:
        return recognition.is_available()
    return kind in _READERS or kind in _plug_ins()


def suffixes() -> tuple[str, ...]:
    """File name endings that are read here and now, but for those of plug-ins."""
    return SUFFIXES + (PICTURES if recognition.is_available() else ())


def has_pictures(suffix: str) -> bool:
    """Whether files with this ending have pages that can be shown."""
    return suffix.lower() in _SCANS


@cache
def _plug_ins() -> dict[str, EntryPoint]:
    """The readers that other packages add, by ending; none takes the place of ours."""
    found = {f".{point.name.lstrip('.').lower()}": point for point in entry_points(group=PLUG_INS)}
    return {suffix: point for suffix, point in found.items() if suffix not in _READERS}


def edition(path: Path) -> int:
    """Which edition of its reader reads a file."""
    kind = path.suffix.lower()
    may_scan = kind in (".pdf", ".eml", ".msg")
    return _EDITIONS.get(kind, 2) + (may_scan and recognition.is_available())


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is passed over for its name."""
    return path.name.startswith((".", "~$"))


def no_article(suffix: str) -> str:
    """Why a file with such an ending is not read."""
    if suffix.lower() in PICTURES:
        return f"a picture: {recognition.EXTRA}"
    return f"unknown suffix {suffix!r}" if suffix else f"no suffix; known: {', '.join(SUFFIXES)}"


def read_here(
    document_id: str,
    data: bytes,
    suffix: str,
    recognised: recognition.Recognised | None = recognition.NOTHING,
    address: str = "",
) -> Document:
    """The document in a file's bytes, read in this very process: for `parse` and its sandbox.

    Args:
        document_id: what the document will be called.
        data: the whole file.
        suffix: an ending that is `readable`.
        recognised: what was recognised on its pages; None when that is to be done first.
        address: of the web page that it is a copy of; it is its source.

    Raises:
        Scanned: then, when there is something to recognise.
        Unreadable: with the reason.
    """
    if address and suffix in _WEB_PAGES:
        return html.read(document_id, data, address)
    if reads := _SCANS.get(suffix) or _HOLDERS.get(suffix):
        document = reads(document_id, data, recognised)
    else:
        reader: base.Parser = _READERS.get(suffix) or _plug_ins()[suffix].load()
        document = reader(document_id, data)
    return replace(document, source=address) if address else document


pages_here = feed.pages
"""The addresses of the pages in a feed, read in this very process: for the sandbox."""


def recognise_here(data: bytes, suffix: str, page: int) -> list[recognition.RecognisedLine]:
    """The lines of text in the picture that a page of a file is, for the sandbox."""
    if suffix == ".docx":
        data, suffix, page = docx.picture(data, page), "", 1
    elif suffix in _HOLDERS:
        data, suffix, page = mail.scan(data, suffix, page)
    shown = pdf.image_of(data, page) if suffix == ".pdf" else image.page(data, page)
    return recognition.lines_in(shown)


def read_bytes(path: Path) -> bytes:
    """All bytes of a regular file of at most `SIZE_LIMIT` bytes.

    Raises:
        Unreadable: no such file, no permission, too big, or not a regular file. Pipes, sockets and
            devices are never opened: that could wait for ever or have effects.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable("not a regular file")
        # If a pipe has taken the file's place since, opening must not wait for its other end.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123  (a descriptor, no path)
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("not a regular file")
            # A file that is being written may have grown since: the limit counts what is read.
            data = file.read(SIZE_LIMIT + 1) if status.st_size <= SIZE_LIMIT else b""
    except (OSError, ValueError) as error:
        raise Unreadable(why(error)) from error
    size = max(len(data), status.st_size)
    if size > SIZE_LIMIT:
        raise Unreadable(f"too big: {size / 1e6:.0f} MB, limit {SIZE_LIMIT / 1e6:.0f} MB")
    return data


def walk(folder: Path, *, onerror: OnError | None = None) -> Iterator[tuple[str, Path]]:
    """The files in a folder and below that can be read, as (id, path), sorted by id.

    The id is the path relative to the folder, with forward slashes, always valid Unicode.

    Args:
        folder: where to look.
        onerror: as in `visible`.
    """
    for path in visible(folder, onerror=onerror):
        if is_article(path):
            yield safe_name(path.relative_to(folder).as_posix()), path


def visible(
    folder: Path,
    *,
    onerror: OnError | None = None,
    lister: Lister = Path.iterdir,
    ignored: Ignored = lambda path, is_folder: False,
) -> Iterator[Path]:
    """The regular files in a folder and below, of any kind, in the order of their parts.

    Hidden files and folders are passed over, so are pipes and devices, links that lead out of the
    folder, and libraries of Pilcrow's. Linked folders are not entered: what they hold inside the
    folder is found in its own place, and no loop can arise.

    Args:
        folder: where to look.
        onerror: told of each folder that cannot be listed, each file that cannot be seen and each
            broken link, with the reason. What is under such a path may well be there.
        lister: lists a folder.
        ignored: asked of everything below `folder`; what it says True to is passed over whole.
    """
    root = Path(os.path.realpath(folder))
    report = onerror or (lambda path, reason: None)
    todo = [(folder, stat.S_IFDIR)]
    while todo:
        path, mode = todo.pop()
        try:
            if stat.S_ISDIR(mode):
                inside = _inside(path, report, lister)
                todo += reversed([at for at in inside if not ignored(at[0], stat.S_ISDIR(at[1]))])
            elif stat.S_ISREG(mode):
                yield path
            elif stat.S_ISLNK(mode):
                target = path.resolve(strict=True)
                if target.is_relative_to(root) and target.is_file():
                    yield path
        except FileNotFoundError:
            report(path, "broken link" if stat.S_ISLNK(mode) else "no such file or folder")
        except (OSError, RuntimeError) as error:  # Python 3.11 tells link loops by RuntimeError
            report(path, why(error))


def safe_name(name: str) -> str:
    """A file's name as valid Unicode: bytes that are no UTF-8 are written out in hex."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _inside(folder: Path, report: OnError, lister: Lister) -> list[tuple[Path, int]]:
    """What is in a folder, each with its mode, in order; nothing of a library's own."""
    names = [entry for entry in lister(folder) if not is_hidden(entry)]
    if files.is_library(folder):
        return []
    modes: dict[Path, int] = {}
    unseen: dict[Path, str] = {}
    for entry in names:
        try:
            modes[entry] = entry.lstat().st_mode
        except FileNotFoundError:  # it has gone meanwhile
            continue
        except OSError as error:
            unseen[entry] = why(error)
    if unseen and not modes:  # the folder itself is closed
        unseen = {folder: next(iter(unseen.values()))}
    for path, reason in unseen.items():
        report(path, reason)
    return sorted(modes.items(), key=lambda entry: entry[0].name + "/" * stat.S_ISDIR(entry[1]))
