"""Workbooks (XLSX, XLS, ODS) as documents: a row is a paragraph, a sheet is its place."""

from __future__ import annotations

import datetime
import io
import re
from typing import Any

from index.formats.base import UNTITLED, Unreadable, damaged, paged, rebuilt
from index.formats.decoding import sniff
from index.formats.office import archive
from index.formats.plain.rows import spoken
from index.types import Document

# a stream of that name, or (MS-XLS) FilePass as a workbook's first record
_LOCKED = re.compile(
    re.escape("EncryptedPackage".encode("utf-16-le")[:-1]) + rb"|\x09\x08\x10\x00.{16}\x2f\x00",
    re.DOTALL,
)


def read(document_id: str, data: bytes) -> Document:
    """A workbook, read by calamine; formulas give the values that were saved with them."""
    if data.startswith(b"PK\x03\x04"):
        with archive.opened(data, "workbook", ""):
            pass
    elif sniff(data) != "an old office file":
        raise Unreadable(f"not a workbook ({sniff(data) or 'damaged, or another format'})")
    from python_calamine import CalamineWorkbook, PasswordError

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = list(book.sheet_names)
        sheets = [book.get_sheet_by_name(name).to_python() for name in names]
    except PasswordError as error:
        raise Unreadable("password protected") from error
    except Exception as error:
        if _LOCKED.search(data):
            raise Unreadable("password protected") from error
        raise damaged("workbook", error) from error
    blocks = [
        (number, (row, 0))
        for number, rows in enumerate(sheets, start=1)
        for row in spoken([[_said(cell) for cell in row] for row in rows])
    ]
    text, headings, pages = paged(blocks, "sheet", names)
    return rebuilt(document_id, text, headings, title=UNTITLED, pages=pages)


def _said(value: Any) -> str:
    """A cell as a person would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return "" if value is None else str(value)
