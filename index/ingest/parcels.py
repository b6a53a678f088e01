"""A parcel of files → documents: what each of many workers does, wherever it runs.

A worker opens the library itself. What it has embedded it keeps as drafts, and it writes whole
documents, so a worker that dies in the middle costs a second's work, and one that did its parcel
twice has changed nothing the second time: a file whose hash is held is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from index.embedding.encoder import Encoder, PassageVectors, SentenceTransformerEncoder
from index.errors import InputError, LibraryBusy, PilcrowError
from index.ingest.changed import ChangedFiles
from index.ingest.discovery import SourceFile, Survey
from index.ingest.embed import BatchEmbedder
from index.ingest.parse import FileParser, ParsedFile
from index.ingest.progress import RunProgress
from index.ingest.write import DocumentWriter
from index.search.opening import open_store
from index.search.vectors import FLAT_UP_TO
from index.storage.postgres.address import Address, Place
from index.storage.store import Store
from index.types import FailedFile, SkippedFile

LOCAL = "local"
_FILES = 16
"""Files of a parcel: what is done again when its worker dies is found unchanged, file by file."""
_TRIES = 3
"""How often a parcel is tried while others hold the same documents, ten seconds each time."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Who reads and embeds an import: processes of a Ray cluster.

    Files and an encoder's folder have to lie at the same paths on all of its machines.
    """

    address: str = LOCAL
    """Of a running cluster, as `ray start --head` tells it; `local` for one of this machine's own
    that begins and ends with the import."""
    count: int = 1
    """Encoders at the same time."""
    threads: int = 1
    """Cores that each of them uses."""
    make_encoder: Callable[[int], Encoder] | None = None
    """An encoder for so many threads; one as the library's when None."""

    def __post_init__(self) -> None:
        """Check.

        Raises:
            InputError: when there would be no worker, or it would have no core.
        """
        if self.count < 1 or self.threads < 1:
            raise InputError("an import needs at least one worker with one thread")

    @property
    def is_local(self) -> bool:
        """Whether they are this machine's own."""
        return self.address == LOCAL


@dataclass(frozen=True, slots=True)
class WorkPlan:
    """What a worker has to know."""

    place: Place
    encoder_folder: Path | None
    threads: int
    named: frozenset[Path] = frozenset()
    """The files that a person asked for by name."""
    make_encoder: Callable[[int], Encoder] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether workers write what they made; else they hand it back."""
        return isinstance(self.place, Address)


@dataclass(frozen=True, slots=True)
class ParcelReport:
    """What became of a parcel's files."""

    files: int = 0
    """How many there were."""
    written: tuple[SourceFile, ...] = ()
    unchanged: tuple[SourceFile, ...] = ()
    failed: tuple[FailedFile, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    embedded: int = 0
    reused: int = 0
    parsed: tuple[ParsedFile, ...] = ()
    """Files that are still to be written."""
    vectors: tuple[tuple[bytes, PassageVectors], ...] = field(default=(), repr=False)
    """Of those among their passages that the library had none of, with what each depends on."""
    error: PilcrowError | None = None
    """Why the whole import cannot go on."""


def parcels(files: Sequence[SourceFile]) -> list[tuple[SourceFile, ...]]:
    """Files in parcels for one worker each, in order."""
    return [tuple(files[at : at + _FILES]) for at in range(0, len(files), _FILES)]


class ParcelWorker:
    """One worker: one encoder, one library, parcel after parcel."""

    def __init__(self, plan: WorkPlan) -> None:
        """Nothing is opened or loaded before the first parcel."""
        self._plan = plan
        self._opened: tuple[Store, Encoder] | None = None

    def work(self, parcel: Sequence[SourceFile]) -> ParcelReport:
        """What became of a parcel; a reason why it cannot be worked on is part of that."""
        try:
            for _ in range(_TRIES - 1):
                try:
                    return self._work(parcel)
                except LibraryBusy:  # others write the same documents: what is done is done
                    continue
            return self._work(parcel)
        except PilcrowError as error:
            return ParcelReport(error=error)

    def _work(self, parcel: Sequence[SourceFile]) -> ParcelReport:
        store, encoder = self._open()
        progress = RunProgress(None, None)
        parser = FileParser(encoder, progress)
        changed = ChangedFiles(store, parser, progress)
        batch = [
            parsed
            for file in parcel
            if (parsed := changed.read(file, self._plan.named)) is not None
        ]
        vectors: list[tuple[bytes, PassageVectors]] = []
        if self._plan.is_shared:
            embedder = BatchEmbedder(store, encoder, parser, progress)
            if batch:
                with store.changing():
                    DocumentWriter(store, encoder, embedder, progress).add(batch, Survey())
        else:
            embedder = BatchEmbedder(store, encoder, parser, progress, keep=vectors.extend)
            embedder.embed(batch)
        told = progress.report
        return ParcelReport(
            files=len(parcel),
            written=tuple(parsed.file for parsed in batch) if self._plan.is_shared else (),
            unchanged=tuple(file for file in parcel if file.id in told.unchanged),
            failed=tuple(told.failed),
            skipped=told.skipped,
            embedded=told.embedded,
            reused=told.reused,
            parsed=() if self._plan.is_shared else tuple(batch),
            vectors=tuple(vectors),
        )

    def _open(self) -> tuple[Store, Encoder]:
        if self._opened is None:
            plan = self._plan
            store, _ = open_store(plan.place, False, plan.threads, FLAT_UP_TO)
            make = plan.make_encoder or self._encoder_like_the_librarys
            self._opened = store, make(plan.threads)
        return self._opened

    def _encoder_like_the_librarys(self, threads: int) -> Encoder:
        return SentenceTransformerEncoder(self._plan.encoder_folder, threads=threads)
