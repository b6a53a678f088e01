"""Tables as text: each row a paragraph that names its columns, so that a cell can be cited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_NUMBER = re.compile(r"[-+]?[\d.,]+\s*%?")


def spoken(rows: Iterable[Sequence[str]], *, headed: bool = False) -> Iterator[str]:
    """Each row of a table in words, `Country: Japan; Delegates: 523`, without the header's own.

    A first row of words above other rows is a header. Without one cells are parted by ` | `.

    Args:
        rows: the cells of each.
        headed: whether the file says that the first row is a header, whatever stands in it.
    """
    kept = ([" ".join(cell.split()) for cell in row] for row in rows)
    filled = (row for row in kept if any(row))
    first = next(filled, None)
    if first is None:
        return
    second = next(filled, None)
    if second is None or not (headed or _is_header(first)):
        yield _bare(first)
        header: Sequence[str] = ()
    else:
        header = first
    for row in (*([second] if second is not None else []), *filled):
        yield _named(header, row) if header else _bare(row)


def _is_header(row: Sequence[str]) -> bool:
    names = [cell for cell in row if cell]
    return (
        len(names) > 1
        and len(set(names)) == len(names)
        and all(len(name) <= 80 and not _NUMBER.fullmatch(name) for name in names)
    )


def _named(header: Sequence[str], row: Sequence[str]) -> str:
    named = zip([*header, *[""] * len(row)], row, strict=False)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in named if cell)


def _bare(row: Sequence[str]) -> str:
    return " | ".join(cell for cell in row if cell)
