"""EPUB books as documents: chapters in the order of the spine."""

from __future__ import annotations

import posixpath
import zipfile
from urllib.parse import unquote

from index.formats.base import Block, Unreadable, completed, paged, rebuilt
from index.formats.bylines import clean
from index.formats.decoding import decode
from index.formats.office.archive import local, opened, stated, value, xml
from index.formats.web.html import all_blocks
from index.types import Document


def read(document_id: str, data: bytes) -> Document:
    """A book: its chapters' text, with title, author and date of its own catalogue card."""
    with opened(data, "book", "META-INF/container.xml") as archive:
        if "META-INF/rights.xml" in archive.namelist():
            raise Unreadable("protected against copying (DRM)")
        package = next(
            value(e, "full-path") for e in xml(archive, "META-INF/container.xml").iter()
            if local(e) == "rootfile"
        )  # fmt: skip
        facts = stated(archive, package)
        chapters = [
            list(all_blocks(decode(archive.read(name)))) for name in _spine(archive, package)
        ]
    filled = [chapter for chapter in chapters if any(text.strip() for text, _ in chapter)]
    blocks: list[tuple[int, Block]] = [
        (number, block) for number, chapter in enumerate(filled, start=1) for block in chapter
    ]
    text, headings, starts = paged(blocks, "chapter")
    made = rebuilt(
        document_id, text, headings, title=clean(facts.get("title", "")), pages=starts,
        source=clean(facts.get("publisher", "")),
    )  # fmt: skip
    return completed(made, author=facts.get("creator", ""), date=facts.get("date", "")[:10])


def _spine(archive: zipfile.ZipFile, package: str) -> list[str]:
    """The names of the chapters in the order in which they are read."""
    root, folder = xml(archive, package), posixpath.dirname(package)
    items = {value(e, "id"): unquote(value(e, "href")) for e in root.iter() if local(e) == "item"}
    wanted = [value(e, "idref") for e in root.iter() if local(e) == "itemref"]
    names = (
        posixpath.normpath(posixpath.join(folder, items[id_])) for id_ in wanted if id_ in items
    )
    return [name for name in names if name in archive.namelist()]
