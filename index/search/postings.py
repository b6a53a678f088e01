"""Which passages hold which word, and how good a match that is: BM25 without looking at each text.

A file of posting lists as SQLite's FTS5 would walk them, for libraries so large that walking them
takes too long: the same words, the same counts, the same formula, so the same ranking. It is mapped
into memory, not read: a question touches the lists of its words alone, and each list is compared
with its checksum when it is first touched.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from math import log
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from index.search.vectors import CacheUnusable
from index.storage.sqlite.word_index import WordPlaces
from index.system import files
from index.types import Ids

# FTS5's own, which nobody can set: with them its BM25 and ours are one.
_K1, _B, _LEAST_IDF = 1.2, 0.75, 1e-6
_MAGIC = b"PILCROWW1\n"
_HEAD = 4_096
"""Bytes before the lists: the magic word and what the file says about itself."""
_AT, _COUNT = np.dtype("<u4"), np.dtype("<u2")
_MOST = int(np.iinfo(_COUNT).max)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file of posting lists says about itself."""

    library: str
    change: int
    token: str
    """The change's own name, so that another history's change 7 is never taken for ours."""
    passages: int
    newest: int
    """The greatest passage id it covers."""
    terms: int
    lists: int
    """Bytes of all lists together."""
    digest: str
    """SHA-256 of what follows the lists, in hexadecimal digits."""


class Postings:
    """The posting lists of a library at one generation. May be shared between threads."""

    def __init__(self, header: Header, data: memoryview) -> None:
        """Use `load`."""
        self.header = header
        self._data = data
        at = _HEAD + header.lists
        tables: list[Any] = []
        for kind, count in _tables(header):
            tables.append(np.frombuffer(data, kind, count, at))
            at += tables[-1].nbytes
        self.ids: Ids = tables[0]
        """Of the passages, ascending."""
        self._lengths, self._starts, self._checks, self._names = tables[1:]
        self._spelled = data[at:]
        self._mean_length = float(self._lengths.sum(dtype=np.int64)) / max(len(self.ids), 1)
        self._known: set[int] = set()

    def best(
        self,
        terms: Iterable[bytes],
        title_weight: float,
        k: int,
        gone: NDArray[np.int64],
        among: Ids | None = None,
    ) -> dict[int, float]:
        """Passage ids with their BM25 (higher is better), the best `k` with any of the words.

        Args:
            terms: as FTS5 has them; one that is given twice counts twice.
            title_weight: what a place in the title counts, where one in the text counts 1.
            k: how many at most.
            gone: positions of passages that are no longer there.
            among: only passages with these ids, ascending; all when None.

        Raises:
            CacheUnusable: when a list is not what was written.
        """
        parts: list[tuple[NDArray[np.uint32], NDArray[np.float64]]] = []
        for term, times in Counter(terms).items():
            positions, in_text, in_title = self._list(term)
            n = len(positions)
            idf = log((len(self.ids) - n + 0.5) / (n + 0.5)) if n < len(self.ids) else 0.0
            often = in_text + title_weight * in_title
            bound = _K1 * (1 - _B + _B * self._lengths[positions] / self._mean_length)
            idf = max(idf, 0.0) or _LEAST_IDF
            parts.append((positions, times * idf * (often * (_K1 + 1) / (often + bound))))
        positions, scores = _summed(parts)
        kept = ~np.isin(positions, gone, assume_unique=True)
        if among is not None:
            kept &= np.isin(positions, positions_of(self.ids, among), assume_unique=True)
        return _best(self.ids[positions[kept]], scores[kept], k)

    def passages_with(self, term: bytes, gone: NDArray[np.int64]) -> int:
        """How many passages hold a word."""
        positions = self._list(term)[0]
        return len(positions) - int(np.isin(gone, positions, assume_unique=True).sum())

    def check(self) -> None:
        """Compare every list with its checksum.

        Raises:
            CacheUnusable: when one is not what was written.
        """
        for number in range(self.header.terms):
            self._sound(number)

    def _list(
        self, term: bytes
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint16]]:
        """Positions of the passages with a word, and how often it is in their texts and titles."""
        number = bisect_left(range(self.header.terms), term, key=self._term)
        if number == self.header.terms or self._term(number) != term:
            none = np.zeros(0, _COUNT)
            return np.zeros(0, _AT), none, none
        stored = self._sound(number)
        n = len(stored) // (_AT.itemsize + 2 * _COUNT.itemsize)
        counts = np.frombuffer(stored, _COUNT, 2 * n, _AT.itemsize * n)
        return np.frombuffer(stored, _AT, n), counts[:n], counts[n:]

    def _term(self, number: int) -> bytes:
        first = int(self._names[number - 1]) if number else 0
        return bytes(self._spelled[first : int(self._names[number])])

    def _sound(self, number: int) -> memoryview:
        """A list's bytes, which are those that were written."""
        first = int(self._starts[number - 1]) if number else 0
        stored = self._data[_HEAD + first : _HEAD + int(self._starts[number])]
        if number not in self._known:
            if zlib.crc32(stored) != self._checks[number]:
                raise CacheUnusable("a list's checksum differs")
            self._known.add(number)
        return stored


