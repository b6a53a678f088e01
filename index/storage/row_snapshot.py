"""What snapshots of both databases share: rows to values, each compared with its checksum.

What they do not share is their SQL; a backend has one method for each of the rows asked for here.
"""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from index.embedding.encoder import EncoderIdentity, PassageVectors, Vector
from index.storage.codec import (
    checksum,
    damaged_meta,
    decode_labels,
    decode_outline,
    decode_passage,
    decode_vectors,
    document_record,
    first_section,
    require_checksum,
    stored_document,
)
from index.storage.records import DocumentLocation, StoredPassage
from index.storage.store import Snapshot
from index.types import Document, DocumentFacts, DocumentRecord, Ids, SearchScope

Row = Sequence[Any]


class RowSnapshot(Snapshot):
    """Questions to one state of the library, answered from rows."""

    # --- the rows, which each database asks for in its own words --------------------------

    @abstractmethod
    def _meta(self, key: str) -> str:
        """One stored fact about the library; every one is there from the beginning."""

    @abstractmethod
    def _sealed_document(self, document_id: str) -> list[DocumentLocation]:
        """The document with an id, compared with its seal; none when there is none."""

    @abstractmethod
    def _sealed_documents_with(self, contents: Sequence[int]) -> list[DocumentLocation]:
        """The documents with any of these contents, each compared with its seal."""

    @abstractmethod
    def _collection_of(self) -> Callable[[str], str]:
        """What tells a file's collection: its own, else that of the nearest folder that has one."""

    @abstractmethod
    def _record_rows(self) -> Iterable[Row]:
        """What `document_record` takes, of every document, by id."""

    @abstractmethod
    def _content_row(self, document_id: str) -> Row | None:
        """Seal and `CONTENT_COLUMNS` of a document's content."""

    @abstractmethod
    def _passage_rows_of(self, content: int, paragraphs: Collection[int] | None) -> Iterable[Row]:
        """Id, seal, `PASSAGE_COLUMNS_BUT_TEXT`, start and end of a content's passages, in order."""

    @abstractmethod
    def _passage_rows(self, ids: list[int]) -> Sequence[Row]:
        """Id, seal, `PASSAGE_COLUMNS` and the article's labels of some passages."""

    @abstractmethod
    def _fact_rows(self) -> Iterable[Row]:
        """Id, path, author, source, date, labels and content of every document."""

    @abstractmethod
    def _section_rows(self, ids: list[int]) -> Iterable[Row]:
        """Id, content and places of those of some passages that have places."""

    @abstractmethod
    def _outlines(self) -> Iterable[str]:
        """The outlines of the documents that have one, as stored."""

    @abstractmethod
    def _vector_rows(self, dimension: int) -> Iterable[Row]:
        """Document id and passage vector of all vectors of this length, by document."""

    @abstractmethod
    def _stored_vectors(self, digests: Collection[bytes], drafts_only: bool) -> Mapping[bytes, Row]:
        """`VECTOR_COLUMNS` of sound drafts, and of sound passages, with these digests."""

    @abstractmethod
    def _counted_row(self) -> Row:
        """How many documents, passages and sentences there are, counted one by one."""

    @abstractmethod
    def _all_contents(self) -> Iterable[Row]:
        """Id, seal and what it is made over, of every content."""

    @abstractmethod
    def _all_passages(self) -> Iterable[Row]:
        """Id, seal and what it is made over, the content first, of every passage."""

    # --- which state ----------------------------------------------------------------------

    @property
    def library(self) -> str:
        """The library's own random id."""
        return self._meta("library")

    @property
    def encoder(self) -> EncoderIdentity | None:
        """What the stored vectors were made with; None while there are none."""
        stored = self._meta("encoder")
        try:
            return EncoderIdentity(**json.loads(stored)) if stored else None
        except (ValueError, TypeError) as error:
            raise damaged_meta("encoder") from error

    @property
    def chunker(self) -> str:
        """Name of the splitting rules the passages were made with; empty while there are none."""
        return self._meta("chunker")

    # --- documents and passages -----------------------------------------------------------

    def records(self) -> list[DocumentRecord]:
        """Every document as a library lists it, by id."""
        self.locations()  # each is compared with its seal
        own, collection = self.tags(), self._collection_of()
        return [document_record(row, own, collection) for row in self._record_rows()]

    def document(self, document_id: str) -> Document | None:
        """One document, whole."""
        row = self._content_row(document_id)
        if row is None:
            return None
        require_checksum(row, f"the stored text of {document_id!r}")
        self._sealed_document(document_id)
        return stored_document(document_id, row)

    def passages_of(
        self, document_id: str, paragraphs: Collection[int] | None = None
    ) -> list[StoredPassage]:
        """A document's passages in order, cut out of its text here.

        Args:
            document_id: whose.
            paragraphs: only those of the paragraphs with these numbers; all when None.
        """
        location = self.by_id(document_id)
        document = self.document(document_id) if location else None
        if location is None or document is None:
            return []
        rows = self._passage_rows_of(location.content, paragraphs)
        names = sorted(other.id for other in self._sealed_documents_with([location.content]))
        return [
            decode_passage((*row, document.text[start:end]), names) for *row, start, end in rows
        ]

    def passages(self, ids: Sequence[int]) -> list[StoredPassage]:
        """The passages with these ids, as far as they are in the library, in no set order."""
        rows = self._passage_rows([int(id_) for id_ in ids])
        names: dict[int, list[str]] = defaultdict(list)
        for location in self._sealed_documents_with(sorted({row[2] for row in rows})):
            names[location.content].append(location.id)
        return [decode_passage(row, sorted(names[row[2]]), labels) for *row, labels in rows]

    def documents_in(self, scope: SearchScope) -> dict[str, int]:
        """The documents that a scope takes, each with its content."""
        self.locations()  # each is compared with its seal
        own = self.tags() if scope.tags else {}
        collection = self._collection_of() if scope.collections else str
        return {
            id_: int(content)
            for id_, path, author, source, date, stored, content in self._fact_rows()
            if scope.takes(
                DocumentFacts(
                    id_, os.fsdecode(path), author, source, date,
                    decode_labels(stored).tags + own.get(id_, ()) if scope.tags else (),
                    collection(os.fsdecode(path)) if scope.collections else "",
                )
            )
        }  # fmt: skip

    def in_sections(self, ids: Ids, scope: SearchScope) -> dict[int, int]:
        """Those of some passages whose section a scope takes, each with its content."""
        takes = cache(scope.takes_section)
        rows = self._section_rows(ids.tolist())
        return {id_: content for id_, content, stored in rows if takes(first_section(stored))}

    def headings(self) -> Iterator[frozenset[str]]:
        """The headings of each document that has any."""
        for stored in self._outlines():
            yield frozenset(heading.text for heading in decode_outline(stored)[1])

    # --- vectors --------------------------------------------------------------------------

    def document_vectors(self, dimension: int) -> tuple[list[str], Vector]:
        """Ids of the documents that have vectors of this length, in order, and a unit vector each.

        It points to the middle of the document's passages; shape (n, d).
        """
        sums: dict[str, Vector] = {}
        for id_, blob in self._vector_rows(dimension):
            vector = np.frombuffer(blob, np.float32)
            sums[id_] = sums[id_] + vector if id_ in sums else vector
        made = np.stack(list(sums.values())) if sums else np.zeros((0, dimension), np.float32)
        lengths = np.linalg.norm(made, axis=1, keepdims=True)
        return list(sums), np.nan_to_num(made / np.maximum(lengths, 1e-9))

    def known_digests(self, digests: Collection[bytes], *, drafts_only: bool = False) -> set[bytes]:
        """Which of these digests have sound vectors already, in drafts or passages."""
        return set(self._stored_vectors(digests, drafts_only))

    def known_vectors(
        self, digests: Collection[bytes], dimension: int
    ) -> dict[bytes, PassageVectors]:
        """Vectors already made for passages with these digests, in drafts or passages."""
        stored = self._stored_vectors(digests, False)
        return {digest: decode_vectors(row, dimension) for digest, row in stored.items()}

    # --- is it sound ----------------------------------------------------------------------

    def recounted(self) -> dict[str, int]:
        """As `counts`, counted one by one."""
        counted = map(int, self._counted_row())
        return dict(zip(("documents", "passages", "sentences"), counted, strict=True))

    def bad_contents(self) -> list[int]:
        """The contents that are not what was written."""
        return [int(row[0]) for row in self._all_contents() if checksum(row[2:]) != row[1]]

    def bad_passages(self) -> list[tuple[int, int]]:
        """The passages that are not what was written, each with its content."""
        rows = self._all_passages()
        return [(int(row[0]), int(row[2])) for row in rows if checksum(row[2:]) != row[1]]


def located(row: Row) -> DocumentLocation:
    """The document in a row of id, root, path, content and hash."""
    id_, root, path, content, hash_ = row
    return DocumentLocation(id_, os.fsdecode(root), os.fsdecode(path), content, hash_)


def located_soundly(row: Row, typed: bool = True) -> DocumentLocation:
    """The document in a row of its seal and `DOCUMENT_COLUMNS`.

    Args:
        row: as stored.
        typed: whether its values have the types that they were written with.

    Raises:
        LibraryDamaged: when it is not what was written.
    """
    require_checksum(row, f"what is noted of {row[1]!r}", typed)
    _, id_, content, root, path, _, hash_ = row[:7]
    return located((id_, root, path, content, hash_))
