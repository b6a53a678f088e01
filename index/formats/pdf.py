"""PDF → `Document`: the text layer as paragraphs.

A PDF has lines on pages, no paragraphs. Lines that clearly go on are joined, words split at a
line's end are made whole, running heads and page numbers are dropped. Scans have no text layer
and are refused.
"""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from index.formats.base import Unreadable, completed, damaged, joined, rebuilt, tidy
from index.formats.bylines import clean, ends_sentence
from index.formats.dates import parse_date
from index.formats.decoding import sniff
from index.types import Document

if TYPE_CHECKING:
    from pypdf import PdfReader

PAGE_LIMIT = 2_000
"""Pages: a book is read in a minute or so; more than this is better split by hand."""


def read(document_id: str, data: bytes) -> Document:
    """The document in a PDF's text layer, with the title, author and date it states."""
    if b"%PDF-" not in data[:1024]:
        raise Unreadable(f"not a PDF ({sniff(data) or 'damaged, or another format'})")
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    # pypdf repairs much and says so on stderr, line by line.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("password protected")
        if len(reader.pages) > PAGE_LIMIT:
            raise Unreadable(f"too many pages: {len(reader.pages)}, limit {PAGE_LIMIT}")
        pages = [list(_lines(page.extract_text())) for page in reader.pages]
        title, author, date = _properties(reader)
    except Unreadable:
        raise
    except DependencyError as error:
        raise Unreadable("encrypted (AES): save a copy without protection") from error
    except Exception as error:
        raise damaged("PDF", error) from error
    # Twice: a running head and a page number may stand one above the other.
    text, _ = joined(
        (paragraph, False) for paragraph in _paragraphs(_without_running(_without_running(pages)))
    )
    if not any(char.isalnum() for char in text):
        raise Unreadable("no text layer (a scan? run text recognition on it first)")
    return completed(rebuilt(document_id, text, [], title=title), author=author, date=date)


def _lines(page: str) -> Iterator[str]:
    return filter(None, tidy(page).split("\n"))


_FILE_TITLE = re.compile(
    r"untitled.*|document\s?\d*|microsoft \w+ -.*|(?:slide|layout|page) \d+|"
    r".*\.(?:docx?|pdf|indd|tex|dvi|rtf|odt|pptx?|qxd|html?|ps)",
    re.IGNORECASE,
)


def _properties(reader: PdfReader) -> tuple[str, str, str]:
    """Title, author and date of the file's properties; a title that is a file name is none."""
    stated: Mapping[str, object] = reader.metadata or {}
    title, author, made = (
        clean(str(stated.get(key) or "")) for key in ("/Title", "/Author", "/CreationDate")
    )
    day = re.match(r"D:(\d{4})(\d\d)(\d\d)", made)
    return (
        "" if _FILE_TITLE.fullmatch(title) else title,
        author,
        parse_date("-".join(day.groups())) if day else "",
    )


_PAGE_NUMBER = re.compile(r"[-–—|\s]*(?:page\s+)?\d{1,4}(?:\s*(?:/|of)\s*\d{1,4})?[-–—|\s]*", re.I)


def _without_running(pages: list[list[str]]) -> list[list[str]]:
    """The pages without their outermost lines that are page numbers or come again and again."""
    if len(pages) < 2:
        return pages
    edges = Counter(form for lines in pages for form in {_form(line) for line in _edges(lines)})
    often = max(3, len(pages) / 10)  # heads change with the chapter

    def runs(line: str) -> bool:
        return edges[_form(line)] >= often or _PAGE_NUMBER.fullmatch(line) is not None

    kept = []
    for lines in pages:
        first = bool(lines) and runs(lines[0])
        last = len(lines) > first and runs(lines[-1])
        kept.append(lines[first : len(lines) - last])
    return kept


def _edges(lines: list[str]) -> list[str]:
    return [lines[0], lines[-1]] if lines else []


def _form(line: str) -> str:
    """A line but for its numbers, which count the pages."""
    return re.sub(r"\d+", "#", line)


_COMPOUND = re.compile(r"\w+(?:-\w+)+")
_ITEM = re.compile(r"[•▪●◦‣–]\s|\(?\d{1,2}[.)]\s|\d{1,2}(?:\.\d{1,2})+\.?\s")


def _paragraphs(pages: list[list[str]]) -> Iterator[str]:
    """Lines joined as far as they clearly go on, over page ends too."""
    everything = [line for lines in pages for line in lines]
    compounds = {word for line in everything for word in _COMPOUND.findall(line)}
    # What counts as a full line: nine in ten are as long as this or shorter.
    width = sorted(map(len, everything))[9 * (len(everything) - 1) // 10] if everything else 0
    paragraph = last = ""
    for line in everything:
        if paragraph and _begins(line, last, width):
            yield paragraph
            paragraph = ""
        paragraph = _continued(paragraph, line, compounds)
        last = line
    yield paragraph


def _begins(line: str, last: str, width: int) -> bool:
    """Whether a line begins a new paragraph after the line `last`."""
    if _ITEM.match(line):
        return True
    if line[:1].islower():
        return False
    if ends_sentence(last) or last.endswith(("?", ":")):
        return len(last) < 0.85 * width
    return len(last) < 0.6 * width  # a heading, or a line of a list


def _continued(paragraph: str, line: str, compounds: set[str]) -> str:
    if not paragraph:
        return line
    if paragraph.endswith("-") and line[:1].islower():
        # `self-` `evident` keeps its hyphen if the text writes `self-evident` within a line.
        broken = _COMPOUND.match(paragraph.rsplit(None, 1)[-1].lstrip("(\"'“‘") + line)
        keeps = broken is not None and broken[0] in compounds
        return paragraph + line if keeps else paragraph[:-1] + line
    return f"{paragraph} {line}"
