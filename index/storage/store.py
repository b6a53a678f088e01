"""What a library is kept in: states to read and changes to write, whatever holds them.

Every change is one transaction, numbered, and readers see one such number from start to end.
Nothing here knows files, models or FAISS. What is read back is compared with a checksum made when
it was written: databases notice broken structure, but not a flipped bit in somebody's sentence.

Two rooms do all of this: `sqlite/`, one file for one person, and `postgres/`, a server for many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from index.embedding.encoder import Encoder, EncoderIdentity, PassageVectors, Vector
from index.errors import LibraryMismatch
from index.languages.splitting import CHUNKER
from index.storage.postgres.address import Place
from index.storage.records import DocumentLocation, NewContent, StoredPassage
from index.types import NO_CARD, CatalogueCard, Document, DocumentRecord, Ids, SearchScope


class Snapshot(Protocol):
    """Questions to one state of the library."""

    # --- which state ----------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """The number of the last change; it grows by one with each."""

    @property
    def generation_id(self) -> str:
        """The last change's own random name; empty before the first."""

    @property
    def library(self) -> str:
        """The library's own random id."""

    @property
    def encoder(self) -> EncoderIdentity | None:
        """What the stored vectors were made with; None while there are none."""

    @property
    def encoder_folder(self) -> str:
        """Where that encoder was loaded from; empty for the packaged one."""

    @property
    def chunker(self) -> str:
        """Name of the splitting rules the passages were made with; empty while there are none."""

    def languages(self) -> tuple[str, ...]:
        """The codes of the languages that documents are indexed in by stems."""

    def counts(self) -> dict[str, int]:
        """How many documents, passages and sentences there are; kept with every change."""

    @property
    def passages_held(self) -> int:
        """How many passages there are; documents need not be counted for it."""

    # --- where it came from ---------------------------------------------------------------

    def roots(self) -> list[str]:
        """Every folder and file that was ever added and not removed, as absolute paths."""

    def excludes(self) -> dict[str, tuple[str, ...]]:
        """The globs of what is ignored in a folder, by its absolute path."""

    def excluded(self) -> set[str]:
        """Files that a person took out, as absolute paths."""

    def card(self, path: str) -> CatalogueCard:
        """What is known of a file from where it was got; by its absolute path."""

    def own_collection(self, path: str) -> str | None:
        """The collection that a file or folder was put into itself; None for wherever it lies."""

    def locations(self) -> list[DocumentLocation]:
        """Every document with its whereabouts, by id."""

    def by_path(self, path: str) -> DocumentLocation | None:
        """The document that this file stands for."""

    def by_id(self, document_id: str) -> DocumentLocation | None:
        """The document with this id, sound or not: so it can be removed."""

    def by_content(self, content: int) -> list[DocumentLocation]:
        """The documents with this content, sound or not: so they can be mended."""

    def content_of(self, hash_: str) -> int | None:
        """The content with this hash, if it is stored."""

    def edition_of(self, content: int) -> int:
        """Which edition of its format's reader a content was made by."""

    # --- documents and passages -----------------------------------------------------------

    def records(self) -> list[DocumentRecord]:
        """Every document as a library lists it, by id."""

    def tags(self) -> dict[str, tuple[str, ...]]:
        """The tags that a person has given documents here, by document id."""

    def document(self, document_id: str) -> Document | None:
        """One document, whole."""

    def passages_of(
        self, document_id: str, paragraphs: Collection[int] | None = None
    ) -> list[StoredPassage]:
        """A document's passages in order, cut out of its text here.

        Args:
            document_id: whose.
            paragraphs: only those of the paragraphs with these numbers; all when None.
        """

    def passages(self, ids: Sequence[int]) -> list[StoredPassage]:
        """The passages with these ids, as far as they are in the library, in no set order."""

    def documents_in(self, scope: SearchScope) -> dict[str, int]:
        """The documents that a scope takes, each with its content."""

    def passage_ids(self, contents: Collection[int]) -> Ids:
        """Ids of the passages of some contents, ascending."""

    def in_sections(self, ids: Ids, scope: SearchScope) -> dict[int, int]:
        """Those of some passages whose section a scope takes, each with its content."""

    def headings(self) -> Iterator[frozenset[str]]:
        """The headings of each document that has any."""

    # --- words ----------------------------------------------------------------------------

    def matches(self, query: str, k: int, among: Collection[int] | None = None) -> dict[int, float]:
        """Passage ids with their BM25 (higher is better), the best `k` for a query of words.

        Args:
            query: from `languages.stemming.any_of`.
            k: how many at most.
            among: only passages with these ids; all when None.
        """

    def passages_with(self, word: str, among: Collection[int] | None = None) -> int:
        """How many passages hold a word (or another form of it).

        Args:
            word: from `tokenization.words`.
            among: only passages with these ids; all when None.
        """

    def article_texts(self, every: int = 1) -> Iterator[str]:
        """The text of every so many-th article, none compared with its checksum: to be counted."""

    def beginnings(self, contents: Collection[int], length: int) -> dict[int, str]:
        """The first characters of some contents, none compared with its checksum."""

    def article_names(self) -> Iterator[str]:
        """What articles are called and who published them, as one text each."""

    # --- vectors --------------------------------------------------------------------------

    def document_vectors(self, dimension: int) -> tuple[list[str], Vector]:
        """Ids of the documents that have vectors of this length, in order, and a unit vector each.

        It points to the middle of the document's passages; shape (n, d).
        """

    def known_digests(self, digests: Collection[bytes], *, drafts_only: bool = False) -> set[bytes]:
        """Which of these digests have sound vectors already, in drafts or passages."""

    def known_vectors(
        self, digests: Collection[bytes], dimension: int
    ) -> dict[bytes, PassageVectors]:
        """Vectors already made for passages with these digests, in drafts or passages."""

    # --- is it sound ----------------------------------------------------------------------

    def integrity(self) -> str:
        """What the database finds wrong with itself; empty when nothing."""

    def recounted(self) -> dict[str, int]:
        """As `counts`, counted one by one."""

    def orphans(self) -> int:
        """Contents that no document stands for, and documents without one."""

    def bad_contents(self) -> list[int]:
        """The contents that are not what was written."""

    def bad_documents(self) -> list[str]:
        """Ids of the documents of which something is not what was written."""

    def bad_passages(self) -> list[tuple[int, int]]:
        """The passages that are not what was written, each with its content."""

    def rows_left(self, passages: Collection[int]) -> int:
        """How many rows there are about passages with these ids: 0 once they are removed."""


