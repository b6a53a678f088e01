"""Work on the library: one change at a time, in a thread, with progress for every tab.

The work belongs to the server, not to a tab: reloading the page or closing it stops nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from index import Library
from index.embedding.encoder import Encoder
from index.errors import InputError, LibraryBusy, PilcrowError
from index.sources import again, web, zotero
from index.sources.fetching import Fetcher
from index.system.roots import look
from index.types import FailedFile, Progress, Receipt, UpdateReport
from ui.http.accounts.permitted import require, whole
from ui.language.catalogue import gettext, plural
from ui.page import upload_copies
from ui.page.middleware.file_data import is_upload
from ui.page.views import jobs
from ui.page.views.html import name_of

_FIRST_TURN, _LARGEST_TURN = 32_000, 512_000
"""Bytes of files that are taken in together: few at first, so that there soon is something to ask
about; each turn may have twice as much as the one before."""
_ENDED = ("done", "unchanged", "failed", "removed", "not done")

log = logging.getLogger(__name__)


@dataclass
class _Task:
    """What is known about the work under way."""

    done_title: str
    only: Sequence[str] | None
    """Names of the files it is about; None for all."""
    details: dict[str, str] = field(default_factory=dict)
    """What to say of files besides how they ended, by name."""
    notes: Sequence[str] = ()
    """The same in a line for all of a kind."""
    adding: bool = False
    """Whether its files cannot be found before it is through with them."""
    final: frozenset[str] = frozenset()
    """Names of files that it is no use to try again."""
    replaced: bool = False
    """Whether files took the place of others, which can be undone."""
    rows: dict[str, jobs.JobRow] = field(default_factory=dict)
    reading: str = ""
    """The file that is being read."""
    stage: str = ""
    stage_began: float = 0.0
    stage_from: int = 0


class OneAtATime:
    """What the runners of several people have in common: one of them works at a time."""

    def __init__(self) -> None:
        """Nobody works."""
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.over.set()
        self.taking_in = threading.Lock()
        self.pending: set[str] = set()
        """Copies that were taken in and wait to be indexed."""
        self.removed: dict[int, frozenset[str]] = {}
        """By runner: files of the documents that its person removed last, and may take back."""
        self.replaced: dict[str, int] = {}
        """By the name of a file that was replaced: the runner that may put it back."""


class JobRunner:
    """Runs one change of the library at a time in a thread and says how far it is.

    Where several people share the library each has one: what is done, and can be undone, by one of
    them is not shown to the others.
    """

    def __init__(
        self, library: Library, fetcher: Fetcher | None = None, others: OneAtATime | None = None
    ) -> None:
        """Work on `library`.

        Args:
            library: what is changed, as whoever changes it may see it.
            fetcher: asks the web for addresses that somebody types.
            others: what is shared with other people's runners; nothing when None.
        """
        self._library = library
        self._fetcher = fetcher or Fetcher()
        self._others = others or OneAtATime()
        self._lock = self._others.lock
        self._view: jobs.JobView | None = None
        self._over = threading.Event()
        self._over.set()
        self._cancel = threading.Event()
        self._taking_in = self._others.taking_in
        self._pending = self._others.pending
        self._jobs = 0
        self._own_replaced: tuple[str, ...] = ()
        """Names of the files that were replaced last."""

    @property
    def _replaced(self) -> tuple[str, ...]:
        """Names of the files that were replaced last, and by nobody else since."""
        mine = self._others.replaced
        return tuple(name for name in self._own_replaced if mine.get(name) == id(self))

    @_replaced.setter
    def _replaced(self, names: tuple[str, ...]) -> None:
        self._own_replaced = names
        self._others.replaced.update(dict.fromkeys(names, id(self)))

    def rebuild(self) -> Iterator[jobs.JobView]:
        """Reads every place that was ever added again; yields progress until it is over."""
        expected = [record.id for record in self._library.documents()]
        rows = {name: jobs.JobRow(name, "waiting") for name in expected}
        return self._run(
            gettext("Rebuilding the library"),
            lambda: again.rebuild(
                self._library, self._fetcher, progress=self._report, cancelled=self._cancel.is_set
            ),
            _Task(gettext("Library rebuilt"), None, rows=rows),
        )

    def embed_anew(self, name: str, find: Callable[[Callable[[Progress], None]], Encoder]) -> int:
        """Embeds every article with another encoder, and gives the job's number at once.

        Questions are answered by the old state until the new one takes its place whole.

        Args:
            name: what the encoder is called.
            find: the encoder, fetched where it is not here; it is given whom to tell how far it is.

        Raises:
            LibraryBusy: when something else is under way.
        """

        def fetching(step: Progress) -> None:
            if self._cancel.is_set():
                raise InputError(gettext("stopped; what came is kept"))
            self._report(step)

        def work() -> UpdateReport:
            return self._library.rebuild(
                encoder=find(fetching), progress=self._report, cancelled=self._cancel.is_set
            )

        rows = {r.id: jobs.JobRow(r.id, "waiting") for r in self._library.documents()}
        with self._alone():
            pass
        task = _Task(gettext("Your articles are read with {name} now", name=name), None, rows=rows)
        next(self._run(gettext("Embedding anew with {name}", name=name), work, task), None)
        return self._jobs

    @property
    def view(self) -> jobs.JobView | None:
        """The work under way, or what was done last."""
        return self._view

    def add(
        self,
        files: Sequence[str],
        left_out: Sequence[FailedFile] = (),
        replacing: Collection[str] = (),
        collection: str = "",
    ) -> Iterator[jobs.JobView]:
        """Copies files into the library's folder and indexes these alone; yields progress.

        The smallest come first and are in the library when they are ready: a long one holds up
        nobody. A file whose name is taken gets a numbered one, unless it is to take the other's
        place; one whose text is there is not taken in.

        Args:
            files: where they are now; others than uploads of the page are left where they are.
            left_out: what was to be added with them and cannot be; reported as failed.
            replacing: names of files that are to take the place of those called so.
            collection: what they are put into; empty for none.
        """
        require(self._library, "editor")
        incoming = self._library.path / "incoming"
        own = [file for file in dict.fromkeys(files) if is_upload(file, incoming)]
        strangers = [Path(file).name for file in files if file not in own]
        left_out = [
            *left_out,
            *(FailedFile(name, gettext("was not uploaded here")) for name in strangers),
        ]
        parcel = self._take_in(own, replacing)
        failed = (*parcel.failed, *left_out)
        only = [*parcel.names, *(name for name, _ in parcel.held), *(file.path for file in failed)]
        count = plural(len(only), "file")
        details, notes = _remarks_on(parcel)
        task = _Task(
            gettext("Finished with {files}", files=count), only, details, notes, adding=True,
            final=frozenset(file.path for file in left_out),
            rows={name: jobs.JobRow(name, "waiting") for name in parcel.names},
        )  # fmt: skip
        work = partial(self._index_copies, parcel, failed, collection)
        return self._run(gettext("Adding {files}", files=count), work, task)

    def _take_in(self, files: Sequence[str], replacing: Collection[str]) -> upload_copies.Parcel:
        """The copies of uploads in the library's folder, which wait to be indexed."""
        folder = upload_copies.folder_of(self._library)
        with self._taking_in:
            held = {record.content_hash: record.id for record in self._library.documents()}
            upload_copies.forget_replaced(self._library, self._replaced)
            if whole(self._library) is not self._library:  # of others' files no name is taken
                replacing = set(replacing).intersection(self.taken_names)
            parcel = upload_copies.take_in(files, folder, held, replacing)
            self._pending.update(str(folder / name) for name in parcel.names)
            self._replaced = parcel.replaced
        return parcel

    def _index_copies(
        self, parcel: upload_copies.Parcel, failed: Sequence[FailedFile], collection: str
    ) -> UpdateReport:
        """The report of indexing copies; those that did not come in make room for what was there.

        Args:
            parcel: the copies.
            failed: what was to be added with them and cannot be.
            collection: what they are put into; empty for none.
        """
        folder = upload_copies.folder_of(self._library)
        paths = [folder / name for name in parcel.names]
        for file in failed:
            self._note(file.path, "failed", file.reason)
        for name, _ in parcel.held:
            self._note(name, "unchanged")
        report = self._update_in_turns(paths, folder, collection)
        self._pending.difference_update(map(str, paths))
        # what could not be read, or was cancelled, leaves what it was to replace as it was
        failing = {Path(file.path).name for file in report.failed}
        read = {self._row_name(id_) for id_ in (*report.updated, *report.added)}
        self._replaced = tuple(n for n in parcel.replaced if n in read and n not in failing)
        self._task.replaced = bool(self._replaced)
        upload_copies.put_back(folder, set(parcel.replaced) - set(self._replaced))
        # and it is nobody's: whoever sent it has it still
        upload_copies.discard(whole(self._library), map(str, paths))
        return replace(report, failed=(*report.failed, *failed))

    def put_back(self) -> UpdateReport:
        """Reads the files that were replaced last as they were before.

        Raises:
            PilcrowError: when the library is being changed, or there is nothing to put back.
        """
        with self._alone():
            folder = upload_copies.folder_of(self._library)
            paths = upload_copies.put_back(folder, self._replaced)
            self._replaced = ()
            if not paths:
                raise InputError(gettext("what was replaced can no longer be brought back"))
            return self._library.update(paths, folder=folder)

    @property
    def taken_names(self) -> dict[str, str]:
        """The names of uploaded files that are documents, each with its document's id."""
        folder = str(upload_copies.folder_of(self._library))
        return {
            Path(record.path).name: record.id
            for record in self._library.documents()
            if str(Path(record.path).parent) == folder
        }

    @property
    def unread(self) -> int:
        """How many files are on their way into the library and cannot be found yet."""
        if not self.busy or not self._task.adding:
            return 0
        return sum(row.state not in _ENDED for row in list(self._task.rows.values()))

    def add_folder(self, folder: Path) -> Iterator[jobs.JobView]:
        """Indexes a folder of this computer where it is; yields progress."""
        task = _Task(gettext("Articles added"), None, adding=True)
        return self._run(
            gettext("Adding {files}", files=folder.name), lambda: self._update([folder]), task
        )

    def add_place(self, folder: Path, collection: str = "") -> Iterator[jobs.JobView]:
        """Indexes a folder that was named by its path, where it is; yields progress."""

        def work() -> UpdateReport:
            if not folder.is_absolute() or look(folder).kind != "folder":
                raise InputError(
                    gettext(
                        "{folder} is no folder of this computer that can be read: name it from the "
                        "root on, like /home/me/articles",
                        folder=f"{str(folder)!r:.200}",
                    )
                )
            return self._update([folder], collection=collection)

        name = folder.name or str(folder)
        task = _Task(gettext("Folder added"), None, adding=True)
        return self._run(gettext("Adding {files}", files=f"{name:.80}"), work, task)

    def add_address(self, typed: str, collection: str = "") -> Iterator[jobs.JobView]:
        """Fetches a page, a PDF or a feed by the address that somebody typed; yields progress."""

        def work() -> UpdateReport:
            return web.add(
                self._library, [typed], self._fetcher, collection=collection or None,
                progress=self._report, cancelled=self._cancel.is_set,
            )  # fmt: skip

        task = _Task(gettext("Page added"), None, adding=True)
        return self._run(gettext("Adding {files}", files=f"{typed:.80}"), work, task)

    def add_zotero(self, typed: str, collection: str = "") -> Iterator[jobs.JobView]:
        """Indexes the PDFs of a Zotero library of this computer; yields progress."""

        def work() -> UpdateReport:
            return zotero.add(
                self._library, typed, collection=collection or None, progress=self._report,
                cancelled=self._cancel.is_set,
            )  # fmt: skip

        task = _Task(gettext("Added"), None, adding=True)
        return self._run(gettext("Adding from Zotero"), work, task)

    def _update_in_turns(
        self, paths: Sequence[Path], folder: Path, collection: str
    ) -> UpdateReport:
        """The report of indexing files, the smallest first, each turn ready before the next."""
        report = UpdateReport()
        for parcel in in_turns(paths):
            if report.cancelled or self._cancel.is_set():
                return replace(report, cancelled=True)
            turn = self._update(parcel, folder, collection)
            self._note_ended(turn)
            report = _joined(report, turn)
        return report

    def _update(
        self, paths: Sequence[str | Path], folder: Path | None = None, collection: str = ""
    ) -> UpdateReport:
        return self._library.update(
            paths, folder=folder, collection=collection or None, progress=self._report,
            cancelled=self._cancel.is_set,
        )  # fmt: skip

    def remove(self, document_ids: Iterable[str]) -> Receipt:
        """Takes documents out; what was removed before cannot be taken back any more.

        Raises:
            PilcrowError: when the library is being changed, or has no such document.
        """
        with self._alone():
            receipt = self._library.remove(document_ids)
            with self._taking_in:
                self._others.removed[id(self)] = frozenset(o.path for o in receipt.origins)
                kept = self._pending.union(*self._others.removed.values())
                upload_copies.tidy(whole(self._library), kept)
            return receipt

    def tag(self, document_ids: Iterable[str], tag: str, *, remove: bool) -> tuple[str, ...]:
        """The documents that a tag was given to, or taken from.

        Raises:
            PilcrowError: when the library is being changed, has no such document, or it is no tag.
        """
        with self._alone():
            return self._library.tag(document_ids, tag, remove=remove)

    def collect(self, document_ids: Iterable[str], collection: str) -> None:
        """Puts documents into a collection.

        Raises:
            PilcrowError: when the library is being changed, has no such document, or it is no name.
        """
        with self._alone():
            self._library.collect(document_ids, collection)

    def tidy(self) -> None:
        """Deletes the copies of what was removed: at the start and at the end nobody can undo."""
        upload_copies.forget_replaced(self._library)
        upload_copies.tidy(self._library)

    def restore(self, receipt: Receipt) -> UpdateReport:
        """Takes a removed document back from its file.

        Raises:
            PilcrowError: when the library is being changed.
        """
        with self._alone():
            return self._library.restore(receipt)

    def watch(self) -> Iterator[jobs.JobView]:
        """The work under way, if any, until it is over; about ten looks a second."""
        with self._lock:
            is_anothers = self.anybody_busy and not self.busy
        if is_anothers:
            title = gettext("Waiting: somebody else changes the library just now")
            yield jobs.JobView(title, self._jobs)
            self._others.over.wait(1)
            return
        while (view := self._view) is not None:
            # rows are put together when they are looked at, not for each of ten thousand reports
            yield replace(view, rows=tuple(self._task.rows.values()))
            if not view.running:
                return
            self._over.wait(0.1)

    def cancel(self) -> None:
        """Asks the work under way to end early; what is finished stays."""
        self._cancel.set()

    @property
    def busy(self) -> bool:
        """Whether something of this runner's is under way."""
        return not self._over.is_set()

    @property
    def anybody_busy(self) -> bool:
        """Whether something is under way, whoever began it."""
        return not self._others.over.is_set()

    def _alone(self) -> threading.Lock:
        """The right to change something quickly, when nothing is under way."""
        if self.anybody_busy:
            raise LibraryBusy(gettext("the library is being changed; try again when that is done"))
        return self._lock

    def _run(
        self, title: str, work: Callable[[], UpdateReport], task: _Task
    ) -> Iterator[jobs.JobView]:
        """Does `work` in a thread, after whatever is under way; yields its progress.

        Args:
            title: what is being done.
            work: changes the library.
            task: what is known about it beforehand.
        """
        while not self._begin(title, task):
            yield from self.watch()
        # its words are in the language of whoever began it
        speak = copy_context().run
        threading.Thread(target=speak, args=(self._work, work), daemon=True).start()
        yield from self.watch()

    def _begin(self, title: str, task: _Task) -> bool:
        with self._lock:
            if self.anybody_busy:
                return False
            self._others.over.clear()
            self._over.clear()
            self._cancel.clear()
            self._task = task
            self._jobs += 1
            self._view = jobs.JobView(title, self._jobs)
            return True

    def _work(self, work: Callable[[], UpdateReport]) -> None:
        assert self._view is not None
        task = self._task
        outcome: dict[str, Any]
        try:
            before = _paragraphs(self._library)
            report = work()
            gained = _paragraphs(self._library) - before
            names = {record.id: name_of(record) for record in self._library.documents()}
            summary = jobs.summary(report, gained, only=task.only, names=names)
            line = "; ".join([summary, *task.notes])
            cancelled = self._cancel.is_set()
            title = gettext("Cancelled") if cancelled else task.done_title
            self._finish_rows(report)
            outcome = {"title": title, "summary": line, "replaced": task.replaced,
                       "cancelled": cancelled}  # fmt: skip
        except PilcrowError as error:
            outcome = {"problem": str(error)}
        except Exception:
            log.exception("the library could not be changed")
            problem = gettext("Something went wrong inside Pilcrow; the terminal says more.")
            outcome = {"problem": problem}
        self._view = replace(self._view, running=False, rate=None, eta=None, **outcome)
        with self._lock:
            self._over.set()
            self._others.over.set()

    def _note_ended(self, report: UpdateReport) -> None:
        """Each file of a report as it ended."""
        for names, state in ((report.unchanged, "unchanged"), (report.added, "done"),
                             (report.updated, "done"), (report.removed, "removed")):  # fmt: skip
            for name in names:
                self._note(name, state)

    def _finish_rows(self, report: UpdateReport) -> None:
        """Each file as it ended; one that was cut off says so."""
        self._note_ended(report)
        for name, row in self._task.rows.items():
            if row.state not in ("done", "unchanged", "failed", "removed"):
                self._task.rows[name] = replace(row, state="not done", detail="")
            elif row.state in ("done", "unchanged") and name in self._task.details:
                self._task.rows[name] = replace(row, detail=self._task.details[name])

    def _note(self, document_id: str, state: str, detail: str = "") -> None:
        task, name = self._task, self._row_name(document_id)
        if task.only is None or name in task.only:
            again = state == "failed" and task.adding and name not in task.final
            task.rows[name] = jobs.JobRow(name, state, detail, again=again)

    def _row_name(self, document_id: str) -> str:
        """What a file's row is called: uploads, whose ids may carry their folder, by bare name."""
        if self._task.only is None:
            return document_id
        return document_id.replace("\\", "/").rsplit("/", 1)[-1]

    def _report(self, progress: Progress) -> None:
        """Called by the library, in the worker thread, for every step."""
        assert self._view is not None
        task, now = self._task, time.monotonic()
        if progress.state:
            self._note(progress.document_id, progress.state, progress.detail)
        if not progress.total:  # news of one file, not of how far the whole is
            return
        if progress.stage != task.stage:
            self._read_next("")
            task.stage, task.stage_began, task.stage_from = progress.stage, now, progress.done
        if progress.stage == "reading":
            self._read_next(progress.document_id)
        done, seconds = progress.done - task.stage_from, now - task.stage_began
        rate = done / seconds if done > 0 and seconds > 0 else None
        self._view = replace(
            self._view,
            stage=progress.stage,
            done=progress.done,
            total=progress.total,
            rate=rate,
            eta=(progress.total - progress.done) / rate if rate else None,
        )

    def _read_next(self, document_id: str) -> None:
        """Another file's turn to be read has come, or none's; the one before has been read."""
        task = self._task
        before = task.rows.get(self._row_name(task.reading))
        if before and before.state == "reading":
            self._note(task.reading, "read")
        task.reading = document_id
        if document_id:
            self._note(document_id, "reading")


