"""Rows of a page's tables → lines in which each value is named by the header of its column.

A row by itself says `Japan | 523 | 12`; nobody can tell from a citation what was counted. The words
of the header are put before each value as letters of the page, so that both are boxed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from index.formats.pdf import columns
from index.formats.pdf.columns import Line, Piece, cells_of
from index.formats.pdf.page_text import Box, Fragment, around

_LEAST_ROWS = 3
"""Of a table, with its header."""
_LONGEST_NAME = 60
"""Characters of what a column is called."""
_NUMBER = re.compile(
    r"[-+(]?\s*[$€£¥]?\s*[-+]?\d[\d.,\u00a0\u202f ]*\s*(?:%|[$€£¥]|[kMGT]?\w{1,3})?\)?"
)

Cell = Sequence[Fragment]


def lines(fragments: Sequence[Fragment]) -> list[Line]:
    """The lines of a page in the order in which they are read, rows of tables with their header."""
    found = columns.lines(fragments)
    made: list[Line] = []
    at = 0
    while at < len(found):
        end = at
        while end < len(found) and found[end].cells > 1 and found[end].column == found[at].column:
            end += 1
        made += _headed(found[at:end]) if end - at >= _LEAST_ROWS else found[at : max(end, at + 1)]
        at = max(end, at + 1)
    return made


def _headed(rows: Sequence[Line]) -> Sequence[Line]:
    """The rows below a header, each with it; all rows as they are where there is none."""
    header = cells_of(rows[0].parts)
    names = [_text(cell) for cell in header]
    if len(set(names)) < len(names) or not all(map(_is_name, names)):
        return rows
    placed = [_under(header, cells_of(row.parts)) for row in rows[1:]]
    if not all(placed) or not _stands_out(rows, placed):
        return rows
    return [_named(row, header, under) for row, under in zip(rows[1:], placed, strict=True)]


def _is_name(text: str) -> bool:
    is_word = any(char.isalpha() for char in text) and not _NUMBER.fullmatch(text)
    return is_word and len(text) <= _LONGEST_NAME


def _under(header: Sequence[Cell], row: Sequence[Cell]) -> list[tuple[int, Cell]]:
    """The cells of a row, each with its column's number; none when they do not fit the columns."""
    tops = [around([part.box for part in cell]) for cell in header]
    placed = []
    for cell in row:
        box = around([part.box for part in cell])
        placed.append((max(range(len(tops)), key=lambda n: _shared(tops[n], box)), cell))
    in_order = all(before < after for (before, _), (after, _) in pairwise(placed))
    return placed if in_order else []


def _shared(name: Box, cell: Box) -> float:
    """How far a cell stands below a name: what they share of the line, less what is between."""
    return min(name.right, cell.right) - max(name.left, cell.left)


def _stands_out(rows: Sequence[Line], placed: Sequence[Sequence[tuple[int, Cell]]]) -> bool:
    """Whether the first row is no row like the others: bold, or words above numbers."""
    if rows[0].bold and not any(row.bold for row in rows[1:]):
        return True
    values: dict[int, list[str]] = {}
    for row in placed:
        for column, cell in row:
            values.setdefault(column, []).append(_text(cell))
    return any(
        len(column) + 1 == len(rows) and all(map(_NUMBER.fullmatch, column))
        for column in values.values()
    )


def _named(row: Line, header: Sequence[Cell], under: Sequence[tuple[int, Cell]]) -> Line:
    pieces = tuple(_pieces(header, under))
    told = (piece if isinstance(piece, str) else piece.text for piece in pieces)
    return replace(row, text="".join(told), pieces=pieces)


def _pieces(header: Sequence[Cell], under: Sequence[tuple[int, Cell]]) -> Iterator[Piece]:
    for number, (column, cell) in enumerate(under):
        if number:
            yield "; "
        yield from _spaced(header[column])
        yield ": "
        yield from _spaced(cell)


def _spaced(cell: Cell) -> Iterator[Piece]:
    for number, part in enumerate(cell):
        if number:
            yield " "
        yield part


def _text(cell: Cell) -> str:
    return " ".join(part.text for part in cell)
