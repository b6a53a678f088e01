"""Messages as Outlook saves them: a compound file of properties, each in a stream of its own."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

Tree = Mapping[str, "bytes | Tree"]
_SECTOR, _MINI, _SMALL = 512, 64, 4096
_END, _FREE, _FAT, _NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
_TEXT, _BYTES, _TIME, _NUMBER = 0x001F, 0x0102, 0x0040, 0x0003


def compound(tree: Tree) -> bytes:
    """A compound file (MS-CFB, version 3) with these folders and streams."""
    entries: list[tuple[str, int, int, int, bytes]] = [("Root Entry", 5, _NONE, _NONE, b"")]

    def lay(folder: int, inside: Tree) -> None:
        numbers = []
        for name, held in inside.items():
            numbers.append(len(entries))
            kind, data = (2, held) if isinstance(held, bytes) else (1, b"")
            entries.append((name, kind, _NONE, _NONE, data))
            if not isinstance(held, bytes):
                lay(numbers[-1], held)
        if numbers:
            name, kind, right, _, data = entries[folder]
            entries[folder] = name, kind, right, numbers[0], data
        for at, following in pairwise(numbers):
            name, kind, _, child, data = entries[at]
            entries[at] = name, kind, following, child, data

    lay(0, tree)
    sectors: list[bytes] = []
    fat: list[int] = []

    def put(data: bytes) -> int:
        """Where a chain of sectors with this data begins."""
        parts = [data[at : at + _SECTOR] for at in range(0, len(data), _SECTOR)]
        start = len(sectors)
        for number, part in enumerate(parts):
            sectors.append(part.ljust(_SECTOR, b"\0"))
            fat.append(start + number + 1 if number + 1 < len(parts) else _END)
        return start if parts else _END

    small, small_fat, starts = bytearray(), list[int](), []
    for _, kind, _, _, data in entries:
        if kind != 2 or not data:
            starts.append(_END if kind == 2 else 0)
        elif len(data) < _SMALL:
            first, count = len(small) // _MINI, -(-len(data) // _MINI)
            small += data.ljust(count * _MINI, b"\0")
            small_fat += [first + n + 1 for n in range(count - 1)] + [_END]
            starts.append(first)
        else:
            starts.append(put(data))
    starts[0] = put(bytes(small))
    small_start = put(b"".join(struct.pack("<I", at) for at in small_fat))
    directory = b"".join(
        _entry(name, kind, right, child, start, len(small) if kind == 5 else len(data))
        for (name, kind, right, child, data), start in zip(entries, starts, strict=True)
    )
    directory_start = put(directory.ljust(-(-len(directory) // _SECTOR) * _SECTOR, b"\0"))
    return _whole(sectors, fat, directory_start, small_start, -(-len(small_fat) * 4 // _SECTOR))


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    wide = name.encode("utf-16-le") + b"\0\0"
    return struct.pack(
        "<64sHBBIII16sIQQIII", wide, len(wide), kind, 1, _NONE, right, child, b"", 0, 0, 0, start,
        size, 0,
    )  # fmt: skip


def _whole(
    sectors: Sequence[bytes], fat: Sequence[int], directory: int, small: int, small_sectors: int
) -> bytes:
    per, tables = _SECTOR // 4, 1
    while tables * per < len(fat) + tables:
        tables += 1
    places = [len(sectors) + number for number in range(tables)]
    links = [*fat, *[_FAT] * tables]
    links += [_FREE] * (tables * per - len(links))
    head = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII", bytes.fromhex("d0cf11e0a1b11ae1"), b"", 0x3E, 3, 0xFFFE, 9, 6,
        b"", 0, tables, directory, 0, _SMALL, small if small_sectors else _END, small_sectors,
        _END, 0,
    )  # fmt: skip
    head += struct.pack("<109I", *places, *[_FREE] * (109 - tables))
    return head + b"".join(sectors) + struct.pack(f"<{len(links)}I", *links)


def _properties(head: bytes, values: Mapping[int, str | bytes | datetime | int]) -> Tree:
    """Properties by number, as streams."""

    def rows() -> Iterator[bytes]:
        for number, value in values.items():
            if isinstance(value, datetime):
                ticks = int((value - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 10**7)
                yield struct.pack("<HHIQ", _TIME, number, 6, ticks)
            elif isinstance(value, int):
                yield struct.pack("<HHIII", _NUMBER, number, 6, value, 0)
            else:
                size = len(value) if isinstance(value, bytes) else 2 * len(value) + 2
                kind = _BYTES if isinstance(value, bytes) else _TEXT
                yield struct.pack("<HHIII", kind, number, 6, size, 0)

    made: dict[str, bytes | Tree] = {"__properties_version1.0": head + b"".join(rows())}
    for number, value in values.items():
        if isinstance(value, str):
            made[f"__substg1.0_{number:04X}001F"] = value.encode("utf-16-le")
        elif isinstance(value, bytes):
            made[f"__substg1.0_{number:04X}0102"] = value
    return made


def message(
    subject: str,
    body: str = "",
    *,
    html: bytes = b"",
    rtf: bytes = b"",
    sender: str = "",
    sent: datetime | None = None,
    kind: str = "IPM.Note",
    attached: Sequence[tuple[str, bytes]] = (),
) -> bytes:
    """A saved message (MS-OXMSG)."""
    values: dict[int, str | bytes | datetime | int] = {0x001A: kind, 0x0037: subject}
    values |= {0x1000: body} if body else {}
    values |= {0x1013: html, 0x3FDE: 65001} if html else {}
    values |= {0x1009: rtf} if rtf else {}
    values |= {0x0C1A: sender, 0x0C1F: "x@harbour.example"} if sender else {}
    values |= {0x0039: sent} if sent else {}
    head = struct.pack("<8x4I8x", 0, len(attached), 0, len(attached))
    tree: dict[str, bytes | Tree] = dict(_properties(head, values))
    for number, (name, data) in enumerate(attached):
        tree[f"__attach_version1.0_#{number:08X}"] = _properties(
            b"\0" * 8, {0x3701: data, 0x3707: name, 0x3705: 1}
        )
    return compound(tree)
