"""Word files as documents."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from index.formats.base import TITLE, Unreadable, completed, damaged, joined, rebuilt
from index.formats.bylines import clean
from index.formats.decoding import sniff
from index.types import Document

if TYPE_CHECKING:
    from docx.document import Document as WordFile


UNZIPPED_LIMIT = 100_000_000
"""Bytes a .docx may hold unpacked: python-docx takes several times as much memory."""


RATIO_LIMIT = 200
"""Unpacked to packed: ordinary documents stay below 30, bombs begin at several hundred."""


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
    text, headings = joined((text, _level(style)) for text, style in blocks)
    styled = next((text for text, style in blocks if style == "Title" and text.strip()), "")
    document = rebuilt(document_id, text, headings, title=clean(styled or title))
    return completed(document, author=author, date=when)


def _level(style: str) -> int:
    """The rank of a heading by its style's name; 0 for prose."""
    if style in ("Title", "Subtitle"):
        return TITLE
    if not style.startswith("Heading"):
        return 0
    number = style.removeprefix("Heading").strip()
    return min(int(number), 6) if number.isdigit() and int(number) else 1


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
