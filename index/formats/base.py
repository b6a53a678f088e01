"""One reader per file format: bytes → `Document`.

`.txt` and `.md` keep their text exactly, so that offsets are the file's. From the others the text
is rebuilt, one paragraph per block, and what cannot be seen (Unicode tags, direction overrides,
control characters) is left out. Web pages and PDF have rooms of their own.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from index.formats import encodings, front_matter
from index.formats.bylines import clean, parse_date
from index.types import Document, Span

if TYPE_CHECKING:
    from docx.document import Document as WordFile

UNZIPPED_LIMIT = 100_000_000
"""Bytes a .docx may hold unpacked: python-docx takes several times as much memory."""
RATIO_LIMIT = 200
"""Unpacked to packed: ordinary documents stay below 30, bombs begin at several hundred."""


class Unreadable(Exception):
    """A file that cannot become a document; `reason` says why in one line."""

    def __init__(self, reason: str) -> None:
        self.reason = clean(reason)
        super().__init__(self.reason)


def damaged(kind: str, error: Exception) -> Unreadable:
    """What to say when a parser gives up: the parsers' own errors are of every type there is.

    Raises:
        MemoryError: when it is one; how much there was to have is known elsewhere.
    """
    if isinstance(error, MemoryError):
        raise error
    detail = next(iter(str(error).splitlines()), "")
    return Unreadable(f"damaged {kind}: {detail or type(error).__name__}")


_MAGIC = (
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a zip archive or office file"),
    (b"\xd0\xcf\x11\xe0", "an old office file"),
    (b"{\\rtf", "an RTF file"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
)


def sniff(data: bytes) -> str:
    """What the first bytes say the file is, empty when they say nothing."""
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    opening = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return "an HTML page" if opening.startswith((b"<!doctype html", b"<html")) else ""


# ---------------------------------------------------------------- bytes → text

BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Guessing an encoding needs some text, not all of 50 MB.
_SAMPLE = 100_000
_ENOUGH = 24
"""Bytes beyond ASCII, without which a detector only guesses."""


def decode(data: bytes) -> str:
    """The text of some bytes: line ends as line feeds, no byte-order mark, nothing else changed.

    UTF-8 first, else what the byte-order mark says, else a guess, if there is a good one.

    Raises:
        Unreadable: binary data, or text in no encoding we know, or in any of several.
    """
    text = _decoded(data)
    # Form feeds, tabs and terminal escapes do occur in text; these hardly ever.
    odd = len(re.findall(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]", text))
    if "\x00" in text or odd > max(8, len(text) // 50):
        raise Unreadable("not text (binary)")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str:
    encoding = next((name for bom, name in BOMS if data.startswith(bom)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
    wrong = text.count("\ufffd")
    right = len(text) - len(text.encode("ascii", "ignore")) - wrong
    if encoding != "utf-8" or wrong * 10 <= right:
        return _mostly(text)  # UTF after all, with some bytes damaged
    if b"\x00" in data:
        raise Unreadable("not text (binary)")
    guess = _guess(data)
    if guess is None:
        raise Unreadable("not text (binary, or an unknown encoding)")
    return _mostly(data.decode(guess, "replace"))


def _mostly(text: str) -> str:
    if text.count("\ufffd") > max(8, len(text) // 100):
        raise Unreadable("not text (too many bytes that no encoding explains)")
    return text


def _guess(data: bytes) -> str | None:
    """The most likely encoding of bytes that are not UTF-8.

    Raises:
        Unreadable: when several are as likely: wrong letters would be worse.
    """
    unclear = Unreadable("its encoding is unclear; save it as UTF-8, then add it again")
    try:
        if found := encodings.latin(data):
            return found
    except encodings.Unclear:
        raise unclear from None
    from charset_normalizer import from_bytes

    sample = data[:_SAMPLE]
    best = from_bytes(sample).best()
    if best is None:
        return None
    # of a few letters it is no judge, nor of Latin ones; these with some Chinese are another matter
    text = str(best)
    few = sum(byte > 127 for byte in sample) < _ENOUGH
    if few or (encodings.is_latin(text) and not any(c >= "\u2e80" for c in text)):
        raise unclear
    return best.encoding


# Never drawn, so a reader would not see what the model reads: tags, direction overrides, controls.
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u202a-\\u202e\\u2066-\\u2069\\ufeff"
    "\\U000e0000-\\U000e007f]"
)


def tidy(text: str) -> str:
    """A block of rebuilt text: unseen characters out, white space single, line breaks kept."""
    text = _UNSEEN.sub("", text.replace("\r", "\n")).encode("utf-8", "replace").decode()
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


Reader = Callable[[str, bytes], Document]
"""A format's reader: document id and the file's bytes in, `Unreadable` if it must."""
Block = tuple[str, bool]
"""A paragraph's text, and whether it is a heading."""


