"""New files beside old ones, put in their place by rename: a reader sees the old or the new."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

_NEW = ".new"


def beside(path: Path) -> Path:
    """A name in the same folder that nobody else uses; `sweep` knows it."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}{_NEW}")


def publish(new: Path, path: Path) -> None:
    """Let a file that is written and synced take the place of `path`, for good."""
    new.replace(path)
    # a rename is atomic at once but on disk only when its folder is synced
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Take away what interrupted writers left beside their files."""
    for leftover in folder.glob(f"*{_NEW}*"):
        with suppress(OSError):  # the next writer tries again
            leftover.unlink()
