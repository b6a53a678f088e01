"""The library as one person may see and change it: no more than some of its collections.

Everything that answers somebody works on this in the place of the library, so what is not permitted
is not there: not found, not counted, not corrected to, not named. It has none of the library's own
parts. What `Library` learns to do later is therefore not possible here before it is said how.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import Library
from index.embedding.encoder import Encoder, EncoderIdentity, QuestionVectors
from index.errors import InputError
from index.ingest.parcels import Workers
from index.library import check_scope
from index.system.roots import settled
from index.tokenization import words_once
from index.types import (
    EVERYWHERE,
    CatalogueCard,
    CheckReport,
    Document,
    DocumentRecord,
    Hit,
    LibraryStats,
    PagePicture,
    Passage,
    Progress,
    Receipt,
    SearchScope,
    Unreachable,
    UpdateReport,
)
from ui.http.accounts.audit import Audit
from ui.http.accounts.people import NotPermitted, Person, Role
from ui.language.catalogue import gettext, gettext_noop

_MAY_NOT = {
    "editor": gettext_noop("your account may ask and read, and change nothing"),
    "admin": gettext_noop("your account may not change the settings"),
}
_PARTIAL = gettext_noop(
    "your account may see some collections alone, and this is about all of them"
)
_ELSEWHERE = gettext_noop("your account may use the collections {names} alone")


class PermittedPart:
    """The documents of some collections, worked out once for each state of the library.

    Shared by all who may see the same collections.
    """

    def __init__(self, library: Library, collections: Sequence[str]) -> None:
        """The part of `library` in these collections; all of it where there are none."""
        self.library = library
        self.collections = tuple(collections)
        self._lock = threading.Lock()
        self._ids: tuple[int, frozenset[str]] | None = None
        self._words: tuple[int, Counter[str]] | None = None
        self._headings: tuple[int, Counter[str]] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the library."""
        return not self.collections

    def within(self, scope: SearchScope) -> SearchScope:
        """What of a scope lies in these collections."""
        if self.is_whole:
            return scope
        check_scope(scope.documents, scope.dates, scope)
        chosen = tuple(name for name in scope.collections if self.has(name))
        if scope.collections and not chosen:
            return replace(scope, documents=())
        return replace(scope, collections=chosen or self.collections)

    def has(self, collection: str) -> bool:
        """Whether a collection is one of these, in any case."""
        named = {name.casefold() for name in self.collections}
        return self.is_whole or collection.casefold() in named

    def holds(self, document_id: str) -> bool:
        """Whether a document is in it."""
        return self.is_whole or document_id in self.ids()

    def ids(self) -> frozenset[str]:
        """The ids of its documents."""
        change = self.library.change
        with self._lock:
            if self._ids is None or self._ids[0] != change:
                records = self.library.documents()
                self._ids = change, frozenset(r.id for r in records if self.has(r.collection))
            return self._ids[1]

    def vocabulary(self) -> Mapping[str, int]:
        """Its words, lower case, with how often they occur."""
        if self.is_whole:
            return self.library.vocabulary()
        change, ids = self.library.change, self.ids()
        with self._lock:
            if self._words is None or self._words[0] != change:
                counted: Counter[str] = Counter()
                for document in self._documents(ids):
                    for text in (document.text, document.title, document.source, document.author):
                        counted.update(words_once(text))
                self._words = change, counted
            return self._words[1]

    def headings(self) -> Counter[str]:
        """The headings of its documents, each with how many have it."""
        if self.is_whole:
            return self.library.headings()
        change, ids = self.library.change, self.ids()
        with self._lock:
            if self._headings is None or self._headings[0] != change:
                counted: Counter[str] = Counter()
                for document in self._documents(ids):
                    counted.update({heading.text for heading in document.headings})
                self._headings = change, counted
            return self._headings[1]

    def _documents(self, ids: Iterable[str]) -> Iterator[Document]:
        for id_ in sorted(ids):
            try:
                yield self.library.document(id_)
            except InputError:  # it has gone meanwhile
                continue


