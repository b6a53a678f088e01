"""What stands behind every interface for programs: questions, searches and changes, off the loop.

Everything that blocks runs in a thread; whoever goes away ends what was done for them.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread

from index import Library
from index.errors import LibraryBusy, LibraryUnwritable
from index.system import roots
from index.system.files import make_folder
from index.types import EVERYWHERE, Hit, Progress, Receipt, SearchScope, UpdateReport
from rag import Assistant
from rag.replies.streams import aanswer, astream
from rag.types import Answer
from ui.api.errors import ApiError, unknown_document
from ui.api.metrics import Metrics
from ui.api.scope import Filters, scope_of
from ui.http.accounts.permitted import require
from ui.http.accounts.sharing import Share, Shared
from ui.page import upload_copies
from ui.page.middleware.uploads import bare, clear

AT_ONCE = 32
"""Questions answered at the same time; each holds a thread while it waits for the model."""
_OTHER_THREADS = 8
"""Threads for all else."""
_RECEIVED = "received"
"""The folder, in the library's, for files on their way in; the page has another, `incoming`."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with all that goes along with it."""

    question: str
    history: Sequence[tuple[str, str]] = ()
    filters: Filters = field(default_factory=Filters)
    explain: bool = False


class Service:
    """Answers questions from a library, and changes it."""

    def __init__(
        self,
        assistant: Assistant,
        library: Library,
        metrics: Metrics | None = None,
        shared: Shared | None = None,
    ) -> None:
        """Answer with `assistant` from `library`, and count it; for those alone who share it."""
        self.whole = library
        """All of the library: for its state and its files, never for what is answered."""
        self._everybodys = Share(assistant, library)
        self._shared = shared
        self.metrics = metrics or Metrics()
        self._seats = threading.Semaphore(AT_ONCE)
        self._changing = threading.Lock()
        clear(library.path / _RECEIVED)  # what a killed one has left there
        self._threads: tuple[anyio.CapacityLimiter, anyio.CapacityLimiter] | None = None

    @property
    def assistant(self) -> Assistant:
        """Who answers whoever asks."""
        return self._share.assistant

    @property
    def library(self) -> Library:
        """The library as whoever asks may use it."""
        return self._share.library

    @property
    def _share(self) -> Share:
        return self._shared.now() if self._shared else self._everybodys

    # --- asking ---------------------------------------------------------------------------

    async def answer(
        self, asked: Asked, interface: str, stop: Callable[[], bool] | None = None
    ) -> Answer:
        """The whole answer."""
        with self._seat():
            scope = await self._scope(asked.filters)
            answer = await aanswer(
                self.assistant, asked.question, asked.history, stop=stop, limiter=self._limiter(0),
                scope=scope, explain=asked.explain,
            )  # fmt: skip
        self.metrics.answered(interface, answer)
        return answer

    async def stream(self, asked: Asked, interface: str) -> AsyncGenerator[Answer]:
        """The answer as it grows."""
        with self._seat():
            scope = await self._scope(asked.filters)
            snapshots = astream(
                self.assistant, asked.question, asked.history, limiter=self._limiter(0),
                scope=scope, explain=asked.explain,
            )  # fmt: skip
            async with aclosing(snapshots):
                async for snapshot in snapshots:
                    self.metrics.saw(snapshot)
                    if snapshot.complete:
                        self.metrics.answered(interface, snapshot)
                    yield snapshot

    async def search(self, query: str, k: int, filters: Filters) -> list[Hit]:
        """The passages nearest to a query."""
        scope = await self._scope(filters)
        return await self.work(lambda: self.library.search(query, k, scope=scope))

    async def _scope(self, filters: Filters) -> SearchScope:
        if filters == Filters():
            return EVERYWHERE
        return await self.work(lambda: scope_of(self.library, filters))

    async def work(self, do: Callable[[], _T]) -> _T:
        """What `do` returns, done in a thread."""
        return await to_thread.run_sync(do, limiter=self._limiter(1))

    @contextmanager
    def _seat(self) -> Iterator[None]:
        if not self._seats.acquire(blocking=False):
            self.metrics.refused()
            words = f"{AT_ONCE} questions are being answered already. Try again in a moment."
            raise ApiError(429, words, "too_many_questions", Retry_After="1")
        try:
            with self.metrics.answering():
                yield
        finally:
            self._seats.release()

    def _limiter(self, which: int) -> anyio.CapacityLimiter:
        if self._threads is None:  # made on the loop that uses it
            self._threads = anyio.CapacityLimiter(AT_ONCE), anyio.CapacityLimiter(_OTHER_THREADS)
        return self._threads[which]

    # --- changing -------------------------------------------------------------------------

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A new folder for what is sent by one request: its owner's alone, gone with the block.

        Raises:
            LibraryUnwritable: when the disk refuses what is put there.
        """
        require(self.library, "editor")
        folder = self.library.path / _RECEIVED / uuid.uuid4().hex
        try:
            make_folder(folder)
            yield folder
        except OSError as error:
            reason = f"what was sent cannot be kept ({roots.why(error)})"
            raise LibraryUnwritable(f"{reason}. Make room, then send it again") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, folder: Path) -> tuple[UpdateReport, dict[str, str]]:
        """Takes in the files of one request; the report, and what renamed files asked to be called.

        Raises:
            LibraryBusy: when something else changes the library.
        """
        with self._alone():
            try:
                held = {record.content_hash: record.id for record in self.library.documents()}
                home = upload_copies.folder_of(self.library)
                files = sorted(map(str, folder.glob("*/*")))
                parcel = upload_copies.take_in(files, home, held)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            paths = [home / name for name in parcel.names]
            report = UpdateReport()
            try:
                if paths:
                    report = self.library.update(paths, folder=home)
            finally:  # what could not be read is nobody's: whoever sent it has it still
                upload_copies.discard(self.whole, map(str, paths))
            same = tuple(id_ for _, id_ in parcel.held)
            failed = tuple(replace(failure, path=bare(failure.path)) for failure in report.failed)
            report = replace(
                report, failed=(*failed, *parcel.failed), unchanged=(*report.unchanged, *same)
            )
            return report, dict(parcel.renamed)

    def remove(self, document_id: str) -> Receipt:
        """Takes a document out; a copy of ours goes with it.

        Raises:
            ApiError: when there is none.
            LibraryBusy: when something else changes the library.
        """
        require(self.library, "editor")
        with self._alone():
            if all(record.id != document_id for record in self.library.documents()):
                raise unknown_document(document_id)
            receipt = self.library.remove([document_id])
            upload_copies.discard(self.whole, [origin.path for origin in receipt.origins])
            return receipt

    def rebuild(
        self,
        *,
        full: bool,
        forget: bool,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> UpdateReport:
        """Reads every place that was ever added again.

        Raises:
            LibraryBusy: when something else changes the library.
        """
        with self._alone():
            return self.library.rebuild(
                full=full, forget=forget, progress=progress, cancelled=cancelled
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._changing.acquire(blocking=False):
            raise LibraryBusy("the library is being changed; try again when that is done")
        try:
            yield
        finally:
            self._changing.release()
