"""Pages, PDFs and feeds of the web that a person has asked for, as files of the library.

What was fetched is kept as a copy in the library's folder, `fetched/`, and is read, listed and
removed like any other file; a hidden note beside it says where it came from. Nothing is fetched but
addresses that a person typed and the pages of feeds among these, and only by `add` and `rebuild`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from index.errors import InputError, LibraryUnwritable, PilcrowError
from index.formats import registry
from index.library import Library
from index.sources.fetching import FEED, Fetched, Fetcher, FetchFailed, web_address
from index.system import files, roots
from index.types import CatalogueCard, FailedFile, Progress, Receipt, Unreachable, UpdateReport

log = logging.getLogger(__name__)

_AT_ONCE = 4
"""Addresses that are fetched at the same time."""
_NOTE = ".note"
_STOPPED = FetchFailed("stopped")
"""For what was not asked for any more."""
_SEGMENT, _SEGMENTS = 60, 6
"""Characters of a part of a copy's name, and parts: paths have limits."""
_PART = 160
"""Bytes of such a part: disks allow 255, of which what is written beside a copy needs some."""


@dataclass(frozen=True, slots=True)
class WebNote:
    """What is remembered of an address."""

    address: str
    """As it was typed, or as a feed lists it."""
    copy: str = ""
    """Its copy, relative to the folder of copies; empty for a feed, and for what was removed."""
    cited: str = ""
    """Where it was found in the end, after redirects."""
    feed: str = ""
    """The address of the feed that lists it."""
    etag: str = ""
    modified: str = ""
    problem: str = ""
    """Why the last look brought nothing; empty when it did."""
    gone: bool = False
    """Whether the server says that it is no more."""

    @property
    def is_feed(self) -> bool:
        """Whether it is looked at for new pages, and is none itself."""
        return not self.copy and not self.feed


def folder_of(library: Path) -> Path:
    """Where a library, by its folder, keeps copies of web pages."""
    return roots.settled(library / "fetched")