class PermittedLibrary(Library):
    """A library with what its person may not see left out, and what they may not do refused."""

    def __init__(self, part: PermittedPart, person: Person, audit: Audit) -> None:
        """The part of a library for a person; each change is noted.

        Args:
            part: what may be seen.
            person: whose role says what may be changed.
            audit: where changes are noted.
        """
        self.whole = part.library
        """All of the library: for looking after its files, never for what is shown."""
        self.part = part
        self.person = person
        self.path = self.whole.path
        self.place = self.whole.place
        self._audit = audit

    # --- what is refused --------------------------------------------------------------------

    def require(self, role: Role, *, whole: bool = False) -> None:
        """Refuse what this person may not do.

        Args:
            role: what it takes.
            whole: whether it is about documents that only some may see.

        Raises:
            NotPermitted: in one line.
        """
        if not self.person.may_be(role):
            raise NotPermitted(gettext(_MAY_NOT[role]))
        if whole and not self.part.is_whole:
            raise NotPermitted(gettext(_PARTIAL))

    def _require_held(self, document_ids: Iterable[str]) -> list[str]:
        """The ids, all of documents that may be seen.

        Raises:
            InputError: as of a library without the others.
        """
        if isinstance(document_ids, str):
            raise InputError(f"document ids come in a list, like [{document_ids!r}]")
        wanted = list(document_ids)
        for id_ in wanted:
            if not self.part.holds(id_):
                raise InputError(f"no document {id_!r} in the library. See: pilcrow list")
        return wanted

    def _permitted_collection(self, name: str | None) -> str | None:
        """A collection that something is put into: the first permitted one where none is named."""
        if self.part.is_whole:
            return name
        if not name:
            return self.part.collections[0]
        if not self.part.has(name):
            names = ", ".join(self.part.collections)
            raise NotPermitted(gettext(_ELSEWHERE, names=names))
        return name

    def _require_free(self, paths: Iterable[Path]) -> None:
        """Refuse paths at, or above, files of documents that may not be seen."""
        if self.part.is_whole:
            return
        ids = self.part.ids()
        hidden = [record.path for record in self.whole.documents() if record.id not in ids]
        for path in map(str, paths):
            below = path.rstrip(os.sep) + os.sep
            if any(other == path or other.startswith(below) for other in hidden):
                raise NotPermitted(gettext(_PARTIAL))

    def _noted(self, what: str, **about: Any) -> None:
        self._audit.note(self.person.name, what, **about)

    # --- changing ---------------------------------------------------------------------------

    def update(
        self,
        paths: Iterable[str | Path],
        *,
        folder: str | Path | None = None,
        exclude: Iterable[str] | None = None,
        cards: Mapping[Path, CatalogueCard] | None = None,
        collection: str | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        dry_run: bool = False,
        workers: Workers | None = None,
    ) -> UpdateReport:
        """As of the library, for an editor; into a permitted collection."""
        self.require("editor")
        wanted = list(paths)
        self._require_free(settled(path) for path in wanted)
        report = self.whole.update(
            wanted, folder=folder, exclude=exclude, cards=cards,
            collection=self._permitted_collection(collection), progress=progress,
            cancelled=cancelled, dry_run=dry_run, workers=workers,
        )  # fmt: skip
        self._note_report("add", report)
        return report

    def rebuild(
        self,
        *,
        full: bool = False,
        forget: bool = False,
        encoder: Encoder | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        """As of the library, for an editor of all of it; with another encoder for an admin."""
        self.require("editor" if encoder is None else "admin", whole=True)
        report = self.whole.rebuild(
            full=full, forget=forget, encoder=encoder, progress=progress, cancelled=cancelled,
            dry_run=dry_run,
        )  # fmt: skip
        self._note_report("rebuild", report)
        return report

    def look_again(
        self, paths: Iterable[str | Path], *, cancelled: Callable[[], bool] | None = None
    ) -> UpdateReport:
        """As of the library, for an editor of all of it."""
        self.require("editor", whole=True)
        report = self.whole.look_again(paths, cancelled=cancelled)
        self._note_report("look again", report)
        return report

    def _note_report(self, what: str, report: UpdateReport) -> None:
        changed = {"added": report.added, "updated": report.updated, "removed": report.removed}
        if any(changed.values()):
            self._noted(what, **{name: list(ids) for name, ids in changed.items() if ids})

    def remove(self, document_ids: Iterable[str]) -> Receipt:
        """As of the library, for an editor, of documents that may be seen."""
        self.require("editor")
        receipt = self.whole.remove(self._require_held(document_ids))
        self._noted("remove", documents=list(receipt.documents))
        return receipt

    def tag(
        self, document_ids: Iterable[str], tag: str, *, remove: bool = False
    ) -> tuple[str, ...]:
        """As of the library, for an editor, of documents that may be seen."""
        self.require("editor")
        changed = self.whole.tag(self._require_held(document_ids), tag, remove=remove)
        if changed:
            self._noted("untag" if remove else "tag", tag=tag, documents=list(changed))
        return changed

    def collect(self, document_ids: Iterable[str], collection: str) -> None:
        """As of the library, for an editor; from one permitted collection into another."""
        self.require("editor")
        wanted = self._require_held(document_ids)
        name = self._permitted_collection(collection) or ""
        self.whole.collect(wanted, name)
        self._noted("collect", collection=name, documents=wanted)

    def forget(self, path: str | Path) -> Receipt:
        """As of the library, for an editor of all of it."""
        self.require("editor", whole=True)
        receipt = self.whole.forget(path)
        self._noted("forget", place=str(path), documents=list(receipt.documents))
        return receipt

    def restore(self, receipt: Receipt) -> UpdateReport:
        """As of the library, for an editor; what somebody may take back who removed it."""
        self.require("editor")
        report = self.whole.restore(receipt)
        self._noted("restore", documents=list(receipt.documents))
        return report

    def forget_removed(self, paths: Iterable[str]) -> None:
        """As of the library, for an editor."""
        self.require("editor", whole=True)
        self.whole.forget_removed(paths)

    def use_encoder(self, encoder: Encoder) -> None:
        """As of the library, for an admin."""
        self.require("admin", whole=True)
        self.whole.use_encoder(encoder)

    def check(self, repair: bool = False) -> CheckReport:
        """As of the library, for an admin."""
        self.require("admin", whole=True)
        return self.whole.check(repair)

    def close(self) -> None:
        """Nothing: the library is everybody's."""

    # --- asking -----------------------------------------------------------------------------

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        scope: SearchScope = EVERYWHERE,
    ) -> list[Hit]:
        """As of the library, among what may be seen."""
        within = self.part.within(scope)
        if within.documents == () and documents is not None:
            documents = ()
        return self.whole.search(query, k, documents=documents, dates=dates, scope=within)

    def idf(self, terms: Iterable[str], *, scope: SearchScope = EVERYWHERE) -> dict[str, float]:
        """As of the library, counted in what may be seen."""
        return self.whole.idf(terms, scope=self.part.within(scope))

    def select(self, scope: SearchScope) -> frozenset[str] | None:
        """As of the library, among what may be seen."""
        return self.whole.select(self.part.within(scope))

    def documents(self) -> list[DocumentRecord]:
        """Every document that may be seen, by id."""
        return [r for r in self.whole.documents() if self.part.has(r.collection)]

    def document(self, document_id: str) -> Document:
        """As of the library, where it may be seen."""
        self._require_held([document_id])
        return self.whole.document(document_id)

    def card(self, document_id: str) -> CatalogueCard:
        """As of the library, where it may be seen."""
        self._require_held([document_id])
        return self.whole.card(document_id)

    def expect_pages(self, document_id: str) -> None:
        """As of the library, where it may be seen."""
        self._require_held([document_id])
        self.whole.expect_pages(document_id)

    def page_picture(
        self, document_id: str, page: int, start: int = 0, end: int = 0
    ) -> PagePicture:
        """As of the library, where it may be seen."""
        self._require_held([document_id])
        return self.whole.page_picture(document_id, page, start, end)

    def passages(
        self,
        document_id: str,
        paragraphs: Collection[int] | None = None,
        *,
        scope: SearchScope = EVERYWHERE,
    ) -> list[Passage]:
        """As of the library; empty where it may not be seen."""
        held = self.part.holds(document_id)
        return self.whole.passages(document_id, paragraphs, scope=scope) if held else []

    def embedded_passages(
        self, document_id: str, *, scope: SearchScope = EVERYWHERE
    ) -> list[tuple[Passage, NDArray[np.float32]]]:
        """As of the library; empty where it may not be seen."""
        held = self.part.holds(document_id)
        return self.whole.embedded_passages(document_id, scope=scope) if held else []

    def headings(self) -> Counter[str]:
        """As of the library, of the documents that may be seen."""
        return self.part.headings()

    def vocabulary(self) -> Mapping[str, int]:
        """As of the library, of the documents that may be seen."""
        return self.part.vocabulary()

    def document_vectors(self) -> tuple[list[str], NDArray[np.float32]]:
        """As of the library, of the documents that may be seen."""
        ids, vectors = self.whole.document_vectors()
        kept = [number for number, id_ in enumerate(ids) if self.part.holds(id_)]
        return [ids[number] for number in kept], vectors[kept]

    def stats(self) -> LibraryStats:
        """As of the library, of the documents that may be seen; their texts' size in bytes."""
        stats = self.whole.stats()
        if self.part.is_whole:
            return stats
        records = self.documents()
        return replace(
            stats, documents=len(records), passages=sum(r.passages for r in records),
            sentences=sum(r.sentences for r in records),
            bytes=sum(r.characters for r in records),
        )  # fmt: skip

    def places(self) -> list[Path]:
        """As of the library; none for who may not see all of it."""
        return self.whole.places() if self.part.is_whole else []

    def unreachable(self) -> tuple[Unreachable, ...]:
        """As of the library; none for who may not see all of it."""
        return self.whole.unreachable() if self.part.is_whole else ()

    def removed_files(self) -> set[str]:
        """As of the library; none for who may not see all of it."""
        return self.whole.removed_files() if self.part.is_whole else set()

    # --- what is the same for everybody ------------------------------------------------------

    @property
    def change(self) -> int:
        """As of the library."""
        return self.whole.change

    @property
    def elsewhere(self) -> str:
        """As of the library."""
        return self.whole.elsewhere

    @property
    def encoder(self) -> Encoder:
        """As of the library."""
        return self.whole.encoder

    @property
    def made_with(self) -> EncoderIdentity | None:
        """As of the library."""
        return self.whole.made_with

    def encode_query(self, text: str) -> QuestionVectors:
        """As of the library."""
        return self.whole.encode_query(text)

    def query_priority(self) -> AbstractContextManager[None]:
        """As of the library."""
        return self.whole.query_priority()

    def turn(
        self, rank: int = 0, stop: Callable[[], bool] = lambda: False
    ) -> AbstractContextManager[None]:
        """As of the library."""
        return self.whole.turn(rank, stop)


def whole(library: Library) -> Library:
    """All of a library, of which somebody may see a part: for looking after its files."""
    return library.whole if isinstance(library, PermittedLibrary) else library


def require(library: Library, role: Role, *, all_of_it: bool = False) -> None:
    """Refuse what somebody may not do; where there are no accounts everybody may everything.

    Raises:
        NotPermitted: in one line.
    """
    if isinstance(library, PermittedLibrary):
        library.require(role, whole=all_of_it)
