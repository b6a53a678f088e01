"""New files beside old ones, put in their place by rename: a reader sees the old or the new."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_NEW = ".new"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends well, for good.

    Raises:
        OSError: when the disk refuses; then `path` is as it was, and nothing is left beside it.
    """
    new = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_NEW}")
    try:
        with new.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Take away what writers that were killed left beside their files."""
    for leftover in folder.glob(f"*{_NEW}"):
        with suppress(OSError):  # the next writer tries again
            leftover.unlink()


def _sync_folder(folder: Path) -> None:
    # a rename is atomic at once but on disk only when its folder is synced
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
