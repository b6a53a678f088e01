"""The folder of fetched models: which are there, which is the default, how fast each was.

All libraries of a person share it. What is not whole lies in it under another name.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from index.errors import InputError, LibraryBusy, LibraryUnwritable
from index.system.files import cache_folder, make_folder, replacing
from rag.llm.catalogue.entries import BUNDLED, CatalogueEntry, CatalogueFile, entry_named

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DEFAULT, _SPEEDS = "default.json", "speeds.json"


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model was on this machine."""

    reading: float
    """Tokens of prompt a second."""
    writing: float
    """Tokens of answer a second."""
    threads: int


def models_folder() -> Path:
    """Where fetched models are: PILCROW_MODELS, else in the user's cache; nothing is made."""
    from rag.settings import load_settings

    return load_settings().models or cache_folder() / "models"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder of fetched models; it need not be there."""

    path: Path

    def file(self, entry: CatalogueFile) -> Path:
        """Where the model's file is, or would be."""
        return self.path / entry.file

    def partial_file(self, entry: CatalogueFile) -> Path:
        """Where what has come of the model is kept."""
        return self.path / f"{entry.file}.part"

    def has(self, entry: CatalogueFile) -> bool:
        """Whether the whole file is there; it had its digest when it was put there."""
        return _size(self.file(entry)) == entry.bytes

    def fetched(self, entry: CatalogueFile) -> int:
        """Bytes that are there, of the whole file or of what has come of it."""
        return entry.bytes if self.has(entry) else (_size(self.partial_file(entry)) or 0)

    @contextmanager
    def holding(self, entry: CatalogueFile, *, wait: bool) -> Iterator[None]:
        """While this lasts, no other process changes the model's files.

        Raises:
            LibraryBusy: when one does and we do not `wait`.
            OSError: when the disk refuses.
        """
        make_folder(self.path)
        lock = FileLock(self.path / f"{entry.file}.lock", timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            raise LibraryBusy(
                f"another pilcrow is just fetching {entry.name}: wait for it, or stop it first"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def remove(self, entry: CatalogueFile) -> int:
        """Delete a model with what has come of it, and give the bytes that are free now.

        It is no longer the default either.

        Raises:
            InputError: when there is nothing of it.
            LibraryBusy: while another process fetches it.
            LibraryUnwritable: when the disk refuses.
        """
        freed = sum(_size(path) or 0 for path in (self.file(entry), self.partial_file(entry)))
        if not freed:
            raise InputError(f"{entry.name} is not here: nothing of it in {self.path}")
        with self.writing(), self.holding(entry, wait=False):
            for path in (self.file(entry), self.partial_file(entry)):
                path.unlink(missing_ok=True)
        if self.default == entry.name:
            self.set_default(None)
        return freed

    @property
    def default(self) -> str | None:
        """The name of the model that is used when none is named; None is the bundled one."""
        name = _read(self.path / _DEFAULT).get("name")
        known = isinstance(name, str) and name != BUNDLED and entry_named(name)
        return str(name) if known else None

    @property
    def chosen(self) -> bool:
        """Whether the person has chosen a default, be it the bundled one."""
        return _read(self.path / _DEFAULT).get("name") == BUNDLED or self.default is not None

    def set_default(self, entry: CatalogueEntry | None) -> None:
        """Make a model the one that is used when none is named; None is the bundled one.

        Raises:
            LibraryUnwritable: when the disk refuses.
        """
        with self.writing():
            _write(self.path / _DEFAULT, {"name": entry.name if entry else BUNDLED})

    def speeds(self) -> dict[str, Speed]:
        """What was measured, by name; what cannot be read counts as never measured."""
        speeds = {}
        for name, values in _read(self.path / _SPEEDS).items():
            with suppress(TypeError, ValueError, KeyError):
                reading, writing = float(values["reading"]), float(values["writing"])
                if reading > 0 and writing > 0:
                    speeds[name] = Speed(reading, writing, int(values["threads"]))
        return speeds

    def remember(self, name: str, speed: Speed) -> None:
        """Keep what was measured.

        Raises:
            LibraryUnwritable: when the disk refuses.
        """
        known = {name: asdict(measured) for name, measured in self.speeds().items()}
        with self.writing():
            _write(self.path / _SPEEDS, {**known, name: asdict(speed)})

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While this lasts, what the disk refuses is said in one line, with the way out.

        Raises:
            LibraryUnwritable: when it does.
        """
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise LibraryUnwritable(
                    f"the disk of {self.path} is full; what has come of a model stays there: make "
                    "room and run the same command again"
                ) from None
            raise LibraryUnwritable(
                f"{self.path} cannot be written ({error.strerror or error}): choose another folder "
                "with PILCROW_MODELS"
            ) from None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _write(path: Path, values: dict[str, Any]) -> None:
    make_folder(path.parent)
    with replacing(path) as file:
        file.write(json.dumps(values).encode("ascii"))
