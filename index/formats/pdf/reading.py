"""A PDF's bytes → its document, with the page each part stands on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from index.formats.base import Unreadable, completed, damaged, rebuilt
from index.formats.bylines import clean
from index.formats.dates import parse_date
from index.formats.decoding import sniff
from index.formats.pdf import columns, paragraphs
from index.formats.pdf.page_text import PageText
from index.types import Document, Heading, Page

PAGE_LIMIT = 2_000
"""Pages: more than this is better split by hand."""


def read(document_id: str, data: bytes) -> Document:
    """The document in a PDF's text layer, with the title, author and date it states."""
    try:
        with opened(data) as pdf:
            if len(pdf) > PAGE_LIMIT:
                raise Unreadable(f"too many pages: {len(pdf)}, limit {PAGE_LIMIT}")
            pages = [_lines(pdf, index) for index in range(len(pdf))]
            labels = [clean(pdf.get_page_label(index), 20) for index in range(len(pdf))]
            title, author, date = _properties(pdf.get_metadata_dict())
    except Unreadable:
        raise
    except Exception as error:
        raise damaged("PDF", error) from error
    text, starts, placed = paragraphs.joined(paragraphs.blocks(paragraphs.without_running(pages)))
    if not any(char.isalnum() for char in text):
        raise Unreadable("no text layer (a scan? run text recognition on it first)")
    headings = [Heading(at, block.level, block.text) for at, block in placed if block.level]
    document = rebuilt(
        document_id,
        text,
        headings,
        title=title,
        pages=[Page(at, number, labels[number - 1] or str(number)) for at, number in starts],
    )
    return completed(document, author=author, date=date)


@contextmanager
def opened(data: bytes) -> Iterator[Any]:
    """A PDF, opened without a password.

    Raises:
        Unreadable: when it is none, damaged or locked.
    """
    if b"%PDF-" not in data[:1024]:
        raise Unreadable(f"not a PDF ({sniff(data) or 'damaged, or another format'})")
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable("password protected") from error
        if "security" in str(error).lower():
            raise Unreadable("encrypted: save a copy without protection") from error
        raise damaged("PDF", error) from error
    with closing(pdf):
        yield pdf


def _lines(pdf: Any, index: int) -> list[columns.Line]:
    """The lines of one page; a damaged one has none."""
    import pypdfium2

    try:
        page = pdf[index]
    except pypdfium2.PdfiumError:
        return []
    with closing(page), closing(PageText(page)) as text:
        return columns.lines(text.fragments())


_NOBODY = ("anonymous", "unspecified", "unknown")
_FILE_TITLE = re.compile(
    r"untitled.*|\(?anonymous\)?|document\s?\d*|microsoft \w+ -.*|(?:slide|layout|page) \d+|"
    r".*\.(?:docx?|pdf|indd|tex|dvi|rtf|odt|pptx?|qxd|html?|ps)",
    re.IGNORECASE,
)


def _properties(stated: Mapping[str, str]) -> tuple[str, str, str]:
    """Title, author and date of the file's properties; a title that is a file name is none."""
    title, author, made = (
        clean(str(stated.get(key) or "")) for key in ("Title", "Author", "CreationDate")
    )
    day = re.match(r"D:(\d{4})(\d\d)(\d\d)", made)
    return (
        "" if _FILE_TITLE.fullmatch(title) else title,
        "" if author.strip("()").lower() in _NOBODY else author,
        parse_date("-".join(day.groups())) if day else "",
    )
