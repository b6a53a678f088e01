"""A Zotero library of this computer: its PDFs and books in place, with what Zotero says of them.

Zotero holds its database locked while it runs, so a copy of it is read; Zotero's folder is never
written to. The files are read in place, like those of any folder that was added.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from index.errors import InputError
from index.formats import registry
from index.formats.bylines import clean
from index.library import Library
from index.system import roots
from index.types import CatalogueCard, Progress, UpdateReport

SCHEME = "zotero:"
_DATABASE = "zotero.sqlite"
_KINDS = (".pdf", ".epub")
"""Attachments that are taken in; web pages that Zotero has saved are not."""
_OTHERS = [f"*{kind}" for kind in (*registry.SUFFIXES, *registry.PICTURES) if kind not in _KINDS]
_TRIES = 3
_TITLES = ("title", "caseName", "nameOfAct", "subject")
_OUTLETS = (
    "publicationTitle", "bookTitle", "proceedingsTitle", "encyclopediaTitle", "blogTitle",
    "websiteTitle", "publisher", "university", "institution", "repository", "url",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ZoteroLibrary:
    """What a Zotero library holds that can be read here."""

    storage: Path
    """The folder of the attachments that Zotero keeps itself."""
    cards: Mapping[Path, CatalogueCard]
    """What it says of each, and of files that it only knows the place of; by path."""
    trashed: tuple[str, ...]
    """Folders of the storage whose items lie in Zotero's bin."""

    @property
    def linked(self) -> list[Path]:
        """Files outside of the storage."""
        return [path for path in self.cards if not path.is_relative_to(self.storage)]


def is_zotero(typed: object) -> bool:
    """Whether somebody means a Zotero library: `zotero:`, `zotero:/home/me/Zotero`."""
    return isinstance(typed, str) and typed.strip().lower().startswith(SCHEME)


