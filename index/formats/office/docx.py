"""Word files as documents."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from index.formats.base import TITLE, Unreadable, completed, damaged, joined, rebuilt
from index.formats.bylines import clean
from index.formats.office.archive import opened
from index.formats.pictures import image
from index.formats.pictures.recognition import EXTRA, NOTHING, Recognised, Scanned
from index.formats.plain.rows import spoken
from index.types import Document, Page

_NOTES = ("footnote", "endnote")
_PICTURES = ("image/png", "image/jpeg", "image/tiff")
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
"""Where the same text box stands once more, for old readers."""

if TYPE_CHECKING:
    from docx.document import Document as WordFile


def docx(document_id: str, data: bytes, recognised: Recognised | None = NOTHING) -> Document:
    """A Word document: its paragraphs, tables, text boxes and notes, its title, author and date.

    The author and date that the text states come before those of the file's properties, which
    are often the person and the day of the last conversion.

    Args:
        document_id: what the document will be called.
        data: the whole file.
        recognised: the lines of its pictures, where it has nothing else; None when they are yet to
            be recognised.

    Raises:
        Scanned: then.
        Unreadable: with the reason.
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
    if not any(char.isalnum() for text, _ in blocks for char in text) and (scans := _scans(file)):
        scanned = _of_scans(document_id, scans, recognised)
        return completed(scanned, author=author, date=when)
    text, headings = joined((text, _level(style)) for text, style in blocks)
    styled = next((text for text, style in blocks if style == "Title" and text.strip()), "")
    document = rebuilt(document_id, text, headings, title=clean(styled or title))
    return completed(document, author=author, date=when)


def picture(data: bytes, number: int) -> bytes:
    """A picture of a Word file of nothing but pictures, by its number from 1."""
    import docx as word

    return _scans(word.Document(io.BytesIO(data)))[number - 1]


def _scans(file: WordFile) -> list[bytes]:
    """The pictures of a file, in the order of its text."""
    from docx.oxml.ns import qn

    names = (blip.get(qn("r:embed")) for blip in file.element.body.iter(qn("a:blip")))
    parts = (file.part.related_parts.get(name) for name in names)
    return [part.blob for part in parts if part is not None and part.content_type in _PICTURES]


def _of_scans(document_id: str, scans: Sequence[bytes], recognised: Recognised | None) -> Document:
    """The document in a file's pictures; which of them a line stands in nobody could show."""
    if recognised is None:
        raise Scanned(range(1, len(scans) + 1))
    if not recognised:
        raise Unreadable(f"no text, only pictures: {EXTRA}")
    document = image.of_pages(document_id, (image.page(scan, 1).size for scan in scans), recognised)
    lines = (Page(page.start, 0, "", "", page.recognised) for page in document.pages)
    return replace(document, pages=tuple(lines))


def _level(style: str) -> int:
    """The rank of a heading by its style's name; 0 for prose."""
    if style in ("Title", "Subtitle"):
        return TITLE
    if not style.startswith("Heading"):
        return 0
    number = style.removeprefix("Heading").strip()
    return min(int(number), 6) if number.isdigit() and int(number) else 1


def _word_blocks(file: WordFile) -> Iterator[tuple[str, str]]:
    """Text and, for a heading, its style's name; text boxes and notes after what they hang on."""
    from docx.oxml.ns import qn
    from docx.text.paragraph import Paragraph

    notes = _notes(file)
    boxed = any(True for _ in file.element.body.iter(qn("w:txbxContent")))
    aside = _aside if notes or boxed else lambda *_: ()
    style_names = _style_names(file)
    for item in file.iter_inner_content():
        if isinstance(item, Paragraph):
            style = style_names(item._p.style or "")
            heading = style.startswith("Heading") or style in ("Title", "Subtitle")
            yield item.text, style if heading else ""
            yield from ((text, "") for text in aside(item._p, notes))
            continue
        # a merged cell is listed once for every column it spans
        rows = (
            [" ".join(cell.text.split()) for cell in {id(c._tc): c for c in row.cells}.values()]
            for row in item.rows
        )
        yield from ((row, "") for row in spoken(rows))
        yield from ((text, "") for text in aside(item._tbl, notes))


def _style_names(file: WordFile) -> Callable[[str], str]:
    """Tells a style's name by its id; empty for an unknown one.

    Asked for paragraph by paragraph, the library looks through all styles each time; of hundreds a
    file uses few.
    """
    from docx.styles.style import StyleFactory

    elements = {element.styleId: element for element in file.styles.element.style_lst}

    @cache
    def name(style: str) -> str:
        element = elements.get(style)
        return "" if element is None else StyleFactory(element).name or ""

    return name


def _aside(block: Any, notes: dict[tuple[str, str], list[str]]) -> Iterator[str]:
    """The paragraphs of what hangs on a block: its text boxes, then the notes it names first.

    Args:
        block: the element of a paragraph or table.
        notes: those that were not read yet, by what names them; each is taken out when it is read.
    """
    from docx.oxml.ns import qn

    for box in block.iter(qn("w:txbxContent")):
        if not any(above.tag == _FALLBACK for above in box.iterancestors()):
            yield from (paragraph.text for paragraph in box.findall(qn("w:p")))
    for named in block.iter(*(qn(f"w:{kind}Reference") for kind in _NOTES)):
        yield from notes.pop((named.tag, named.get(qn("w:id"))), ())


def _notes(file: WordFile) -> dict[tuple[str, str], list[str]]:
    """The paragraphs of footnotes and endnotes, by the tag and the number that name each."""
    from docx.oxml import parse_xml
    from docx.oxml.ns import qn

    found = {}
    for kind in _NOTES:
        for relation in file.part.rels.values():
            if relation.is_external or not relation.reltype.endswith(f"/{kind}s"):
                continue
            for note in parse_xml(relation.target_part.blob).iter(qn(f"w:{kind}")):
                paragraphs = [paragraph.text for paragraph in note.iter(qn("w:p"))]
                found[qn(f"w:{kind}Reference"), note.get(qn("w:id"))] = paragraphs
    return found
