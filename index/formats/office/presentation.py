"""PowerPoint files as documents: a slide is a place, its title a heading."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from index.formats.base import Block, completed, paged, rebuilt
from index.formats.bylines import clean
from index.formats.office.archive import local, opened, stated, value, xml
from index.formats.plain.rows import spoken
from index.types import Document


def pptx(document_id: str, data: bytes) -> Document:
    """A presentation: what stands on its slides and in their notes."""
    with opened(data, "presentation", "ppt/") as archive:
        blocks = [
            (number, block)
            for number, slide in enumerate(_slides(archive), start=1)
            for block in _blocks(archive, slide)
        ]
        facts = stated(archive, "docProps/core.xml")
    text, headings, pages = paged(blocks, "slide")
    made = rebuilt(document_id, text, headings, title=clean(facts.get("title", "")), pages=pages)
    return completed(made, author=facts.get("creator", ""), date=facts.get("created", "")[:10])


def _slides(archive: zipfile.ZipFile) -> list[str]:
    """The slides' names in their order."""
    targets = dict(_targets(archive, "ppt/presentation.xml"))
    ids = [
        element for element in xml(archive, "ppt/presentation.xml").iter()
        if local(element) == "sldId"
    ]  # fmt: skip
    return [targets[id_] for e in ids if (id_ := _relation(e)) in targets]


def _relation(element: Any) -> str:
    """The id of what an element points at."""
    named = (v for key, v in element.attrib.items() if key.endswith("relationships}id"))
    return next(named, "")


def _targets(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, str]]:
    folder, file = posixpath.split(name)
    relations = f"{folder}/_rels/{file}.rels"
    if relations not in archive.namelist():
        return
    for element in xml(archive, relations):
        target = posixpath.normpath(posixpath.join(folder, value(element, "Target")))
        if target.lstrip("/") in archive.namelist():
            yield value(element, "Id"), target.lstrip("/")


def _blocks(archive: zipfile.ZipFile, slide: str) -> Iterator[Block]:
    yield from _shapes(xml(archive, slide))
    for _, target in _targets(archive, slide):
        if re.search(r"notesSlide\d+\.xml$", target):
            yield from _shapes(xml(archive, target), notes=True)


def _shapes(root: Any, notes: bool = False) -> Iterator[Block]:
    for shape in root.iter():
        if local(shape) == "graphicFrame":
            for table in (e for e in shape.iter() if local(e) == "tbl"):
                rows = ([_text(cell) for cell in row if local(cell) == "tc"]
                        for row in table if local(row) == "tr")  # fmt: skip
                yield from ((row, 0) for row in spoken(rows))
        elif local(shape) == "sp":
            kind = next((value(e, "type") for e in shape.iter() if local(e) == "ph"), "")
            if kind in ("sldNum", "dt", "ftr", "sldImg"):
                continue
            title = kind in ("title", "ctrTitle") and not notes
            for paragraph in (e for e in shape.iter() if local(e) == "p"):
                yield _text(paragraph), 1 if title else 0


def _text(element: Any) -> str:
    parts = []
    for inner in element.iter():
        if local(inner) == "t":
            parts.append(inner.text or "")
        elif local(inner) in ("br", "p") and parts:
            parts.append(" ")
    return "".join(parts)