def joined(blocks: Iterable[Block]) -> tuple[str, list[Span]]:
    """Blocks as one text, parted by blank lines, and where its headings are."""
    parts: list[str] = []
    headings: list[Span] = []
    at = 0
    for text, is_heading in blocks:
        if text := tidy(text):
            parts.append(text)
            if is_heading:
                headings.append(Span(at, at + len(text)))
            at += len(text) + 2
    return "\n\n".join(parts), headings


def rebuilt(
    document_id: str,
    text: str,
    headings: list[Span],
    *,
    title: str = "",
    source: str = "",
    author: str = "",
    date: str = "",
) -> Document:
    """A document from what its format states, completed by what its text states."""
    if not title and headings and headings[0].start == 0:
        title = text[: headings[0].end]
    front = front_matter.read(text, title=title, furniture=headings)
    return Document(
        document_id,
        front.title,
        text,
        source or front.source,
        author or front.author,
        date or front.date,
        front.furniture,
    )


def completed(document: Document, *, author: str, date: str) -> Document:
    """The document with the author and date of its file, where its text states none."""
    return replace(
        document, author=document.author or clean(author), date=document.date or parse_date(date)
    )


# ---------------------------------------------------------------- .txt and .md


def plain(document_id: str, data: bytes) -> Document:
    """A text file; its text is the decoded file."""
    return _text(document_id, data, markdown=False)


def markdown(document_id: str, data: bytes) -> Document:
    """A Markdown file; its text is the decoded file, marks and all."""
    return _text(document_id, data, markdown=True)


def _text(document_id: str, data: bytes, *, markdown: bool) -> Document:
    kind = sniff(data)
    if kind and kind != "an HTML page":
        raise Unreadable(f"not text ({kind})")
    text = decode(data)
    front = front_matter.read(text, markdown=markdown)
    return Document(
        document_id, front.title, text, front.source, front.author, front.date, front.furniture
    )


# ---------------------------------------------------------------- .docx


def docx(document_id: str, data: bytes) -> Document:
    """A Word document: its paragraphs and tables, its title, author and date.

    The author and date that the text states come before those of the file's properties, which
    are often the person and the day of the last conversion.
    """
    _check_zip(data)
    import docx as word

    try:
        file = word.Document(io.BytesIO(data))
        blocks = list(_word_blocks(file))
        properties = file.core_properties
        title, author = properties.title or "", properties.author or ""
        when = properties.created.date().isoformat() if properties.created else ""
    except Exception as error:
        raise damaged("Word file", error) from error
    if author == "python-docx":  # the library's template: neither its name nor its date is stated
        author = when = ""
    text, headings = joined((text, bool(style)) for text, style in blocks)
    styled = next((text for text, style in blocks if style == "Title" and text.strip()), "")
    document = rebuilt(document_id, text, headings, title=clean(styled or title))
    return completed(document, author=author, date=when)


def _check_zip(data: bytes) -> None:
    """Refuse what is no .docx, and bombs, before anything is unpacked."""
    kind = sniff(data)
    if kind == "an old office file":
        raise Unreadable("password protected, or an old .doc file: save it as .docx")
    if not data.startswith(b"PK\x03\x04"):
        raise Unreadable(f"not a Word file ({kind or 'damaged, or another format'})")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise damaged("Word file", error) from error
    size = sum(entry.file_size for entry in entries)
    if size > UNZIPPED_LIMIT:
        limit = f"{size / 1e6:.0f} MB, limit {UNZIPPED_LIMIT / 1e6:.0f} MB"
        raise Unreadable(f"too big when unpacked: {limit}")
    if size > RATIO_LIMIT * len(data):
        raise Unreadable(f"suspicious: unpacks to {size // len(data)} times its size")
    names = {entry.filename for entry in entries}
    if "[Content_Types].xml" not in names:
        raise Unreadable("not a Word file (a zip archive)")
    if not any(name.startswith("word/") for name in names):
        raise Unreadable("not a Word file (another office format)")


def _word_blocks(file: WordFile) -> Iterator[tuple[str, str]]:
    """Text and, for a heading, its style's name."""
    from docx.text.paragraph import Paragraph

    for item in file.iter_inner_content():
        if isinstance(item, Paragraph):
            style = (item.style.name if item.style else "") or ""
            heading = style.startswith("Heading") or style in ("Title", "Subtitle")
            yield item.text, style if heading else ""
            continue
        rows = []
        for row in item.rows:
            # a merged cell is listed once for every column it spans
            cells = {id(cell._tc): " ".join(cell.text.split()) for cell in row.cells}
            rows.append(" | ".join(text for text in cells.values() if text))
        yield "\n".join(rows), ""