class Transaction(Snapshot, Protocol):
    """One change in the making; what it has written so far it sees."""

    @property
    def dropped(self) -> Sequence[tuple[int, int]]:
        """Passages taken out so far, each with its number of sentences."""

    def finish(self) -> None:
        """Settle what documents were moved from and to; number and name the change, if any."""

    def claim(self, names: Iterable[str]) -> None:
        """Keep what has these names to this change until it ends; all that it touches, at once.

        Args:
            names: ids, paths and hashes of documents.

        Raises:
            LibraryBusy: when another change has one of them and does not end soon.
        """

    # --- what is noted --------------------------------------------------------------------

    def set_card(self, path: str, card: CatalogueCard) -> None:
        """Store what is known of a file from where it was got."""

    def set_collection(self, path: str, name: str) -> None:
        """Put a file, or a folder with what is and comes below it, into a collection, or none."""

    def forget_collections(self, paths: Iterable[str]) -> None:
        """No longer note of files and folders which collection they are in."""

    def forget_files(self, paths: Collection[str]) -> None:
        """No longer note of files what is known of them and which collection they are in."""
        for path in paths:
            self.set_card(path, NO_CARD)
        self.forget_collections(paths)

    def set_tags(self, own: Mapping[str, Iterable[str]]) -> None:
        """Store which tags a person has given documents; of documents that are gone none stay."""

    def set_encoder(self, encoder: Encoder, chunker: str) -> None:
        """Record what the vectors and passages are made with."""

    def add_root(self, path: str) -> None:
        """Remember a folder or file, so that `rebuild` looks there again."""

    def set_excludes(self, path: str, globs: Iterable[str]) -> None:
        """Remember what is ignored in a folder that is remembered, instead of what was before."""

    def exclude(self, path: str) -> None:
        """Remember that a person took this file out, so that a rebuild does not bring it back."""

    def include(self, paths: Iterable[str]) -> None:
        """Forget that files were taken out."""

    def drop_root(self, path: str) -> None:
        """Forget a folder or file."""

    # --- documents and contents -----------------------------------------------------------

    def add_content(self, new: NewContent) -> int:
        """The content id of an article, stored with its passages, vectors and words."""

    def replace_content(self, content: int, new: NewContent) -> int:
        """The content id of an article written anew; the same documents stand for it."""

    def place_document(self, document_id: str, content: int, root: str, path: str) -> None:
        """Let a document id stand for a content.

        What it stood for before goes when the change is complete, unless another document stands
        for it then. Where it had another path, what is noted of the file there goes too.
        """

    def remove_document(self, document_id: str) -> None:
        """Take a document out; its content goes too unless another path holds the same.

        What is known of its file, and the collection it was put into itself, go with it.
        """

    def clear(self) -> None:
        """Take everything out but the roots; passage ids go on counting, never return."""

    def save_drafts(self, drafts: Iterable[tuple[bytes, PassageVectors]]) -> None:
        """Keep vectors of passages whose document is not complete yet."""

    def clear_drafts(self, digests: Collection[bytes]) -> None:
        """Forget the drafts with these digests, now documents have them, and abandoned ones."""

    # --- mending --------------------------------------------------------------------------

    def seal_document(self, document_id: str) -> None:
        """Seal a document as it is now."""

    def mend_database(self) -> str:
        """What was done about what `integrity` found, in words.

        Raises:
            LibraryDamaged: when nothing can be done.
        """

    def mend_documents(self) -> None:
        """Write what is noted of documents anew, each as its seal says that it was, if it can."""

    def drop_orphans(self) -> None:
        """Take out documents, contents and passages that have lost each other."""

    def recount(self) -> None:
        """Count passages and sentences one by one, and keep the result."""

    def words_fault(self) -> str:
        """What is wrong with the text index; empty when nothing. It changes nothing."""

    def rebuild_words(self) -> None:
        """Make the text index anew from the stored texts."""

    def purge_text_index(self) -> None:
        """Leave nothing in the text index of the words of what was removed."""


