"""What is in a library, each time as one consistent state has it; nothing here changes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.errors import InputError
from index.formats import registry
from index.ingest import discovery
from index.search.search import Search
from index.storage.records import DocumentLocation
from index.storage.store import Snapshot, Store
from index.types import (
    EVERYWHERE,
    CatalogueCard,
    Document,
    DocumentRecord,
    LibraryStats,
    PagePicture,
    Passage,
    SearchScope,
    Unreachable,
)


class LibraryContents:
    """The documents of a library and what is noted of them. Safe from many threads."""

    def __init__(self, store: Store, search: Search) -> None:
        """Read from a store.

        Args:
            store: what holds everything.
            search: what is derived from it; asked only how it searches.
        """
        self._store = store
        self._engine = search
        self._listed: tuple[str, tuple[DocumentRecord, ...]] = ("", ())
        """The documents in the state of that name."""

    @property
    def change(self) -> int:
        """How many changes the library has seen; another number means another content."""
        with self._store.reading() as reader:
            return reader.generation

    def stats(self) -> LibraryStats:
        """How big the library is and how it searches."""
        with self._store.reading() as reader:
            counts, change, encoder = reader.counts(), reader.generation, reader.encoder
            kind = self._engine.vectors.kind(reader)
        size = self._store.size()
        name = f"{encoder.name}@{encoder.revision}" if encoder else ""
        return LibraryStats(change=change, vectors=kind, encoder=name, bytes=size, **counts)

    # --- where it came from ---------------------------------------------------------------

    def places(self) -> list[Path]:
        """The folders and files that were added and are looked at again by `rebuild`, by path."""
        with self._store.reading() as reader:
            return sorted(map(Path, reader.roots()))

    def removed_files(self) -> set[str]:
        """The files whose documents a person removed, as absolute paths."""
        with self._store.reading() as reader:
            return reader.excluded()

    def unreachable(self) -> tuple[Unreachable, ...]:
        """The documents whose files cannot be seen now; they are kept, and found all the same."""
        with self._store.reading() as reader:
            held = reader.locations()
        return discovery.unreachable(held)

    def card(self, document_id: str) -> CatalogueCard:
        """What is known of a document from where it was got: the web, a catalogue.

        Raises:
            InputError: when it is not in the library.
        """
        with self._store.reading() as reader:
            return reader.card(location_of(reader, document_id).path)

    # --- documents and passages -----------------------------------------------------------

    def documents(self) -> list[DocumentRecord]:
        """Every document, by id; listed anew when the library has changed."""
        with self._store.reading() as reader:
            state, listed = self._listed
            if state != reader.generation_id:
                state, listed = self._listed = reader.generation_id, tuple(reader.records())
            return list(listed)

    def document(self, document_id: str) -> Document:
        """One document, whole.

        Raises:
            InputError: when it is not in the library.
        """
        with self._store.reading() as reader:
            document = reader.document(document_id)
        if document is None:
            raise _no_such_document(document_id)
        return document

    def headings(self) -> Counter[str]:
        """The headings of the documents, each with how many have it."""
        with self._store.reading() as reader:
            return Counter(text for headings in reader.headings() for text in headings)

    def passages(
        self,
        document_id: str,
        paragraphs: Collection[int] | None = None,
        *,
        scope: SearchScope = EVERYWHERE,
    ) -> list[Passage]:
        """A document's passages in order; empty when it is not in the library.

        Args:
            document_id: whose.
            paragraphs: only those of the paragraphs with these numbers; all when None.
            scope: only those in its sections.
        """
        with self._store.reading() as reader:
            return [
                stored.as_passage()
                for stored in reader.passages_of(document_id, paragraphs)
                if scope.takes_section(stored.section)
            ]

    def embedded_passages(
        self, document_id: str, *, scope: SearchScope = EVERYWHERE
    ) -> list[tuple[Passage, NDArray[np.float32]]]:
        """A document's passages in order, each with its sentences' vectors, shape (n, dim).

        Args:
            document_id: whose.
            scope: only those in its sections.
        """
        with self._store.reading() as reader:
            return [
                (stored.as_passage(), np.asarray(stored.sentence_vectors, np.float32))
                for stored in reader.passages_of(document_id)
                if scope.takes_section(stored.section)
            ]

    def document_vectors(self) -> tuple[list[str], NDArray[np.float32]]:
        """The documents' ids, and a unit vector for each: the middle of its passages, (n, d)."""
        with self._store.reading() as reader:
            made = reader.encoder
            return reader.document_vectors(made.dimension if made else 0)

    # --- pictures of pages ----------------------------------------------------------------

    def expect_pages(self, document_id: str) -> None:
        """Have what draws pages started, where this document has some: one may be shown soon."""
        if registry.has_pictures(Path(document_id).suffix):
            registry.expect_pages()

    def page_picture(
        self, document_id: str, page: int, start: int = 0, end: int = 0
    ) -> PagePicture:
        """A page of a document's PDF or picture as it is shown, with a stretch of the text boxed.

        Args:
            document_id: as `documents` lists it.
            page: counted from 1.
            start: where in the document's text the stretch begins.
            end: where it ends; what of it stands on the page is boxed.

        Raises:
            InputError: when it is not in the library, has no pages, or its file is not as it was.
        """
        document = self.document(document_id)
        with self._store.reading() as reader:
            location = location_of(reader, document_id)
            card = reader.card(location.path)
        path = Path(location.path)
        if not registry.has_pictures(path.suffix):
            raise InputError(f"{document_id!r} has no pages to show")
        try:
            data = registry.read_bytes(path)
            if discovery.content_hash(data, path.suffix, card) != location.hash:
                raise InputError(f"the file of {document_id!r} has changed: pilcrow rebuild")
            return _drawn(document, data, page, start, end)
        except registry.Unreadable as error:
            raise InputError(f"page {page} cannot be shown: {error.reason}") from error


def location_of(reader: Snapshot, document_id: str) -> DocumentLocation:
    """Where a document came from, sound or not.

    Raises:
        InputError: when it is not in the library.
    """
    location = reader.by_id(document_id)
    if location is None:
        raise _no_such_document(document_id)
    return location


def _no_such_document(document_id: str) -> InputError:
    return InputError(f"no document {document_id!r} in the library. See: pilcrow list")


def _drawn(document: Document, data: bytes, page: int, start: int, end: int) -> PagePicture:
    """A page of a file, with a stretch of its document's text boxed."""
    if boxes := document.boxes(page, start, end):  # recognised: there is no text to find
        picture = registry.draw_page(data, page)
        return replace(picture, boxes=tuple((b[0], b[1], b[2], b[3]) for b in boxes))
    parts = document.on_pages(start, end)
    quote, before = next(((q, b) for number, q, b in parts if number == page), ("", ""))
    return registry.draw_page(data, page, quote, before)