def positions_of(ids: Ids, wanted: Ids) -> NDArray[np.int64]:
    """Where in ascending ids some of them stand, as far as they are there."""
    at = np.searchsorted(ids, wanted)
    there = at < len(ids)
    there[there] = ids[at[there]] == wanted[there]
    found: NDArray[np.int64] = at[there]
    return found


def save(
    path: Path,
    library: str,
    generation: tuple[int, str],
    ids: Ids,
    parts: Iterable[WordPlaces],
    tick: Callable[[int], None] = lambda done: None,
) -> None:
    """Write the posting lists of a library: new file beside the old one, synced, renamed.

    Args:
        path: where to.
        library: the library's own id.
        generation: the change they belong to: its number and its own name.
        ids: of the passages, ascending.
        parts: all words of the index.
        tick: told now and then how many places are done; what it raises ends the work.

    Raises:
        OSError: when the disk refuses; then nothing is left of the new file.
    """
    with files.replacing(path) as file:
        file.write(bytes(_HEAD))
        lists = _Lists(file, ids)
        for part in parts:
            tick(lists.places)
            lists.write(part)
        tables = [
            np.asarray(values, kind).tobytes()
            for (kind, _), values in zip(
                _TABLES, (ids, lists.lengths, lists.ends, lists.checks, lists.names), strict=True
            )
        ]
        rest = b"".join([*tables, *lists.spelled])
        file.write(rest)
        digest = hashlib.sha256(rest).hexdigest()
        size = lists.ends[-1] if lists.ends else 0
        newest = int(ids[-1]) if len(ids) else 0
        header = Header(library, *generation, len(ids), newest, len(lists.ends), size, digest)
        file.seek(0)
        file.write(_MAGIC + json.dumps(asdict(header)).encode())