class Store(Protocol):
    """A library's database, as states to read and changes to write. Shared between threads."""

    @property
    def place(self) -> Place:
        """Where another process opens it."""

    @property
    def folder(self) -> Path:
        """Where files lie that belong to the library and are not in the database."""

    def close(self) -> None:
        """Let go of files and connections."""

    def reading(self) -> AbstractContextManager[Snapshot]:
        """One consistent state of the library, for as long as the block runs."""

    def writing(self, *, counted: bool = True) -> AbstractContextManager[Transaction]:
        """One change: everything in the block is kept, or after an exception nothing.

        Args:
            counted: whether readers need to know; drafts are nobody's business.
        """

    def changing(self, *, alone: bool = False) -> AbstractContextManager[None]:
        """The right to change the library; it ends with the process, however that ends.

        Args:
            alone: whether nobody else may change anything meanwhile, where many could.

        Raises:
            LibraryBusy: when another process holds it.
            LibraryUnwritable: when the disk or its permissions refuse.
        """

    def checkpoint(self) -> None:
        """Leave nothing of what was removed in what is kept beside the data, as far as can be."""

    def size(self) -> int:
        """Bytes on disk of everything that belongs to the library, as far as they can be seen."""


def require_match(reader: Snapshot, encoder: Encoder) -> None:
    """Refuse to mix what this Pilcrow makes with what another one made.

    Raises:
        LibraryMismatch: naming each difference, and the command that ends it.
    """
    stored, ours = reader.encoder, encoder.identity
    if stored is None:
        return
    mine = asdict(ours)
    differences = [
        f"encoder {key} {value!r}, this Pilcrow uses {mine[key]!r}"
        for key, value in asdict(stored).items()
        if value != mine[key]
    ]
    if reader.chunker != CHUNKER:
        differences.append(f"splitting rules {reader.chunker!r}, this Pilcrow uses {CHUNKER!r}")
    if differences:
        raise LibraryMismatch(
            f"this library was made with {'; '.join(differences)}. "
            f"Make it anew with: pilcrow rebuild --full{_or_keep(stored, ours)}"
        )


def _or_keep(stored: EncoderIdentity, ours: EncoderIdentity) -> str:
    """The other way out, where somebody chose another encoder."""
    if stored.name == ours.name:
        return ""
    return f"; or go on with {stored.name}: without --encoder and PILCROW_ENCODER"
