"""Jupyter notebooks as documents: text and code, cell by cell, without outputs."""

from __future__ import annotations

import json
import re

from index.formats.base import Block, Unreadable, paged, rebuilt
from index.formats.decoding import decode
from index.types import Document

_HEADING = re.compile(r"(#{1,6})\s+(.+)")


def read(document_id: str, data: bytes) -> Document:
    """A notebook; the place of a sentence is its cell."""
    try:
        cells = json.loads(decode(data))["cells"]
        parts = [(str(cell["cell_type"]), "".join(cell["source"])) for cell in cells]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unreadable(f"damaged notebook: {error}") from error
    blocks = [
        (number, block)
        for number, (kind, source) in enumerate(parts, start=1)
        for block in (_blocks(source) if kind == "markdown" else [(source, 0)])
    ]
    text, headings, pages = paged(blocks, "cell")
    return rebuilt(document_id, text, headings, pages=pages)


def _blocks(source: str) -> list[Block]:
    made: list[Block] = []
    for part in re.split(r"\n\s*\n|\n(?=#)|(?<=\n)(?<=#.)", source):
        line, _, rest = part.strip().partition("\n")
        if match := _HEADING.fullmatch(line):
            made += [(match[2], len(match[1])), (rest, 0)]
        else:
            made.append((part, 0))
    return made