def peek(path: Path) -> Header | None:
    """What a file says about itself, unchecked; None when it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(_HEAD)
        if not start.startswith(_MAGIC):
            return None
        stored = json.loads(start[len(_MAGIC) :].rstrip(b"\0"))
        is_ours = [type(stored[field.name]).__name__ == field.type for field in fields(Header)]
        return Header(**stored) if all(is_ours) else None
    except (OSError, ValueError, TypeError, LookupError):
        return None


def load(path: Path, library: str) -> Postings:
    """Posting lists, mapped into memory; their words and lengths are checked, each list later.

    Raises:
        CacheUnusable: when the file is missing, cut, altered, or another library's.
    """
    header = peek(path)
    if header is None or header.library != library:
        raise CacheUnusable("no posting lists of this library")
    try:
        data: Any = np.memmap(path, np.uint8, mode="r")
        rest = data[_HEAD + header.lists :]
        if hashlib.sha256(rest).hexdigest() != header.digest:
            raise CacheUnusable("checksum differs")
        # where another program may not rename what is mapped, it is read
        mapped: Any = data if files.can_replace_mapped() else np.array(data)
        return Postings(header, memoryview(mapped))
    except (OSError, ValueError) as error:
        raise CacheUnusable(str(error)) from error


_TABLES: tuple[tuple[str, str], ...] = (
    ("<i8", "passages"),  # ids
    ("<u4", "passages"),  # lengths in words, title included
    ("<i8", "terms"),  # where each list ends
    ("<u4", "terms"),  # its checksum
    ("<i8", "terms"),  # where each word's letters end
)
"""What follows the lists, and how many there are; the words' letters come last."""


def _tables(header: Header) -> Iterator[tuple[str, int]]:
    return ((kind, int(getattr(header, of))) for kind, of in _TABLES)


class _Lists:
    """Posting lists being written."""

    def __init__(self, file: BinaryIO, ids: Ids) -> None:
        self._file, self._ids = file, ids
        self.places = 0
        self.lengths = np.zeros(len(ids), np.int64)
        self.ends: list[int] = []
        self.checks: list[int] = []
        self.names: list[int] = []
        self.spelled: list[bytes] = []
        self._spelled = 0

    def write(self, part: WordPlaces) -> None:
        """One list a word: positions, then how often it is in the texts and in the titles."""
        word = np.repeat(np.arange(len(part.words)), part.counts)
        is_new = np.ones(len(word), bool)
        is_new[1:] = (word[1:] != word[:-1]) | (part.passages[1:] != part.passages[:-1])
        first = np.flatnonzero(is_new)
        often = np.diff([*first, len(word)]) if len(first) else first
        in_text = np.add.reduceat(part.in_text.astype(np.int64), first) if len(first) else first
        at = np.searchsorted(self._ids, part.passages[first])
        np.add.at(self.lengths, at, often)
        lists = np.cumsum(np.bincount(word[first], minlength=len(part.words)))
        texts, titles = (np.minimum(n, _MOST).astype(_COUNT) for n in (in_text, often - in_text))
        begin = 0
        for term, end in zip(part.words, lists.tolist(), strict=True):
            rows = slice(begin, begin := end)
            stored = at[rows].astype(_AT).tobytes() + texts[rows].tobytes() + titles[rows].tobytes()
            self._file.write(stored)
            self.ends.append((self.ends[-1] if self.ends else 0) + len(stored))
            self.checks.append(zlib.crc32(stored))
            self._spelled += len(term)
            self.names.append(self._spelled)
            self.spelled.append(term)
        self.places += len(word)


def _summed(
    parts: Sequence[tuple[NDArray[np.uint32], NDArray[np.float64]]],
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """Each position of some lists once, ascending, with the sum of what it has in them."""
    none = [(np.zeros(0, _AT), np.zeros(0))]
    positions, scores = map(np.concatenate, zip(*none, *parts, strict=True))
    order = np.argsort(positions, kind="stable")  # merges lists that are in order already
    positions = positions[order]
    is_new = np.ones(len(positions), bool)
    is_new[1:] = positions[1:] != positions[:-1]
    first = np.flatnonzero(is_new)
    return positions[first], np.add.reduceat(scores[order], first) if len(first) else scores


def _best(ids: Ids, scores: NDArray[np.float64], k: int) -> dict[int, float]:
    """The ids with the greatest scores, best first; ties by id."""
    some = np.arange(len(ids))
    if len(some) > k:
        least = np.partition(scores, len(some) - k)[len(some) - k]
        some = some[scores >= least]
    order = some[np.lexsort((ids[some], -scores[some]))[:k]]
    return dict(zip(ids[order].tolist(), scores[order].tolist(), strict=True))
