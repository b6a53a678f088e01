"""A PDF's bytes → its document, with the page each part stands on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from index.formats.base import Unreadable, completed, damaged, rebuilt
from index.formats.bylines import clean
from index.formats.dates import parse_date
from index.formats.decoding import sniff
from index.formats.pdf import paragraphs, tables
from index.formats.pdf.columns import Line
from index.formats.pdf.page_text import PageText
from index.formats.pictures.recognition import (
    EXTRA,
    NOTHING,
    PAGES_LIMIT,
    SIDE,
    Recognised,
    Scanned,
    fragments,
    usual_height,
)
from index.types import Document, Heading, Page

PAGE_LIMIT = 2_000
"""Pages: more than this is better split by hand."""


def read(document_id: str, data: bytes, recognised: Recognised | None = NOTHING) -> Document:
    """The document in a PDF's text layer, with the title, author and date it states.

    Args:
        document_id: what the document will be called.
        data: the whole file.
        recognised: the lines of pages without a text layer, as far as they were recognised; None
            when these pages are to be recognised first.

    Raises:
        Scanned: then, if there are any.
        Unreadable: with the reason.
    """
    try:
        with opened(data) as pdf:
            if len(pdf) > PAGE_LIMIT:
                raise Unreadable(f"too many pages: {len(pdf)}, limit {PAGE_LIMIT}")
            known = recognised or NOTHING
            usual = usual_height(known)
            pages = [_lines(pdf, index, known, usual) for index in range(len(pdf))]
            if recognised is None:
                _ask_for([n for n in _without(pages) if _is_scan(pdf, n)], len(pages))
            labels = [clean(pdf.get_page_label(index), 20) for index in range(len(pdf))]
            title, author, date = _properties(pdf.get_metadata_dict())
    except (Unreadable, Scanned):
        raise
    except Exception as error:
        raise damaged("PDF", error) from error
    document = laid_out(document_id, pages, labels, title)
    return completed(document, author=author, date=date)


def laid_out(
    document_id: str, pages: Sequence[list[Line]], labels: Sequence[str], title: str = ""
) -> Document:
    """The document that the lines of its pages make.

    Raises:
        Unreadable: when there is no word in them.
    """
    text, starts, placed = paragraphs.joined(paragraphs.blocks(paragraphs.without_running(pages)))
    if not any(char.isalnum() for char in text):
        raise Unreadable(f"no text layer (a scan?): {EXTRA}")
    headings = [Heading(at, block.level, block.text) for at, block in placed if block.level]
    return rebuilt(
        document_id,
        text,
        headings,
        title=title,
        pages=[
            Page(at, of.page, labels[of.page - 1] or str(of.page), "page", of.recognised, of.box)
            for at, of in starts
        ],
    )


def _without(pages: Sequence[Sequence[Line]]) -> list[int]:
    """The numbers of the pages without text."""
    return [number for number, lines in enumerate(pages, start=1) if not lines]


def _is_scan(pdf: Any, number: int) -> bool:
    """Whether there is a picture on a page."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        page = pdf[number - 1]
    except pypdfium2.PdfiumError:
        return False
    with closing(page):
        return any(True for _ in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE]))


def _ask_for(scans: Sequence[int], pages: int) -> None:
    """Ends reading where pages are to be recognised first.

    Raises:
        Scanned: then.
        Unreadable: when these are all pages, and too many.
    """
    if len(scans) > PAGES_LIMIT:
        if len(scans) == pages:
            raise Unreadable(f"too many scanned pages: {pages}, limit {PAGES_LIMIT}")
    elif scans:
        raise Scanned(scans)


def image_of(data: bytes, number: int) -> Any:
    """A page as a picture in which text is recognised.

    Raises:
        Unreadable: with the reason.
    """
    with opened(data) as pdf, closing(pdf[number - 1]) as page:
        return page.render(scale=SIDE / max(page.get_size())).to_pil()


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


def _lines(pdf: Any, index: int, recognised: Recognised, usual: float) -> list[Line]:
    """The lines of one page; a damaged one has none."""
    import pypdfium2

    try:
        page = pdf[index]
    except pypdfium2.PdfiumError:
        return []
    with closing(page):
        if lines := recognised.get(index + 1):
            width, height = page.get_size()
            return tables.lines(fragments(lines, width, height, usual))
        with closing(PageText(page)) as text:
            return tables.lines(text.fragments())


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