def add(
    library: Library,
    addresses: Iterable[str],
    fetcher: Fetcher | None = None,
    *,
    collection: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> UpdateReport:
    """What became of addresses that a person typed: pages, PDFs, and the pages of feeds.

    Args:
        library: takes the pages in.
        addresses: of the web; one that is held already is looked at again.
        fetcher: asks for them; one with the usual limits when None.
        collection: as in `Library.update`.
        progress: called with each step.
        cancelled: asked between steps.

    Returns:
        As `Library.update`; addresses that give nothing to read are listed as failed.

    Raises:
        InputError: when one is no address; then nothing is fetched.
    """
    wanted = [web_address(address) for address in addresses]
    look = _Look(library, fetcher or Fetcher(), progress, cancelled)
    look.at([look.known.get(address) or WebNote(address) for address in wanted])
    report = look.taken_in(collection)
    failed = [FailedFile(note.address, note.problem) for note in look.failed]
    return replace(report, failed=(*report.failed, *failed))


def look_again(
    library: Library,
    fetcher: Fetcher,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> UpdateReport:
    """What a new look at every address that is known brought; `unreachable` tells of the others."""
    look = _Look(library, fetcher, progress, cancelled)
    look.at([note for note in look.known.values() if note.copy or note.is_feed])
    return look.taken_in()


def unreachable(library: Library) -> tuple[Unreachable, ...]:
    """The addresses that the last look could not reach, each with the documents it keeps."""
    ids = {record.path: record.id for record in library.documents()}
    home, found = folder_of(library.path), list[Unreachable]()
    notes = [note for _, note in _notes(home)]
    listed: dict[str, list[str]] = {}
    for note in notes:
        listed.setdefault(note.feed, []).append(note.copy)
    for note in notes:
        if note.problem:
            copies = [note.copy] if note.copy else listed.get(note.address, [])
            paths = (str(home / copy) for copy in copies)
            held = tuple(ids[path] for path in paths if path in ids)
            if held or note.is_feed:
                lost = note.gone and not note.is_feed  # its pages need not have gone with it
                found.append(Unreachable(note.address, note.problem, held, lost))
    return tuple(found)


def let_go(library: Library) -> tuple[str, ...]:
    """The ids of the documents whose addresses are no more, now forgotten.

    Raises:
        LibraryBusy: when another process is writing.
    """
    gone = [place.path for place in unreachable(library) if place.lost]
    return tuple(id_ for address in gone for id_ in forget(library, address).documents)


def forget(library: Library, address: str) -> Receipt:
    """The receipt for an address let go of for good, a feed with its pages: copies go as well.

    Raises:
        InputError: when it is not known.
        LibraryBusy: when another process is writing.
    """
    wanted, home = web_address(address), folder_of(library.path)
    ours = [(at, n) for at, n in _notes(home) if wanted in (n.address, n.cited, n.feed)]
    if not ours:
        raise InputError(f"{address!r:.200} was never added. See: pilcrow list")
    ids = {record.path: record.id for record in library.documents()}
    copies = [str(home / note.copy) for _, note in ours if note.copy]
    receipt = library.remove([ids[path] for path in copies if path in ids])
    library.forget_removed(copies)
    for at, note in ours:
        for path in (home / note.copy, at) if note.copy else (at,):
            path.unlink(missing_ok=True)
    return receipt


def discard(library: Path, paths: Iterable[str]) -> list[str]:
    """Those of some files that were copies of web pages, now deleted.

    Their addresses are no longer known; a page of a feed is noted as one that is not wanted.

    Args:
        library: its folder.
        paths: of any files.
    """
    home, gone = folder_of(library), list[str]()
    for path in map(Path, paths):
        if not path.is_relative_to(home):
            continue
        with suppress(OSError):
            note = _read(at := _note_of(path))
            path.unlink(missing_ok=True)
            gone.append(str(path))
            if note and note.feed:
                _write(at, replace(note, copy=""))
            else:
                at.unlink(missing_ok=True)
    return gone


@dataclass
class _Look:
    """One look at some addresses: what they give is saved, and then taken in."""

    library: Library
    fetcher: Fetcher
    progress: Callable[[Progress], None] | None
    cancelled: Callable[[], bool] | None
    known: dict[str, WebNote] = field(init=False)
    """By address."""
    failed: list[WebNote] = field(default_factory=list)
    new: dict[Path, CatalogueCard] = field(default_factory=dict)
    """Copies that were made or made anew, by path."""

    def __post_init__(self) -> None:
        self._home = folder_of(self.library.path)
        self.known = {note.address: note for _, note in _notes(self._home)}
        self._done = self._total = 0

    def at(self, notes: Sequence[WebNote]) -> None:
        """Fetch addresses, and the pages of those that are feeds."""
        self._total += len(notes)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(self._fetched, notes)
            pages = [page for n, f in zip(notes, found, strict=True) for page in self._saved(n, f)]
        if pages:
            self.at(pages)

    def taken_in(self, collection: str | None = None) -> UpdateReport:
        """The report of reading what was saved; a copy that gives no document is deleted."""
        if not self.new:
            return UpdateReport(change=self.library.change)
        try:
            report = self.library.update(
                list(self.new), folder=self._home, cards=self.new, collection=collection,
                progress=self.progress, cancelled=self.cancelled,
            )  # fmt: skip
        except PilcrowError:  # somebody else is writing: nobody is told that it comes later
            held = {record.path for record in self.library.documents()}
            discard(self.library.path, (str(path) for path in self.new if str(path) not in held))
            raise
        held = {record.path for record in self.library.documents()}
        useless = {file.path: file for file in report.failed}
        failed = []
        for path, file in useless.items():
            note = _read(_note_of(Path(path)))
            failed.append(replace(file, path=note.address) if note else file)
            if path not in held:
                discard(self.library.path, [path])
        return replace(report, failed=tuple(failed))

    def _fetched(self, note: WebNote) -> Fetched | FetchFailed | None:
        if self.cancelled and self.cancelled():
            return _STOPPED
        there = note.is_feed or (self._home / note.copy).is_file()
        again = (note.etag, note.modified) if there else ("", "")
        try:
            return self.fetcher.fetch(note.address, *again)
        except FetchFailed as failure:
            return failure

    def _saved(self, note: WebNote, found: Fetched | FetchFailed | None) -> Iterator[WebNote]:
        """The pages to fetch next; what came, or did not, is noted."""
        if found is _STOPPED:
            return
        self._done += 1
        if self.progress:
            self.progress(Progress("fetching", self._done, self._total, note.address))
        try:
            if isinstance(found, FetchFailed):
                raise found
            if found is None:
                self._nothing_new(note)
            elif found.suffix == FEED:
                if note.feed:  # else a feed of feeds would lead on and on
                    raise FetchFailed("a feed that another feed lists is not followed")
                yield from self._pages_of(note, found)
            else:
                self._save(note, found)
        except FetchFailed as failure:
            self._fail(note, failure)
        except OSError as error:
            where = str(self.library.path)
            raise LibraryUnwritable(
                f"{where!r} cannot be written ({roots.why(error)}). Make room, then try again"
            ) from error

    def _nothing_new(self, note: WebNote) -> None:
        if note.copy:
            path = self._home / note.copy
            self.new[path] = CatalogueCard(address=note.cited)
            self._note(_note_of(path), replace(note, problem="", gone=False))
        else:
            self._note(self._feed_note(note), replace(note, problem="", gone=False))

    def _pages_of(self, note: WebNote, found: Fetched) -> list[WebNote]:
        try:
            pages = registry.feed_pages(found.data, found.address)
        except registry.Unreadable as error:
            raise FetchFailed(error.reason) from error
        self._note(self._feed_note(note), replace(
            note, copy="", cited=found.address, etag=found.etag, modified=found.modified,
            problem="", gone=False,
        ))  # fmt: skip
        new: list[WebNote] = []
        for page in pages:
            with suppress(InputError):
                address = web_address(page)
                if address not in self.known and address not in (n.address for n in new):
                    new.append(WebNote(address, feed=note.address))
        return new

    def _save(self, note: WebNote, found: Fetched) -> None:
        path = self._home / (note.copy or self._free(found))
        now = replace(
            note, copy=path.relative_to(self._home).as_posix(), cited=found.address,
            etag=found.etag, modified=found.modified, problem="", gone=False,
        )  # fmt: skip
        if note.copy and path.suffix != found.suffix:  # another kind of thing than it was
            discard(self.library.path, [str(path)])
            return self._save(replace(note, copy=""), found)
        self._note(_note_of(path), now)
        if not path.is_file() or path.read_bytes() != found.data:
            with files.replacing(path) as file:
                file.write(found.data)
        self.new[path] = CatalogueCard(address=found.address)
        return None

    def _fail(self, note: WebNote, failure: FetchFailed) -> None:
        reason = f"{failure.reason}; what was there is kept" if failure.is_gone else failure.reason
        failed = replace(note, problem=reason, gone=failure.is_gone)
        if self.progress:
            self.progress(Progress("file", 0, 0, note.address, "failed", failure.reason))
        self.failed.append(replace(failed, problem=failure.reason))
        if note.address in self.known:
            at = self._home / note.copy
            self._note(_note_of(at) if note.copy else self._feed_note(note), failed)

    def _note(self, at: Path, note: WebNote) -> None:
        files.make_folder(self._home)
        files.make_folder(at.parent)
        _write(at, note)
        self.known[note.address] = note

    def _feed_note(self, note: WebNote) -> Path:
        return self._home / f".{_digest(note.address)}{FEED}{_NOTE}"

    def _free(self, found: Fetched) -> str:
        """The name of a new copy, which no other address has."""
        name = PurePosixPath(_name(found))
        other, path = _read(_note_of(self._home / name)), self._home / name
        own = f"{name.stem}-{_digest(found.address)}{name.suffix}"
        if any(
            above.is_file() for above in path.parents
        ):  # `/a.html` is there, and this `/a.html/b`
            return f"{name.parts[0]}/{own}"
        if path.is_dir() or (other is not None and other.cited != found.address):
            return str(name.with_name(own))
        return str(name)


def _name(found: Fetched) -> str:
    """What a page is called: `example.org/news/kyoto.html`."""
    parts = urlsplit(found.address)
    host = re.sub(r"[^\w.-]", "-", parts.netloc.lower().removeprefix("www."))[:_PART]
    steps = [_cleaned(step) for step in unquote(parts.path).split("/") if _cleaned(step)]
    *above, last = steps[-_SEGMENTS:] or ["index"]
    known = found.suffix if last.lower().endswith(found.suffix) else PurePosixPath(last).suffix
    stem = last[: -len(known)] if known and registry.readable(known) else last
    query = f"-{_digest(parts.query)}" if parts.query else ""
    return "/".join((host, *above, f"{stem or 'index'}{query}{found.suffix}"))


def _cleaned(step: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", step).strip(".-_")[:_SEGMENT]
    return name.encode()[:_PART].decode(errors="ignore")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _note_of(copy: Path) -> Path:
    return copy.with_name(f".{copy.name}{_NOTE}")


def _notes(home: Path) -> Iterator[tuple[Path, WebNote]]:
    """Every note, with its path; one that cannot be read is passed over."""
    for at in sorted(home.rglob(f".*{_NOTE}")) if home.is_dir() else ():
        if note := _read(at):
            yield at, note


def _read(at: Path) -> WebNote | None:
    try:
        return WebNote(**json.loads(at.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s says nothing: %s", at, error)
        return None


def _write(at: Path, note: WebNote) -> None:
    with files.replacing(at) as file:
        file.write(json.dumps(asdict(note)).encode())
