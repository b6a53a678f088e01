"""New files beside old ones, put in their place by rename: a reader sees the old or the new."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_NEW = ".new"
_MAKING = "making-"
_STALE = 3600.0
"""Seconds after which a folder in the making is nobody's; the longest takes half a minute."""


def cache_folder() -> Path:
    """The user's cache folder for what can be made again; nothing is made."""
    import platformdirs

    return platformdirs.user_cache_path("pilcrow", appauthor=False)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends well, for good.

    Raises:
        OSError: when the disk refuses; then `path` is as it was, and nothing is left beside it.
    """
    new, file = _begun(path)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            new.replace(path)  # while it is held, so that nobody sweeps it away before
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of `folder` when the block ends well.

    For what can be made again: where two do so at the same time, either one's stays.

    Raises:
        OSError: when the disk refuses; then `folder` is as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f"{_MAKING}*"):  # of somebody who was killed
        if time.time() - leftover.stat().st_mtime > _STALE:
            shutil.rmtree(leftover, ignore_errors=True)
    place = tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=_MAKING, ignore_cleanup_errors=True
    )
    with place as beside:
        new = Path(beside) / "new"
        new.mkdir()
        yield new
        with suppress(OSError):  # there is none
            folder.rename(Path(beside) / "old")
        with suppress(OSError):  # another process was faster
            new.rename(folder)


def sweep(folder: Path) -> None:
    """Take away what killed writers left beside their files, and nothing of those who live."""
    for leftover in folder.glob(f"*{_NEW}"):
        with suppress(OSError), leftover.open("rb") as file:  # the next writer tries again
            _hold(file, wait=False)
            leftover.unlink()


def _begun(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `path`, held."""
    while True:
        new = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_NEW}")
        file = new.open("xb")
        with suppress(OSError):  # a file system without locks: then nobody sweeps either
            _hold(file, wait=True)
        if os.fstat(file.fileno()).st_nlink:
            return new, file
        file.close()  # swept away between the two


def _hold(file: BinaryIO, *, wait: bool) -> None:
    """Hold an open file until it is closed, which the system does for whoever is killed.

    Raises:
        OSError: when somebody else holds it and we do not `wait`.
    """
    try:
        import fcntl
    except ImportError:  # Windows takes away no file that is open
        return
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _sync_folder(folder: Path) -> None:
    # a rename is atomic at once but on disk only when its folder is synced
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
