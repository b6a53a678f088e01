"""Which files of a folder a person does not want: `.pilcrowignore`, and globs given with a place.

Both are read as Git reads `.gitignore`: the file nearest to a path decides, `!` takes back, and
what lies in an ignored folder is ignored with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from index.system.roots import why

FILE = ".pilcrowignore"
"""Lines of globs, in any folder of a place."""
_LARGEST = 100_000
"""Bytes of such a file; nobody writes more by hand."""


class IgnoreRules:
    """What is ignored in one folder that was added. Each file of globs is read once."""

    def __init__(
        self,
        root: Path,
        globs: Sequence[str] = (),
        onerror: Callable[[Path, str], None] = lambda path, reason: None,
    ) -> None:
        """Rules for what is below `root`.

        Args:
            root: the folder that was added.
            globs: what was given with it; they come before any file's.
            onerror: told of each file of globs that cannot be read, with the reason.
        """
        self._root, self._report = root, onerror
        self._given = GitIgnoreSpec.from_lines(globs) if globs else None
        self._specs: dict[Path, GitIgnoreSpec | None] = {}

    def ignores(self, path: Path, is_folder: bool = False) -> bool:
        """Whether a path below the root is ignored by itself, its folders not considered."""
        end = "/" if is_folder else ""
        if self._given and self._given.match_file(path.relative_to(self._root).as_posix() + end):
            return True
        for folder in path.parents:
            if spec := self._spec(folder):
                decided = spec.check_file(path.relative_to(folder).as_posix() + end).include
                if decided is not None:
                    return decided
            if folder == self._root:
                break
        return False

    def ignores_within(self, path: Path) -> bool:
        """Whether a file below the root is ignored, or any folder that it lies in."""
        above = [up for up in path.parents if up != self._root and up.is_relative_to(self._root)]
        return any(self.ignores(up, True) for up in reversed(above)) or self.ignores(path)

    def _spec(self, folder: Path) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            self._specs[folder] = self._read(folder / FILE)
        return self._specs[folder]

    def _read(self, file: Path) -> GitIgnoreSpec | None:
        try:
            if not file.is_file():
                return None
            if file.stat().st_size > _LARGEST:
                raise ValueError(f"too big for a list of globs: limit {_LARGEST // 1000} kB")
            return GitIgnoreSpec.from_lines(file.read_text("utf-8-sig").splitlines())
        except (OSError, ValueError) as error:  # ValueError: no UTF-8, or no glob
            self._report(file, why(error))
            return None
