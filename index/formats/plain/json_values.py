"""JSON and JSON lines as documents: an entry is a paragraph of `name: value`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from index.formats.base import UNTITLED, Unreadable, joined, rebuilt
from index.formats.decoding import decode
from index.types import Document

_DEEPEST = 20


def read(document_id: str, data: bytes) -> Document:
    """A file of one JSON value; the entries of its outermost list or object are paragraphs."""
    value = _value(decode(data))
    entries = value if isinstance(value, list) else [value]
    if isinstance(value, dict) and any(isinstance(v, dict | list) for v in value.values()):
        entries = []
        for name, inner in value.items():
            entries += [{name: one} for one in (inner if isinstance(inner, list) else [inner])]
    return _document(document_id, entries)


def read_lines(document_id: str, data: bytes) -> Document:
    """A file of one JSON value a line, each a paragraph."""
    lines = filter(str.strip, decode(data).split("\n"))
    return _document(document_id, [_value(line) for line in lines])


def _document(document_id: str, entries: list[Any]) -> Document:
    texts = ("; ".join(_said(entry, "", 0)) for entry in entries)
    text, headings = joined((text, 0) for text in texts)
    return rebuilt(document_id, text, headings, title=UNTITLED)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise Unreadable("its values are nested too deep") from error
    except ValueError as error:
        raise Unreadable(f"damaged JSON: {error}") from error


def _said(value: Any, name: str, depth: int) -> Iterator[str]:
    """Each value inside, after the names that lead to it."""
    if depth > _DEEPEST:
        raise Unreadable("its values are nested too deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _said(inner, f"{name} {key}".strip(), depth + 1)
    elif isinstance(value, list):
        if all(not isinstance(inner, dict | list) for inner in value):
            yield from _said(", ".join(map(_word, value)), name, depth + 1)
        else:
            for inner in value:
                yield from _said(inner, name, depth + 1)
    elif (text := _word(value)) and text.strip():
        yield f"{name}: {text}" if name else text


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