def in_turns(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Files in turns, the smallest first; a turn is small at first and twice as large each time."""
    sizes = {path: _size(path) for path in paths}
    turn: list[Path] = []
    most, held = _FIRST_TURN, 0
    for path in sorted(paths, key=lambda path: (sizes[path], path.name)):
        if turn and held + sizes[path] > most:
            yield turn
            turn, held, most = [], 0, min(2 * most, _LARGEST_TURN)
        turn.append(path)
        held += sizes[path]
    if turn:
        yield turn


def _size(path: Path) -> int:
    """A file's size in bytes; 0 when it cannot be seen, which is told when it is read."""
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _joined(first: UpdateReport, then: UpdateReport) -> UpdateReport:
    """What two updates did, one after the other."""
    return replace(
        then,
        added=(*first.added, *then.added),
        updated=(*first.updated, *then.updated),
        unchanged=(*first.unchanged, *then.unchanged),
        removed=(*first.removed, *then.removed),
        failed=(*first.failed, *then.failed),
        embedded=first.embedded + then.embedded,
        reused=first.reused + then.reused,
    )


def _remarks_on(parcel: upload_copies.Parcel) -> tuple[dict[str, str], list[str]]:
    """What to say of files whose name or text was there already: of each, and of all."""
    other = gettext("another file is called “{name}”")
    held = gettext("already in the library as “{name}”")
    details = {name: other.format(name=asked) for name, asked in parcel.renamed}
    details |= {name: held.format(name=id_) for name, id_ in parcel.held}
    notes = []
    if parcel.renamed:
        name, asked = parcel.renamed[0]
        more = _more(parcel.renamed)
        kept = gettext("“{asked}” is kept as “{name}”, beside another of that name")
        notes.append(kept.format(asked=asked, name=name) + more)
    if parcel.held:
        name, id_ = parcel.held[0]
        there = gettext("“{name}” is already in the library as “{id}”")
        notes.append(there.format(name=name, id=id_) + _more(parcel.held))
    return details, notes


def _more(pairs: Sequence[object]) -> str:
    return " " + gettext("(and {n} more)", n=len(pairs) - 1) if len(pairs) > 1 else ""


def _paragraphs(library: Library) -> int:
    return sum(record.paragraphs for record in library.documents())
