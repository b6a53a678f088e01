"""Lines of many pages → paragraphs: running heads out, words made whole, pages joined.

A PDF has lines on pages, no paragraphs. What goes on is joined, over columns and pages too; what
stands at the edge of page after page, and footnotes inside a sentence, do not interrupt it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from index.formats.bylines import ends_sentence
from index.formats.pdf.columns import Line

_PAGE_NUMBER = re.compile(
    r"[-–—|\s]*(?:(?:page|seite|p\.)\s*)?(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of|von)\s*\d{1,4})?"
    r"[-–—|\s]*",
    re.IGNORECASE,
)
_EDGE_ROWS = 3
"""Rows at the top and at the bottom of a page that may be running heads and feet."""
_COMPOUND = re.compile(r"\w+(?:-\w+)+")
_ITEM = re.compile(r"[•▪●◦‣–]\s|\(?\d{1,2}[.)]\s|\d{1,2}(?:\.\d{1,2})+\.?\s")
_NOTE = re.compile(r"[*†‡]|\[?\d{1,3}\]?[.)]?\s?\D")
_HEADING_LETTERS = 150
_CJK_EDGE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef\u3000-\u303f]")


@dataclass(frozen=True, slots=True)
class Place:
    """A page, or a recognised line of one."""

    page: int
    recognised: float = 0.0
    box: tuple[float, ...] = ()
    """As in `index.types.Page`."""


@dataclass(slots=True)
class Block:
    """A paragraph in the making."""

    level: int = 0
    """1 for a heading of the first rank; 0 for prose."""
    places: list[tuple[int, Place]] = field(default_factory=list)
    """Where in the text each page, or recognised line, begins."""
    parts: list[str] = field(default_factory=list)
    length: int = 0
    last: Line | None = None

    @property
    def text(self) -> str:
        """The whole paragraph."""
        return "".join(self.parts)

    def add(self, line: Line, page: int, compounds: Collection[str]) -> None:
        """Put a line to the end: a word in two is made whole."""
        more = line.text
        if self.parts:
            end = self.parts[-1]
            if end.endswith("-") and more[:1].islower():
                # `self-` `evident` keeps its hyphen if the text writes `self-evident` in a line.
                broken = _COMPOUND.match(end.rsplit(None, 1)[-1].lstrip("(\"'“‘") + more)
                if broken is None or broken[0] not in compounds:
                    self.parts[-1] = end[:-1]
                    self.length -= 1
            elif not (_CJK_EDGE.match(end[-1]) and _CJK_EDGE.match(more)):
                more = f" {more}"
        place = Place(page, line.recognised, line.shares)
        if not self.places or self.places[-1][1] != place:
            self.places.append((self.length + len(more) - len(line.text), place))
        self.parts.append(more)
        self.length += len(more)
        self.last = line


def without_running(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """The pages without page numbers and without what comes again at their edges."""
    if len(pages) < 2:
        return [list(page) for page in pages]
    edges = [(_edge(page, 1), _edge(page, -1)) for page in pages]
    forms = Counter(
        form for sides in edges for form in {_form(line) for side in sides for line in side}
    )
    often = max(2 if len(pages) == 2 else 3, len(pages) / 10)  # heads change with the chapter
    kept = []
    for page, sides in zip(pages, edges, strict=True):
        gone: set[int] = set()
        for side in sides:
            for line, inner in pairwise([*side, None]):  # from the edge inwards
                assert line is not None
                number = _PAGE_NUMBER.fullmatch(line.text) is not None
                enough = often if _stands_off(line, inner) else max(3, 0.9 * len(pages))
                if not number and forms[_form(line)] < enough:
                    break
                gone.add(id(line))
        kept.append([line for line in page if id(line) not in gone])
    return kept


def _edge(page: Sequence[Line], sign: int) -> list[Line]:
    """The outermost lines of a page at its top (1) or its bottom (-1)."""
    rows = sorted(page, key=lambda line: sign * (line.box.top + line.box.bottom))
    return rows[: _EDGE_ROWS + 1]


def _stands_off(line: Line, inner: Line | None) -> bool:
    """Whether there is room between a line at the edge and the next one."""
    if inner is None:
        return False
    gap = max(line.box.top, inner.box.top) - min(line.box.bottom, inner.box.bottom)
    return gap > 0.5 * line.box.height


def _form(line: Line) -> tuple[str, int]:
    """A line but for its numbers, which count the pages, and about where it stands."""
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", line.text), round(line.box.top / 8)


class _Measures:
    """What is usual in a document."""

    def __init__(self, pages: Sequence[Sequence[Line]]) -> None:
        every = [line for page in pages for line in page]
        weighed = Counter[float]()
        bold = 0
        for line in every:
            weighed[line.size] += len(line.text)
            bold += len(line.text) if line.bold else 0
        self.size = max(weighed, key=lambda size: (weighed[size], size)) if weighed else 0.0
        self.bold = 2 * bold > sum(weighed.values())
        gaps = [
            below.box.top - above.box.top
            for page in pages
            for above, below in pairwise(page)
            if above.column == below.column and above.size == below.size == self.size
            and below.box.top > above.box.top
        ]  # fmt: skip
        self.step = median(gaps) if gaps else 1.2 * self.size
        hyphened = (line.text for line in every if "-" in line.text)
        self.compounds = {word for text in hyphened for word in _COMPOUND.findall(text)}
        larger = {size for size in weighed if size > 1.08 * self.size}
        self.ranks = {size: rank for rank, size in enumerate(sorted(larger, reverse=True), 1)}


def blocks(pages: Sequence[Sequence[Line]]) -> list[Block]:
    """The paragraphs, headings and rows of a document in order; `pages` without running heads."""
    usual = _Measures(pages)
    made: list[Block] = []
    held: list[Block] = []  # footnotes, until the paragraph that they interrupt has ended
    for number, page in enumerate(pages, start=1):
        body, notes = _parted(page, usual)
        for line in body:
            last = made[-1].last if made else None
            if last is None or _begins(line, made[-1], last, usual):
                made += held
                held = []
                made.append(Block(_level(line, usual)))
            made[-1].add(line, number, usual.compounds)
        for line in notes:
            if not held or _begins_note(line):
                held.append(Block())
            held[-1].add(line, number, usual.compounds)
    for block in made:
        if block.length > 2 * _HEADING_LETTERS:  # a text in large letters is no heading
            block.level = 0
    return [*made, *held]


def _parted(page: Sequence[Line], usual: _Measures) -> tuple[list[Line], list[Line]]:
    """A page's body and the footnotes at its bottom: smaller, below all else, with their mark."""
    small = [line for line in page if line.size < 0.93 * usual.size and line.cells == 1]
    if not small:
        return list(page), []
    lowest = max((line.box.bottom for line in page if line.size >= usual.size), default=0.0)
    below = [line for line in small if line.box.top >= lowest - 1]
    if not below or not _begins_note(below[0]):
        return list(page), []
    marked = {id(line) for line in below}
    return [line for line in page if id(line) not in marked], below


