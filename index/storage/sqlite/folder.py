"""A library's folder: made when it is missing, how big it is, and the one right to write in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from index.errors import LibraryBusy, LibraryUnwritable
from index.storage.sqlite import database
from index.system import files

_LOCK, _HOLDER = "write.lock", "writer.json"


def make_library(folder: Path) -> None:
    """Make an empty library, unless somebody else does.

    Raises:
        LibraryBusy: when another process holds the right to write.
        LibraryUnwritable: when the disk or its permissions refuse.
    """
    try:
        files.make_folder(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    with write_lock(folder, wait=10):
        if not (folder / database.FILE).exists():
            try:
                database.create(folder / database.FILE)
            except OSError as error:
                raise _unwritable(folder, error) from error


@contextmanager
def write_lock(folder: Path, wait: float = 0.2) -> Iterator[None]:
    """The right to write in a library's folder; the system takes it back from a dead process.

    Args:
        folder: the library's.
        wait: seconds to wait for it.

    Raises:
        LibraryBusy: when another process holds it.
        LibraryUnwritable: when the disk or its permissions refuse.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / _LOCK, wait, mode=files.FILE_MODE, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise LibraryBusy(
            f"{_holder(folder / _HOLDER)} is changing this library. Try again when it is done"
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        with suppress(OSError):  # it only serves the message above
            files.open_private(folder / _HOLDER)
            (folder / _HOLDER).write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
        yield
    finally:
        lock.release()


def folder_size(folder: Path) -> int:
    """Bytes of a folder's own files, as far as they can be seen."""
    total = 0
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):  # it is being replaced just now
                total += path.stat().st_size if path.is_file() else 0
    return total


def _unwritable(folder: Path, error: OSError) -> LibraryUnwritable:
    return LibraryUnwritable(
        f"{str(folder)!r} cannot be written ({error.strerror}). Make the folder writable for you, "
        "free some space, or choose another with --store"
    )


def _holder(path: Path) -> str:
    """The process that is writing, by its number if that can be read."""
    try:
        return f"process {int(json.loads(path.read_text(encoding='utf-8'))['pid'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
