"""OpenDocument texts and presentations (ODT, ODP) as documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from index.formats.base import Block, completed, joined, paged, rebuilt
from index.formats.bylines import clean
from index.formats.office.archive import local, opened, stated, value, xml
from index.formats.plain.rows import spoken
from index.types import Document

_UNREAD = ("tracked-changes", "annotation", "note-citation", "table-of-content", "settings")
_REPEATED = 50
"""Times that a cell may say it is repeated, and is: a row's end may say so a thousand times."""


def odt(document_id: str, data: bytes) -> Document:
    """A text: paragraphs, headings, footnotes and rows of tables."""
    with opened(data, "OpenDocument text", "content.xml") as archive:
        blocks = list(_blocks(xml(archive, "content.xml")))
        facts = stated(archive, "meta.xml")
    text, headings = joined(blocks)
    return _with(facts, rebuilt(document_id, text, headings, title=clean(facts.get("title", ""))))


def odp(document_id: str, data: bytes) -> Document:
    """A presentation: what stands on its slides and in their notes."""
    with opened(data, "OpenDocument presentation", "content.xml") as archive:
        root = xml(archive, "content.xml")
        slides = [e for e in root.iter() if local(e) == "page" and "drawing" in e.tag]
        blocks = [(n, block) for n, slide in enumerate(slides, start=1) for block in _blocks(slide)]
        facts = stated(archive, "meta.xml")
    text, headings, pages = paged(blocks, "slide")
    title = clean(facts.get("title", ""))
    return _with(facts, rebuilt(document_id, text, headings, title=title, pages=pages))


def _with(facts: dict[str, str], document: Document) -> Document:
    author = facts.get("initial-creator", "") or facts.get("creator", "")
    date = facts.get("creation-date", "") or facts.get("date", "")
    return completed(document, author=author, date=date[:10])


def _blocks(root: Any) -> Iterator[Block]:
    """What is to be read below an element, without recursion over the whole file."""
    todo = [root]
    while todo:
        element = todo.pop()
        name = local(element)
        if name in _UNREAD:
            continue
        if name == "h":
            level = value(element, "outline-level")
            yield _text(element), min(int(level), 6) if level.isdigit() and int(level) else 1
        elif name == "p":
            yield _text(element), 0
            todo += reversed([e for e in element.iter() if local(e) in ("note-body", "text-box")])
        elif name == "table":
            rows = (_row(row) for row in element.iter() if local(row) == "table-row")
            yield from ((row, 0) for row in spoken(rows))
        else:
            todo += reversed(element)


def _row(row: Any) -> list[str]:
    cells: list[str] = []
    for cell in row:
        if local(cell) in ("table-cell", "covered-table-cell"):
            times = value(cell, "number-columns-repeated")
            count = int(times) if times.isdigit() else 1
            cells += [_text(cell)] * min(count, _REPEATED)
    return cells


def _text(element: Any) -> str:
    """The words of an element, but for notes and boxes in it, which are paragraphs of their own."""
    parts = [element.text or ""]
    for child in element:
        name = local(child)
        if name in ("tab", "s"):
            parts.append(" ")
        elif name == "line-break":
            parts.append("\n")
        elif name not in (*_UNREAD, "note", "text-box", "frame", ""):
            parts.append(_text(child) + (" " if name == "p" else ""))
        parts.append(child.tail or "")
    return "".join(parts)
