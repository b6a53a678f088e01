"""Plain text and Markdown files as documents."""

from __future__ import annotations

from index.formats import front_matter
from index.formats.base import Unreadable
from index.formats.decoding import decode, sniff
from index.types import Document


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
        document_id,
        front.title,
        text,
        front.source,
        front.author,
        front.date,
        front.boilerplate,
        front.tags,
        front.aliases,
        front.description,
        front.written_in,
        headings=front.headings,
    )
