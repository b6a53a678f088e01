"""Word files as documents."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from index.formats.base import TITLE, completed, damaged, joined, rebuilt
from index.formats.bylines import clean
from index.formats.office.archive import opened
from index.formats.plain.rows import spoken
from index.types import Document

if TYPE_CHECKING:
    from docx.document import Document as WordFile


def docx(document_id: str, data: bytes) -> Document:
    """A Word document: its paragraphs and tables, its title, author and date.

    The author and date that the text states come before those of the file's properties, which
    are often the person and the day of the last conversion.
    """
    with opened(data, "Word file", "word/"):
        pass
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


def _word_blocks(file: WordFile) -> Iterator[tuple[str, str]]:
    """Text and, for a heading, its style's name."""
    from docx.text.paragraph import Paragraph

    for item in file.iter_inner_content():
        if isinstance(item, Paragraph):
            style = (item.style.name if item.style else "") or ""
            heading = style.startswith("Heading") or style in ("Title", "Subtitle")
            yield item.text, style if heading else ""
            continue
        # a merged cell is listed once for every column it spans
        rows = (
            [" ".join(cell.text.split()) for cell in {id(c._tc): c for c in row.cells}.values()]
            for row in item.rows
        )
        yield from ((row, "") for row in spoken(rows))
