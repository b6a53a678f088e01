"""Checksums over what is noted of documents, and what a damaged row may have been."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from index.storage.codec import checksum

ARTICLE_COLUMNS = "c.hash, c.title, c.source, c.author, c.date"


DOCUMENT_COLUMNS = f"d.id, d.content, d.place, d.path, d.added_at, {ARTICLE_COLUMNS}"


DOCUMENT_TABLES = "documents d LEFT JOIN contents c ON c.id = d.content"


TYPE_CHECK = "typeof(d.id) || typeof(d.added_at) = 'texttext'"


SEAL_JOIN = "LEFT JOIN seals s ON s.document = d.id"


def mended_row(
    row: tuple[Any, ...],
    seals: Mapping[bytes, int],
    values: Collection[int],
    articles: Mapping[int, tuple[Any, ...]],
) -> tuple[tuple[Any, ...], int]:
    """A document's row as it was, and its seal; the row as it is when that cannot be found.

    Args:
        row: id, content, place, path and date, texts as bytes.
        seals: of all documents, by id.
        values: all the seals there are.
        articles: what else is sealed, by content.
    """

    def seal_of(candidate: tuple[Any, ...]) -> int:
        return checksum((*candidate, *articles.get(candidate[1], ("",))))

    made, noted = seal_of(row), seals.get(row[0])
    # the seal itself may have the wrong bit, or the name that it is kept under
    if made == noted or made in values or (noted and (made ^ noted).bit_count() == 1):
        return row, made
    for candidate in _near(row, seals, articles):
        if seals.get(candidate[0]) == seal_of(candidate):
            return candidate, seals[candidate[0]]
    return row, -1 if noted is None else noted


def _near(
    row: tuple[Any, ...], ids: Iterable[bytes], contents: Iterable[int]
) -> Iterator[tuple[Any, ...]]:
    """What a damaged row may have been: the most likely first."""
    id_, _, place, path, _ = row
    for at, value in enumerate(row):
        yield from ((*row[:at], other, *row[at + 1 :]) for other in _one_bit_off(value))
    yield (*row[:3], place + b"/" + id_, *row[4:])
    yield (*row[:2], path.removesuffix(b"/" + id_), *row[3:])
    yield from ((other, *row[1:]) for other in ids)
    yield from ((id_, other, *row[2:]) for other in contents)


def _one_bit_off(value: int | bytes) -> Iterator[int | bytes]:
    """A value with each of its bits the other way."""
    if isinstance(value, int):
        yield from (value ^ 1 << bit for bit in range(48))
        return
    for at in range(8 * len(value)):
        other = bytearray(value)
        other[at // 8] ^= 1 << at % 8
        yield bytes(other)


def text_or_bytes(value: bytes) -> str | bytes:
    """As SQLite holds it: names that are no Unicode as their bytes."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
