"""What a GGUF model file says about itself: its key-values, read without llama.cpp.

The format is llama.cpp's: `GGUF`, a version, two counts, then the key-values, then one entry per
tensor, all little-endian. Only this head is read, never a weight. The file may come from anywhere,
so every length is checked against the file before it is believed, and no more is read than any
model has: a hostile or cut file costs one `GgufError`, not memory and not time.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

Value = int | float | bool | str | bytes | list["Value"]

MAGIC = b"GGUF"
_VERSIONS = (2, 3)  # version 1 had 32-bit counts and was gone within weeks
_STRING, _ARRAY = 8, 9
# value type -> struct letter; the numbers are those of `enum gguf_type`
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
            12: "d"}  # fmt: skip
_MOST_DIMENSIONS = 4
# The largest vocabularies have a quarter of a million words and twice as many merges, in 20 MB; the
# largest models some thousands of tensors.
_MOST_VALUES = 3_000_000
_MOST_BYTES = 64_000_000
_MOST_TENSORS, _MOST_PAIRS = 65_536, 65_536


class GgufError(ValueError):
    """The file is not a GGUF, is cut short, or its head contradicts itself."""


class _Cursor:
    """A place in the file that can only move forward and never past the end."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.size = len(data)
        self.at = 0
        self.values = 0
        """How many are in the arrays so far."""

    def number(self, letter: str) -> int | float | bool:
        layout = "<" + letter
        start = self._step(struct.calcsize(layout))
        found: int | float | bool = struct.unpack_from(layout, self.data, start)[0]
        return found

    def count(self, smallest: int) -> int:
        """A 64-bit count of things of at least `smallest` bytes each, which must still fit."""
        found = int(self.number("Q"))
        if found * smallest > self.size - self.at:
            raise GgufError("the file is cut short")
        if found * smallest > _MOST_BYTES - self.at:
            raise _too_much()
        return found

    def string(self) -> bytes:
        length = self.count(1)
        start = self._step(length)
        return self.data[start : start + length]

    def strings(self, count: int) -> list[Value]:
        """`count` strings; unrolled, because a vocabulary has a hundred thousand."""
        found: list[Value] = []
        data, size, at, unpack = self.data, self.size, self.at, struct.Struct("<Q").unpack_from
        for _ in range(count):
            if at + 8 > size:
                raise GgufError("the file is cut short")
            end = at + 8 + unpack(data, at)[0]
            if end > size:
                raise GgufError("the file is cut short")
            if end > _MOST_BYTES:
                raise _too_much()
            found.append(data[at + 8 : end])
            at = end
        self.at = at
        return found

    def value(self, kind: int) -> Value:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array()
        if kind not in _SCALARS:
            raise GgufError(f"unknown value type {kind}")
        return self.number(_SCALARS[kind])

    def _array(self) -> list[Value]:
        kind = int(self.number("I"))
        if kind == _STRING:
            return self.strings(self._several(8))
        if kind not in _SCALARS:  # nested arrays are allowed by the format and used by no model
            raise GgufError(f"unknown array type {kind}")
        letter = _SCALARS[kind]
        width = struct.calcsize(letter)
        count = self._several(width)
        start = self._step(count * width)
        return list(struct.unpack_from(f"<{count}{letter}", self.data, start))

    def _several(self, smallest: int) -> int:
        """As `count`, of values of an array."""
        found = self.count(smallest)
        self.values += found
        if self.values > _MOST_VALUES:
            raise _too_much()
        return found

    def _step(self, length: int) -> int:
        start = self.at
        if length > self.size - start:
            raise GgufError("the file is cut short")
        self.at = start + length
        return start


def read(path: Path) -> dict[str, Value]:
    """The key-values of the GGUF file at `path`; strings are undecoded bytes.

    The tensor directory behind them is walked too, so a file cut inside its head, or before the
    start of its last tensor, is refused. Raises `GgufError`, or `OSError` when it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise GgufError("this is not a GGUF file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            cursor = _Cursor(data)
            cursor.at = len(MAGIC)
            version = cursor.number("I")
            if version not in _VERSIONS:
                raise GgufError(f"GGUF version {version} is not one of {_VERSIONS}")
            # an entry of the tensor directory takes at least 24 bytes, a key-value at least 13
            tensors, pairs = cursor.count(0), cursor.count(13)
            if tensors > _MOST_TENSORS or pairs > _MOST_PAIRS:
                raise _too_much()
            found = dict(_pairs(cursor, pairs))
            _check_tensors(cursor, tensors, found.get("general.alignment", 32))
            return found


def context_length(head: Mapping[str, Value]) -> int | None:
    """Tokens that the model of these key-values was made for; None when they do not say."""
    architecture = head.get("general.architecture")
    name = architecture.decode("utf-8", "replace") if isinstance(architecture, bytes) else ""
    length = head.get(f"{name}.context_length")
    return length if isinstance(length, int) and length > 0 else None


def _too_much() -> GgufError:
    return GgufError("its head is larger than that of any model")


def _pairs(cursor: _Cursor, count: int) -> Iterator[tuple[str, Value]]:
    for _ in range(count):
        key = cursor.string().decode("utf-8", "replace")
        yield key, cursor.value(int(cursor.number("I")))


def _check_tensors(cursor: _Cursor, count: int, alignment: Value) -> None:
    """Walk the tensor directory; the last tensor must begin inside the file."""
    last = -1
    for _ in range(count):
        cursor.string()
        dimensions = int(cursor.number("I"))
        if dimensions > _MOST_DIMENSIONS:
            raise GgufError(f"a tensor with {dimensions} dimensions")
        for _ in range(dimensions):
            cursor.number("Q")
        cursor.number("I")
        last = max(last, int(cursor.number("Q")))
    if not isinstance(alignment, int) or alignment < 1:
        raise GgufError(f"alignment {alignment!r}")
    start = -(-cursor.at // alignment) * alignment
    if count and start + last >= cursor.size:
        raise GgufError("the file is cut short")
