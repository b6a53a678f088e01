"""Zip archives that office files and books are: checked before anything of them is unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from index.formats.base import Unreadable, damaged
from index.formats.decoding import sniff

UNZIPPED_LIMIT = 100_000_000
"""Bytes an archive may hold unpacked: parsers take several times as much memory."""
RATIO_LIMIT = 200
"""Unpacked to packed: ordinary documents stay below 30, bombs begin at several hundred."""

_MANIFEST = "META-INF/manifest.xml"


@contextmanager
def opened(data: bytes, kind: str, needed: str) -> Iterator[zipfile.ZipFile]:
    """An archive that holds what it should, and not too much.

    Args:
        data: the whole file.
        kind: what it should be, in words: `Word file`.
        needed: the beginning of a name in it.

    Raises:
        Unreadable: when it is none, locked, damaged or a bomb.
    """
    found = sniff(data)
    if found == "an old office file":
        raise Unreadable(f"password protected, or an old format: save it as a new {kind}")
    if not data.startswith(b"PK\x03\x04"):
        raise Unreadable(f"not a {kind} ({found or 'damaged, or another format'})")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(archive, len(data), kind, needed)
            yield archive
    except Unreadable:
        raise
    except Exception as error:
        raise damaged(kind, error) from error


def _check(archive: zipfile.ZipFile, packed: int, kind: str, needed: str) -> None:
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > UNZIPPED_LIMIT:
        limit = f"{size / 1e6:.0f} MB, limit {UNZIPPED_LIMIT / 1e6:.0f} MB"
        raise Unreadable(f"too big when unpacked: {limit}")
    if size > RATIO_LIMIT * packed:
        raise Unreadable(f"suspicious: unpacks to {size // packed} times its size")
    if any(entry.flag_bits & 1 for entry in entries) or _is_encrypted(archive):
        raise Unreadable("password protected")
    if not any(entry.filename.startswith(needed) for entry in entries):
        names = {entry.filename for entry in entries}
        office = names & {"[Content_Types].xml", "content.xml", "META-INF/container.xml"}
        raise Unreadable(f"not a {kind} ({'another office format' if office else 'a zip archive'})")


def _is_encrypted(archive: zipfile.ZipFile) -> bool:
    """Whether the manifest of an OpenDocument says so: its archive is open, its parts are not."""
    if _MANIFEST not in archive.namelist():
        return False
    return b"encryption-data" in archive.read(_MANIFEST)


def xml(archive: zipfile.ZipFile, name: str) -> Any:
    """The root element of a part; nothing outside of it is looked at."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(archive.read(name), parser)


def local(element: Any) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def value(element: Any, name: str) -> str:
    """An attribute by its name without namespace; empty when there is none."""
    found = (given for key, given in element.attrib.items() if key.rpartition("}")[2] == name)
    return next(found, "")


def stated(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """What a part says of the document: title, creator, date, …, by names without namespaces."""
    if name not in archive.namelist():
        return {}
    found: dict[str, str] = {}
    for element in xml(archive, name).iter():
        if element.text and element.text.strip():
            found.setdefault(local(element), element.text.strip())
    return found