def add(
    library: Library,
    typed: str = SCHEME,
    *,
    home: Path | None = None,
    collection: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> UpdateReport:
    """What became of the PDFs and books of a Zotero library.

    Args:
        library: takes them in.
        typed: `zotero:`, with the folder of Zotero's data behind it where that is not the usual.
        home: where the usual one is looked for; the person's own home when None.
        collection: as in `Library.update`.
        progress: the same, with `cancelled`.
        cancelled: the same.

    Raises:
        InputError: when there is no Zotero library.
    """
    folder = _named(typed.strip()[len(SCHEME) :].strip()) or _data_folder(home or Path.home())
    found = read(folder, home or Path.home())
    kept = [found.storage] if roots.look(found.storage).kind == "folder" else []
    report = library.update(
        kept, exclude=[*_OTHERS, *(f"/{key}/" for key in found.trashed)], cards=found.cards,
        collection=collection, progress=progress, cancelled=cancelled,
    )  # fmt: skip
    if not found.linked:
        return report
    linked = library.look_again(found.linked, cancelled=cancelled)
    if collection is not None:
        paths = set(map(str, found.linked))
        library.collect((r.id for r in library.documents() if r.path in paths), collection)
    return replace(
        linked, added=(*report.added, *linked.added), updated=(*report.updated, *linked.updated),
        unchanged=(*report.unchanged, *linked.unchanged), failed=(*report.failed, *linked.failed),
        removed=(*report.removed, *linked.removed), skipped=report.skipped,
        left_out=report.left_out, embedded=report.embedded + linked.embedded,
        reused=report.reused + linked.reused,
    )  # fmt: skip


def places(library: Library) -> list[Path]:
    """The folders of Zotero's data whose files were added to a library."""
    folders = [place.parent for place in library.places() if place.name == "storage"]
    return [folder for folder in folders if roots.look(folder / _DATABASE).kind == "file"]


def read(folder: Path, home: Path) -> ZoteroLibrary:
    """What a Zotero library holds; nothing of it is changed.

    Args:
        folder: of Zotero's data.
        home: where its preferences lie, which say where linked files are.

    Raises:
        InputError: when there is none, or it cannot be read.
    """
    if roots.look(folder / _DATABASE).kind != "file":
        raise InputError(
            f"no Zotero library in {str(folder)!r:.200}. Name the folder of Zotero's data (its "
            "settings, Advanced, Files and Folders): pilcrow add zotero:/home/me/Zotero"
        )
    storage = roots.settled(folder / "storage")
    try:
        with _copied(folder / _DATABASE) as copy, closing(sqlite3.connect(copy)) as database:
            rows = database.execute(_ATTACHMENTS).fetchall()
            facts = _facts(database)
    except (sqlite3.Error, OSError) as error:
        reason = f"{str(folder / _DATABASE)!r:.200} cannot be read ({error})"
        raise InputError(f"{reason}. Close Zotero, then try again") from error
    base = _preference(home, "baseAttachmentPath")
    cards, trashed = dict[Path, CatalogueCard](), list[str]()
    for key, item, path, binned in rows:
        file = _located(str(path), str(key), storage, base)
        if file is None or file.suffix.lower() not in _KINDS:
            continue
        if binned:
            trashed += [str(key)] if file.is_relative_to(storage) else []
        elif file.is_file():
            cards[file] = facts.get(item, CatalogueCard())
    return ZoteroLibrary(storage, cards, tuple(sorted(trashed)))


_BINNED = "(SELECT itemID FROM deletedItems)"
_ATTACHMENTS = f"""SELECT i.key, coalesce(a.parentItemID, a.itemID), a.path,
    a.itemID IN {_BINNED} OR coalesce(a.parentItemID, 0) IN {_BINNED}
FROM itemAttachments a JOIN items i ON i.itemID = a.itemID
WHERE a.path IS NOT NULL AND a.linkMode IN (0, 1, 2) ORDER BY i.itemID"""
_FIELDS = """SELECT d.itemID, f.fieldName, v.value FROM itemData d
JOIN fields f ON f.fieldID = d.fieldID JOIN itemDataValues v ON v.valueID = d.valueID"""
_CREATORS = """SELECT ic.itemID, t.creatorType, c.firstName, c.lastName FROM itemCreators ic
JOIN creators c ON c.creatorID = ic.creatorID
JOIN creatorTypes t ON t.creatorTypeID = ic.creatorTypeID ORDER BY ic.itemID, ic.orderIndex"""
_TAGS = """SELECT it.itemID, t.name FROM itemTags it JOIN tags t ON t.tagID = it.tagID
ORDER BY it.itemID, t.name"""


def _facts(database: sqlite3.Connection) -> dict[int, CatalogueCard]:
    """What the library says of each of its items, by number."""
    fields: dict[int, dict[str, str]] = defaultdict(dict)
    for item, name, value in database.execute(_FIELDS):
        fields[item][name] = clean(str(value))
    creators: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for item, kind, first, last in database.execute(_CREATORS):
        creators[item].append((kind, clean(f"{first or ''} {last or ''}")))
    tags: dict[int, list[str]] = defaultdict(list)
    for item, name in database.execute(_TAGS):
        tags[item].append(clean(str(name)))
    return {
        item: CatalogueCard(
            title=_first(fields[item], _TITLES),
            author=_authors(creators[item]),
            date=_date(fields[item].get("date", "")),
            source=_first(fields[item], _OUTLETS),
            tags=tuple(filter(None, tags[item])),
        )
        for item in {*fields, *creators, *tags}
    }


def _first(fields: Mapping[str, str], names: Iterable[str]) -> str:
    return next((fields[name] for name in names if fields.get(name)), "")


def _authors(creators: list[tuple[str, str]]) -> str:
    """Who wrote it; where nobody is said to have, who edited it, or whoever is named."""
    for wanted in ("author", "editor", ""):
        if names := [name for kind, name in creators if name and wanted in ("", kind)]:
            return ", ".join(names)
    return ""


def _date(stored: str) -> str:
    """`2020-03-00 March 2020`, as Zotero keeps it, as far as it is known: `2020-03`."""
    found = re.match(r"(\d{4})-(\d\d)-(\d\d)", stored)
    if not found or found[1] == "0000":
        return ""
    known = [found[1]]
    for part in (found[2], found[3]):
        if part == "00":
            break
        known.append(part)
    return "-".join(known)


def _located(path: str, key: str, storage: Path, base: str) -> Path | None:
    """Where an attachment lies; None when that is not known here."""
    if path.startswith("storage:"):
        name = path.removeprefix("storage:")
        return storage / key / name if name and "/" not in name and "\\" not in name else None
    if path.startswith("attachments:"):
        if not base:
            return None
        path = str(Path(base) / path.removeprefix("attachments:"))
    try:
        return roots.settled(path) if Path(path).is_absolute() else None
    except InputError:
        return None


@contextmanager
def _copied(database: Path) -> Iterator[Path]:
    """A copy of a database that somebody else may be writing, with its journal.

    What had begun when it was copied is taken back when the copy is opened, as after a crash. One
    that was written meanwhile is copied anew.
    """
    beside = [database.with_name(database.name + end) for end in ("", "-journal", "-wal")]
    with TemporaryDirectory(prefix="pilcrow-") as folder:
        for _ in range(_TRIES):
            before = [_state(path) for path in beside]
            for path in beside:
                (Path(folder) / path.name).unlink(missing_ok=True)
                with suppress(FileNotFoundError):
                    shutil.copyfile(path, Path(folder) / path.name)
            if [_state(path) for path in beside] == before:
                break
        yield Path(folder) / database.name


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns


# --- where it lies ------------------------------------------------------------------------


def _named(given: str) -> Path | None:
    """The folder that somebody names; no shell opens a `~` behind `zotero:`."""
    if not given:
        return None
    try:
        return Path(given).expanduser()
    except RuntimeError:  # nobody is called so here, which whoever looks is told
        return Path(given)


def _data_folder(home: Path) -> Path:
    """Where Zotero keeps its data: as its preferences say, else where it does by itself."""
    return Path(_preference(home, "dataDir") or home / "Zotero")


def _preference(home: Path, name: str) -> str:
    """A preference of the Zotero that was used last; empty when it has not been set."""
    wanted = re.compile(rf'^user_pref\("extensions\.zotero\.{name}", ("(?:[^"\\]|\\.)*")\);', re.M)
    for file in sorted(_preferences(home), key=_touched, reverse=True):
        with suppress(OSError, ValueError):
            if found := wanted.search(file.read_text(encoding="utf-8", errors="replace")):
                return str(json.loads(found[1]))
    return ""


def _preferences(home: Path) -> Iterator[Path]:
    if sys.platform == "darwin":
        yield from home.glob("Library/Application Support/Zotero/Profiles/*/prefs.js")
    elif sys.platform == "win32":
        yield from Path(os.environ.get("APPDATA", home)).glob("Zotero/Zotero/Profiles/*/prefs.js")
    else:
        yield from home.glob(".zotero/zotero/*/prefs.js")


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
