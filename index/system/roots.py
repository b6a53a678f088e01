"""Paths as the disk shows them now: there, gone, or not to be seen; and one name for each.

What cannot be seen is not gone: a disk that is not mounted, a share that fails, a folder that is
closed to us. Nothing here raises for what the disk says.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from index.errors import InputError


@dataclass(frozen=True, slots=True)
class Look:
    """What is at a path."""

    kind: Literal["file", "folder", "missing", "closed"]
    """`closed`: the system does not say; `file` is whatever is no folder."""
    reason: str = ""
    """Why nothing can be seen, for `closed`."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a document's file cannot be seen, though nobody deleted it for all we know."""

    path: Path
    """The folder it hangs on."""
    reason: str
    empty: bool = False
    """The folder can be read, and nothing is in it: as where a disk is not mounted."""


def look(path: Path) -> Look:
    """What is at a path now."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return Look("missing")
    except (OSError, ValueError) as error:  # ValueError: no file could have such a name
        return Look("closed", why(error))
    return Look("folder" if stat.S_ISDIR(mode) else "file")


def why(error: Exception) -> str:
    """A failure of the disk in a few words, in lower case."""
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return (getattr(error, "strerror", "") or str(error)).lower()


def settled(path: object) -> Path:
    """The absolute path of a file or folder, the same whichever way leads there.

    Links and `..` on the way are resolved; the last name stays, for it is what the person calls it.

    Raises:
        InputError: when it is no path.
    """
    if not isinstance(path, str | os.PathLike) or path == "":
        raise InputError(f"a path is a text or a Path, not {path!r}")
    try:
        given = Path(path).absolute()
        if given.name in ("", ".."):
            return Path(os.path.realpath(given))
        return Path(os.path.realpath(given.parent)) / given.name
    except FileNotFoundError as error:
        raise InputError("the folder you are in is gone: change to another one") from error
    except TypeError as error:
        raise InputError(f"a path is a text or a Path, not {path!r}") from error
    except ValueError:  # no file can have such a name, which whoever looks is told
        return given


def real(path: Path) -> Path:
    """The path with every link resolved, as far as it can be seen."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        return path


class Causes:
    """Tells a file that was deleted from one that is away. Looks at each folder once."""

    def __init__(self) -> None:
        """Look at the disk as it is from now on."""
        self._look = cache(look)
        self._listed = cache(_listed)

    def of(self, path: Path, place: Path) -> Cause | None:
        """Why a file cannot be seen; None when it is there, or was deleted.

        Args:
            path: the file.
            place: the folder it was added with, or the file itself.
        """
        seen = look(path)
        if seen.kind == "closed":
            return Cause(path.parent, seen.reason)
        if seen.kind != "missing":
            return None
        base = path.parent if place == path else place
        for folder in path.parents:
            there = self._look(folder)
            if there.kind == "closed":
                return Cause(folder, there.reason)
            if there.kind != "missing":
                return self._listed(folder)
            if folder == base:
                break
        return Cause(base, "the folder is gone, or its disk is not mounted")


def _listed(folder: Path) -> Cause | None:
    """Why a folder tells nothing about what was in it; None when it does."""
    try:
        with os.scandir(folder) as inside:
            if next(inside, None) is not None:
                return None
    except NotADirectoryError:
        return None
    except OSError as error:
        return Cause(folder, why(error))
    return Cause(folder, "the folder is empty: is its disk mounted?", empty=True)
