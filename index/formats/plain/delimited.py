"""CSV and TSV as documents: a row is a paragraph."""

from __future__ import annotations

import csv
import io

from index.formats.base import UNTITLED, Unreadable, joined, rebuilt
from index.formats.decoding import decode, sniff
from index.formats.plain.rows import spoken
from index.types import Document

_LOOKED_AT = 8_000
"""Characters from which the sign between cells is told."""


def read(document_id: str, data: bytes) -> Document:
    """A table of text; what parts its cells is told from its beginning."""
    if kind := sniff(data):
        raise Unreadable(f"not a table of text ({kind})")
    text = decode(data)
    csv.field_size_limit(1_000_000)
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:_LOOKED_AT], ",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if "\t" in text[:_LOOKED_AT] else csv.excel
    try:
        rows = list(csv.reader(io.StringIO(text), dialect))
    except csv.Error as error:
        raise Unreadable(f"damaged table: {error}") from error
    whole, headings = joined((row, 0) for row in spoken(rows))
    return rebuilt(document_id, whole, headings, title=UNTITLED)
