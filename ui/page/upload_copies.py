"""What was uploaded, in the library's folder: taken in under a name of its own, deleted in the end.

A copy stays as long as its document, or as long as removing that can be undone. No copy takes the
place of another. A copy is deleted only after its document: a crash between the two leaves a file
that is known to be removed, and the next start deletes it.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from index import Library
from index.errors import PilcrowError
from index.ingest.discovery import hash_of
from index.sources import web
from index.system import roots
from index.types import FailedFile
from ui.page.middleware.uploads import bare

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Uploaded files, taken in."""

    names: tuple[str, ...] = ()
    """What they are called in their folder."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Those of another name than they came with, and that name: it was another file's already."""
    held: tuple[tuple[str, str], ...] = ()
    """Names of those whose text the library has already, and the document that it is."""
    failed: tuple[FailedFile, ...] = ()
    replaced: tuple[str, ...] = ()
    """Those that took the place of a file of their name, which is kept aside until `tidy`."""


def folder_of(library: Library) -> Path:
    """Where a library keeps what was uploaded."""
    return roots.settled(library.path / "uploads")


def take_in(
    files: Iterable[str],
    folder: Path,
    held: Mapping[str, str],
    replacing: Collection[str] = (),
) -> Parcel:
    """Moves uploaded files into `folder`; one caller at a time.

    A name is hostile: only its last part is used, without leading dots or control characters.

    Args:
        files: where they are now.
        folder: made when it is missing.
        held: ids of documents by the hash of their content; what is there is not taken in again.
        replacing: names of files that are to take the place of those called so.
    """
    names, renamed, known, failed = list[str](), [], [], []
    replaced = list[str]()
    for file in map(Path, files):
        name = bare(file.name)
        try:
            hash_ = hash_of(file)
            if hash_ in held:
                known.append((name, held[hash_]))
                file.unlink()
                continue
            folder.mkdir(0o700, parents=True, exist_ok=True)
            if name in replacing and name not in names and (folder / name).is_file():
                (folder / name).replace(_aside(folder / name))
                replaced.append(name)
            free = _free_name(name, folder, hash_, names)
            _move(file, folder / free)
        except OSError as error:
            failed.append(FailedFile(name, roots.why(error)))
            continue
        names.append(free)
        if free != name:
            renamed.append((free, name))
    return Parcel(tuple(names), tuple(renamed), tuple(known), tuple(failed), tuple(replaced))


def _aside(path: Path) -> Path:
    """Where a replaced file is kept: hidden, so that no place ever reads it."""
    return path.with_name(f".{path.name}.before")


def put_back(folder: Path, names: Iterable[str]) -> list[Path]:
    """The files of these names that were replaced, in their places again."""
    paths = [folder / name for name in names]
    there = [path for path in paths if _aside(path).is_file()]
    for path in there:
        _aside(path).replace(path)
    return there


def forget_replaced(library: Library, names: Iterable[str] | None = None) -> None:
    """Deletes what was kept aside of files of these names, or of all; none can be put back then."""
    folder = folder_of(library)
    kept = folder.glob(".*.before") if names is None else (_aside(folder / n) for n in names)
    for path in kept:
        with suppress(OSError):
            path.unlink()


def _free_name(name: str, folder: Path, hash_: str, taken: Collection[str]) -> str:
    """`name`, or with a number where another file is called so."""
    path, number = Path(name), 1
    while True:
        free = name if number == 1 else f"{path.stem} ({number}){path.suffix}"
        there = folder / free
        # the very same file may lie there: for undoing, or since a crash kept it from being read
        same = free not in taken and bool(hash_) and hash_of(there) == hash_
        if same or not os.path.lexists(there):
            return free
        number += 1


def _move(file: Path, to: Path) -> None:
    """Moves a file from anywhere; under its new name it is there whole or not at all."""
    partial = to.with_name(f".{to.name}.part")
    shutil.move(file, partial)
    partial.chmod(0o600)
    partial.replace(to)


def tidy(library: Library, keep: Collection[str] = ()) -> None:
    """Deletes the copies of removed documents, but those that may be taken back.

    Args:
        library: whose they are.
        keep: paths of files that undoing needs.
    """
    discard(library, (path for path in library.removed_files() if path not in keep))


def discard(library: Library, paths: Iterable[str]) -> None:
    """Deletes those of some files that are copies of ours, and no document's any more.

    Copies are what was uploaded, and what was fetched from the web.

    What cannot be deleted now stays known as removed; the next `tidy` tries again.
    """
    folder = roots.real(folder_of(library))
    held = {record.path for record in library.documents()}
    unheld = [path for path in paths if path not in held]
    ours = [path for path in unheld if roots.real(Path(path).parent) == folder]
    gone = web.discard(library.path, unheld)
    for path in ours:
        with suppress(OSError):
            Path(path).unlink(missing_ok=True)
            gone.append(path)
    noted = library.removed_files().intersection(gone) if gone else ()
    try:
        if noted:
            library.forget_removed(noted)
    except PilcrowError as error:  # somebody else is writing: it does no harm to note it longer
        log.info("removed files are noted still: %s", error)
