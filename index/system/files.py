"""New files beside old ones, put in their place by rename: a reader sees the old or the new.

What is written is its owner's alone, whatever the umask: texts, questions and answers are nobody
else's business on a machine that many use.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import util
from pathlib import Path
from typing import BinaryIO

FOLDER_MODE, FILE_MODE = 0o700, 0o600
_OTHERS = 0o077
LIBRARY_FILE = "library.sqlite"
LIBRARY_APPLICATION = 0x50494C43
"""'PILC', in SQLite's application_id."""
# Everything that a library's folder holds, whoever wrote it; names that begin so are ours.
_LIBRARYS = (LIBRARY_FILE, "conversations", "vectors.cache", "words.cache", "write.lock",
             "writer.json", "feedback", "seal.key", "uploads", "incoming", "fetched", "accounts",
             "audit.jsonl")  # fmt: skip
_NEW = ".new"
_MAKING = "making-"
_STALE = 3600.0
"""Seconds after which a folder in the making is nobody's; the longest takes half a minute."""


def is_library(folder: Path) -> bool:
    """Whether a folder is a library's own: the head of its file says so."""
    path = folder / LIBRARY_FILE
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as file:
            head = file.read(72)
    except OSError:
        return False
    return head[:16] == b"SQLite format 3\0" and head[68:] == LIBRARY_APPLICATION.to_bytes(4, "big")


def cache_folder() -> Path:
    """The user's cache folder for what can be made again; nothing is made."""
    import platformdirs

    return platformdirs.user_cache_path("pilcrow", appauthor=False)


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner can look into; one that is there stays as it is.

    Raises:
        OSError: when the disk refuses.
    """
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def open_private(path: Path) -> None:
    """Make an empty file that only its owner can read; one that is there stays as it is.

    Raises:
        OSError: when the disk refuses.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))


def make_private(folder: Path) -> None:
    """Take a library's folder and files away from everybody but their owner, as far as we own them.

    A folder that holds other things as well stays as it is, its library's files do not.
    """
    if not hasattr(os, "geteuid"):  # Windows keeps a user's folders to the user
        return
    with suppress(OSError):  # a folder that cannot be listed
        ours, others = [], False
        for path in folder.iterdir():
            if path.name.startswith(_LIBRARYS):
                ours.append(path)
            else:
                others = True
        for path in ours:
            # what is in it first: when the folder is closed, all of it is done
            if path.is_dir() and not path.is_symlink() and _open_to_others(path):
                for entry in path.rglob("*"):
                    _close(entry)
            _close(path)
        if not others:
            _close(folder)


def _open_to_others(path: Path) -> bool:
    return bool(path.lstat().st_mode & _OTHERS)


def _close(path: Path) -> None:
    """Take away what others may do with a file or folder of ours; links are left alone."""
    with suppress(OSError):  # gone meanwhile, or a file system without rights
        found = path.lstat()
        kind = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
        if kind and found.st_uid == os.geteuid() and found.st_mode & _OTHERS:
            path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)


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
            if _holds_files():
                new.replace(path)  # while it is held, so that nobody sweeps it away before
        if not _holds_files():
            new.replace(path)  # Windows renames no file that is open
        sync_folder(path.parent)
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
    make_folder(folder.parent)
    for leftover in folder.parent.glob(f"{_MAKING}*"):  # of somebody who was killed
        if time.time() - leftover.stat().st_mtime > _STALE:
            shutil.rmtree(leftover, ignore_errors=True)
    place = tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=_MAKING, ignore_cleanup_errors=True
    )
    with place as beside:
        new = Path(beside) / "new"
        new.mkdir(FOLDER_MODE)
        yield new
        with suppress(OSError):  # there is none
            folder.rename(Path(beside) / "old")
        with suppress(OSError):  # another process was faster
            new.rename(folder)


def sweep(folder: Path) -> None:
    """Take away what killed writers left beside their files, and nothing of those who live."""
    for leftover in folder.glob(f"*{_NEW}"):
        with suppress(OSError):  # the next writer tries again
            with leftover.open("rb") as file:
                _hold(file, wait=False)
                if _holds_files():
                    leftover.unlink()
            leftover.unlink(missing_ok=True)  # Windows: none that somebody has open


def _begun(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `path`, held."""
    while True:
        new = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_NEW}")
        file = os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb")
        with suppress(OSError):  # a file system without locks: then nobody sweeps either
            _hold(file, wait=True)
        if os.fstat(file.fileno()).st_nlink:
            return new, file
        file.close()  # swept away between the two


def _holds_files() -> bool:
    """Whether an open file can be held against others, and renamed and deleted all the same."""
    return util.find_spec("fcntl") is not None


def can_replace_mapped() -> bool:
    """Whether a file can be replaced while somebody has it mapped into memory."""
    return _holds_files()


def _hold(file: BinaryIO, *, wait: bool) -> None:
    """Hold an open file until it is closed, which the system does for whoever is killed.

    Raises:
        OSError: when somebody else holds it and we do not `wait`.
    """
    if not _holds_files():  # Windows takes away no file that is open
        return
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def sync_folder(folder: Path) -> None:
    """See that what was renamed in a folder is so on the disk too.

    Raises:
        OSError: when the disk refuses.
    """
    # a rename is atomic at once but on disk only when its folder is synced
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        if _holds_files():
            raise
        return  # Windows opens no folder; its file system keeps a journal of names
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