def _begins_note(line: Line) -> bool:
    return _NOTE.match(line.text) is not None


def _level(line: Line, usual: _Measures) -> int:
    """The rank of the heading that a line begins; 0 when it is none."""
    if line.cells > 1 or len(line.text) > _HEADING_LETTERS or _ITEM.fullmatch(line.text):
        return 0
    if line.text.endswith((".", ",", ";")) and not line.text.endswith("..."):
        return 0
    if not any(char.isalpha() for char in line.text):
        return 0
    if rank := usual.ranks.get(line.size):
        return min(rank, 6)
    narrow = line.box.width < 0.9 * line.column.width or len(line.text) < 60
    return min(len(usual.ranks) + 1, 6) if line.bold and not usual.bold and narrow else 0


def _begins(line: Line, block: Block, last: Line, usual: _Measures) -> bool:
    """Whether a line begins a new paragraph after the line `last`."""
    level = _level(line, usual)
    if line.cells > 1 or last.cells > 1:
        return True
    if level != block.level:
        return True
    if abs(line.size - last.size) > 0.12 * max(last.size, 1.0):
        return True
    near = line.column == last.column and 0 < line.box.top - last.box.top < 3 * usual.step
    if near and line.box.top - last.box.top > usual.step + 0.45 * line.size:
        return True
    if level:
        return not near
    if _ITEM.match(line.text):
        return True
    if line.text[:1].islower() or last.text.endswith("-"):
        return False
    if near and _indented(line) and not _indented(last) and not _ITEM.match(block.parts[0]):
        return True
    short = _short(last)
    if ends_sentence(last.text) or last.text.endswith(("?", ":")):
        return short > 0.12 or (not near and not _is_full(last))
    return short > 0.4  # a line of a list or of an address


def _indented(line: Line) -> bool:
    """Whether a line begins further in than its column."""
    if line.parts[0].right_to_left:
        return line.column.right - line.box.right > 0.6 * line.size
    return line.box.left - line.column.left > 0.6 * line.size


def _short(line: Line) -> float:
    """The share of its column that a line leaves free at its end."""
    if line.parts[0].right_to_left:
        left = line.box.left - line.column.left
    else:
        left = line.column.right - line.box.right
    return left / max(line.column.width, 1.0)


def _is_full(line: Line) -> bool:
    return _short(line) < 0.03


def joined(parts: Sequence[Block]) -> tuple[str, list[tuple[int, Place]], list[tuple[int, Block]]]:
    """The text of all blocks, where in it which page begins, and where each block does."""
    texts: list[str] = []
    places: list[tuple[int, Place]] = []
    starts: list[tuple[int, Block]] = []
    at = 0
    for block in parts:
        starts.append((at, block))
        for offset, place in block.places:
            if not places or places[-1][1] != place:
                places.append((at + offset, place))
        texts.append(block.text)
        at += block.length + 2
    return "\n\n".join(texts), places, starts
