"""Fragments of one page → its lines in reading order: columns one after the other.

A gutter is a strip that (nearly) no fragment crosses, with lines of text on both sides. What
crosses it (a title, a wide figure) parts the columns above from those below. Cells of a table
are too short to be columns; they are joined to rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

from index.formats.pdf.page_text import Box, Fragment, around

_CELLS = " | "
_DEPTH = 3
"""Eight columns at most."""
_SIDE_LINES = 4
"""Lines that stand at least on each side of a gutter."""
_SIDE_LETTERS = 14
"""Letters of the middle one of them: cells are shorter."""
_CROSSING = 0.25
"""Share of the fragments that may cross it."""
_WIDTH = 5.0
"""Points that it is wide at least."""


Piece = Fragment | str
"""A part of the page, or signs that are put between."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a column, or a row of a table."""

    text: str
    box: Box
    column: Box
    """What all lines of its column take up."""
    cells: int
    """1 for a line of prose."""
    bold: bool
    size: float
    """The height of its letters, to the nearest half point."""
    parts: tuple[Fragment, ...]
    pieces: tuple[Piece, ...] = ()
    """What the text is made of, where that is more than the parts: a row with its header."""

    @property
    def recognised(self) -> float:
        """How sure recognition was of its least sure part; 0 for the page's own text."""
        return min(part.recognised for part in self.parts)

    @property
    def shares(self) -> tuple[float, ...]:
        """Where it was recognised; empty for the page's own text."""
        boxes = [part.shares for part in self.parts if part.shares]
        if not boxes:
            return ()
        left, top = (min(box[axis] for box in boxes) for axis in (0, 1))
        right, bottom = (max(box[axis] + box[axis + 2] for box in boxes) for axis in (0, 1))
        return left, top, round(right - left, 4), round(bottom - top, 4)


def lines(fragments: Sequence[Fragment]) -> list[Line]:
    """The lines of a page in the order in which they are read."""
    return _ordered(sorted(fragments, key=lambda part: part.box.top), 0)


def _ordered(fragments: Sequence[Fragment], depth: int) -> list[Line]:
    gutter = _gutter(fragments) if depth < _DEPTH else None
    if gutter is None:
        return _rows(fragments)
    found: list[Line] = []
    band: list[Fragment] = []
    wide: list[Fragment] = []
    for part in fragments:  # from top to bottom
        if part.box.left < gutter < part.box.right:
            found += _sides(band, gutter, depth)
            band = []
            wide.append(part)
        else:
            if wide and not _beside(part, wide):
                found += _rows(wide)
                wide = []
            band.append(part)
    return [*found, *_rows(wide), *_sides(band, gutter, depth)]


def _beside(part: Fragment, wide: Sequence[Fragment]) -> bool:
    """Whether it stands in the row of what crosses the gutter."""
    return part.box.top + part.box.height / 2 < max(other.box.bottom for other in wide)


def _sides(band: Sequence[Fragment], gutter: float, depth: int) -> list[Line]:
    left = [part for part in band if part.box.right <= gutter]
    right = [part for part in band if part.box.right > gutter]
    sides = (right, left) if _from_the_right(band) else (left, right)
    return [line for side in sides if side for line in _ordered(side, depth + 1)]


def _gutter(fragments: Sequence[Fragment]) -> float | None:
    """The middle of the strip that parts two columns of text; None when there is none."""
    if len(fragments) < 2 * _SIDE_LINES:
        return None
    every = around([part.box for part in fragments])
    steps = int(every.width) + 2
    change = [0] * (steps + 1)
    for part in fragments:
        change[int(part.box.left - every.left)] += 1
        change[min(int(part.box.right - every.left) + 1, steps)] -= 1
    covered = list(accumulate(change))[:steps]
    first, last = int(0.15 * steps), int(0.85 * steps)
    best: tuple[int, float, float] | None = None
    at = first
    while at < last:
        end = at
        while end < last and covered[end] == covered[at]:
            end += 1
        if end - at >= _WIDTH and covered[at] <= _CROSSING * len(fragments):
            middle = every.left + (at + end) / 2
            candidate = (covered[at], at - end, middle)
            if (best is None or candidate < best) and _parts_text(fragments, middle):
                best = candidate
        at = max(end, at + 1)
    return best[2] if best else None


def _parts_text(fragments: Sequence[Fragment], at: float) -> bool:
    """Whether lines of text stand on both sides of a place, beside each other."""
    left = [part for part in fragments if part.box.right <= at]
    right = [part for part in fragments if part.box.left >= at]
    if min(len(left), len(right)) < _SIDE_LINES:
        return False
    if any(median(len(p.text) for p in side) < _SIDE_LETTERS for side in (left, right)):
        return False
    a, b = around([p.box for p in left]), around([p.box for p in right])
    shared = min(a.bottom, b.bottom) - max(a.top, b.top)
    return shared > 0.3 * min(a.height, b.height)


def _rows(fragments: Sequence[Fragment]) -> list[Line]:
    """Fragments beside each other joined to one line, from top to bottom."""
    if not fragments:
        return []
    column = around([part.box for part in fragments])
    rows: list[list[Fragment]] = []
    for part in sorted(fragments, key=lambda part: (part.box.top + part.box.bottom) / 2):
        middle = (part.box.top + part.box.bottom) / 2
        if rows and middle < rows[-1][0].box.bottom - 0.25 * rows[-1][0].box.height:
            rows[-1].append(part)
        else:
            rows.append([part])
    return [_line(row, column) for row in rows]


def _line(row: Sequence[Fragment], column: Box) -> Line:
    reverse = _from_the_right(row)
    parts = sorted(row, key=lambda p: -p.box.right if reverse else p.box.left)
    cells = cells_of(parts)
    text = _CELLS.join(" ".join(part.text for part in cell) for cell in cells)
    box = around([part.box for part in parts])
    bold = all(part.bold for part in parts)
    size = round(2 * min(part.box.height for part in parts)) / 2
    return Line(text, box, column, len(cells), bold, size, tuple(parts))


def cells_of(parts: Sequence[Fragment]) -> list[list[Fragment]]:
    """The parts of a line, those together that stand near each other; one cell for prose."""
    cells = [[parts[0]]]
    for before, part in pairwise(parts):
        gap = max(part.box.left - before.box.right, before.box.left - part.box.right)
        if gap > max(before.box.height, part.box.height):
            cells.append([part])
        else:
            cells[-1].append(part)
    return cells


def _from_the_right(parts: Sequence[Fragment]) -> bool:
    """Whether most of it is read from right to left."""
    letters = sum(len(part.text) for part in parts if part.right_to_left)
    return 2 * letters > sum(len(part.text) for part in parts)
