"""The memory, joined: files in, passages out, and nothing ever half-changed.

A store holds the truth (`storage/`); what searches its vectors is derived from it (`search/`).
Readers never wait for a writer and see whole changes only.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import Encoder, EncoderIdentity, QuestionVectors
from index.errors import (
    InputError,
    LibraryBusy,
    LibraryDamaged,
    LibraryUnwritable,
    ModelMissing,
)
from index.formats import registry
from index.ingest import discovery
from index.ingest.parcels import Workers
from index.ingest.run import IngestRun
from index.integrity.check import check_library
from index.integrity.repair import repair as repair_library
from index.languages import detection
from index.languages.detection import LanguageGroup
from index.languages.stemming import match_forms
from index.search import opening, ranking, term_statistics, vectors
from index.search.search import Neighbours, Search
from index.search.selection import Selections
from index.storage.postgres.address import Address
from index.storage.records import DocumentLocation
from index.storage.store import Snapshot, Store, Transaction, require_match
from index.system import roots
from index.system.cpu import one_core, usable_cores
from index.system.ignoring import IgnoreRules
from index.system.priority import QueryPriority, Turns
from index.tokenization import CONTROLS, sound
from index.types import (
    EVERYWHERE,
    NO_CARD,
    CatalogueCard,
    CheckReport,
    Document,
    DocumentRecord,
    Hit,
    LibraryStats,
    Origin,
    PagePicture,
    Passage,
    Progress,
    Receipt,
    SearchScope,
    Unreachable,
    UpdateReport,
)

# Candidates that each leg hands to the joint ranking; on the visible sets more changed nothing.
_CANDIDATES = 50
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_CONTROL = re.compile(f"[{CONTROLS}]")
# Questions whose vectors are kept: searching, reading and asking again share one forward pass.
_REMEMBERED = 64
LONGEST_TAG = 60
"""Characters of a tag that is given to a document, and of a collection's name."""
_TAGS = "\0tags"
"""What is claimed by whoever changes tags, which are written all together; no document's name."""
_T = TypeVar("_T")


class Library:
    """A folder with everything Pilcrow knows about a set of articles. Safe from many threads.

    Example:
        library = Library.open("my-library")
        library.update(["articles/"])
        for hit in library.search("who wrote it?", k=3):
            print(hit.rank, hit.title, hit.text)
    """

    def __init__(self, store: Store, search: Search, encoder: Encoder | None, threads: int) -> None:
        """Use `Library.open`."""
        self.path = store.folder
        """A folder of this machine's for files that belong to the library."""
        self.place = store.place
        """Where it is: a folder, the same one, or a server's address."""
        self._threads = threads
        self._given_encoder = encoder
        self._made_with: tuple[EncoderIdentity | None, Encoder] | None = None
        self._priority = QueryPriority()
        self._turns = Turns(self._threads)
        self._encoder_lock = threading.Lock()
        self._questions: dict[tuple[EncoderIdentity, str], QuestionVectors] = {}
        self._vocabulary: tuple[int, Mapping[str, int]] | None = None
        self._listed: tuple[str, tuple[DocumentRecord, ...]] = ("", ())
        """The documents in the state of that name."""
        self._vocabulary_lock = threading.Lock()
        self._questions_lock = threading.Lock()
        self._selections = Selections()
        # contents are numbered for good: what one is in never changes
        self._languages: dict[tuple[str, int], LanguageGroup] = {}
        self._store = store
        self._engine = search

    @classmethod
    def open(
        cls,
        path: str | Path | Address,
        *,
        encoder: Encoder | None = None,
        create: bool = True,
        threads: int | None = None,
        exact_up_to: int = vectors.FLAT_UP_TO,
    ) -> Library:
        """The library in a folder or on a server, made when it is missing.

        Args:
            path: the library's folder, or `postgresql://USER@HOST/DATABASE` (extra `postgres`).
            encoder: what embeds, loaded on first use; when None what the library was made with,
                the packaged all-MiniLM-L6-v2 where it is new.
            create: whether to make a library where there is none.
            threads: cores to use; all this process may use when None.
            exact_up_to: passages up to which every vector is compared; above, HNSW looks at few.

        Raises:
            InputError: when `path` is no path, or a file.
            LibraryMissing: when there is none and `create` is False.
            LibraryDamaged: when its file cannot be read.
            LibraryMismatch: when another version of Pilcrow made it.
            LibraryUnwritable: when the disk or its permissions refuse.
            LibraryUnreachable: when the server does not answer, or lets nobody in.
        """
        cores = threads or usable_cores()
        store, search = opening.open_store(path, create, cores, exact_up_to)
        return cls(store, search, encoder, cores)

    def close(self) -> None:
        """Let go of the files."""
        self._store.close()

    def __enter__(self) -> Library:
        """The library itself; closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    @property
    def elsewhere(self) -> str:
        """The other computer that it is kept on; empty where it is this one."""
        return self.place.elsewhere if isinstance(self.place, Address) else ""

    # --- changing -------------------------------------------------------------------------

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
        """What became of files and folders; only what changed is read again and embedded.

        A folder stands for its files: new ones are added, changed ones updated, vanished ones
        removed. Files of no kind that is read are skipped, and so is what `.pilcrowignore` says;
        files that cannot be read are listed as failed, and what was stored of them stays.
        So does what cannot be seen now (a closed folder, a disk that is away) and what went missing
        in great numbers at once; the report names it. A document that was removed by hand comes
        back when its file itself is named, not with its folder.

        Args:
            paths: files and folders.
            folder: what the files lie in; it is remembered and looked into by `rebuild`, instead of
                each of them. Nothing but `paths` is looked at now.
            exclude: globs, as in `.gitignore`, of what is ignored in these folders; remembered for
                `rebuild`, in the place of those given before. Those before when None.
            cards: what is known of some of the files from where they were got, by absolute path;
                remembered until their documents are removed.
            collection: what these paths are put into, with all that comes below them; where they
                were, else in none, when None, and in none when empty.
            progress: called with each step.
            cancelled: asked between steps; when it says True the update stops, and what is done
                so far is kept.
            dry_run: only say what would happen.
            workers: who reads and embeds (extra `ray`); this process when None. What comes of it is
                the same.

        Raises:
            InputError: when something is no path.
            LibraryBusy: when another process is writing.
            LibraryMismatch: when the library was made with another encoder or chunker.
        """
        within = None if folder is None else roots.settled(folder)
        wanted = [roots.settled(path) for path in _several(paths, "paths")]
        globs = None if exclude is None else _globs(exclude)
        name = None if collection is None else _label(collection, "collection", optional=True)
        with self._writing(dry_run):
            if not dry_run:
                self._note_of(wanted, cards or {}, name)
            work = IngestRun(self._store, self.encoder, progress, self._yield_to_queries(cancelled))
            report = work.run(
                wanted, dry_run=dry_run, folder=within, exclude=globs, workers=workers
            )
            if not dry_run:
                self._engine.refresh(progress, cancelled)
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
        """What a new look at every place that was ever added brought; what was removed stays out.

        Args:
            full: read and embed everything anew, with today's encoder and rules; readers go on
                with the old state until the new one replaces it whole.
            forget: whether to let go of what went missing in great numbers at once (more than half
                of a place, or all of a folder), and not only of files deleted here and there.
            encoder: another one to embed with from now on; where the library was made with
                another, everything is read and embedded anew, as with `full`.
            progress: as in `update`.
            cancelled: as in `update`.
            dry_run: only say what would happen.
        """
        with self._writing(dry_run, alone=full or encoder is not None):
            with self._store.reading() as reader:
                known = [Path(place) for place in reader.roots()]
            chosen = encoder or self.encoder
            full = full or (encoder is not None and self.made_with not in (None, chosen.identity))
            work = IngestRun(self._store, chosen, progress, self._yield_to_queries(cancelled))
            report = work.run(known, full=full, dry_run=dry_run, implied=True, forget=forget)
            if not dry_run:
                if encoder is not None and not report.cancelled:
                    self.use_encoder(encoder)
                self._engine.refresh(progress, cancelled)
        return report

    def _note_of(
        self, paths: Iterable[Path], cards: Mapping[Path, CatalogueCard], collection: str | None
    ) -> None:
        """Remember of paths what is known of their files, and their collection."""
        if not cards and collection is None:
            return
        with self._store.writing() as writer:
            for path, card in sorted(cards.items()):
                writer.set_card(str(path), card)
            for path in sorted(paths) if collection is not None else ():
                writer.set_collection(str(path), collection or "")

    def places(self) -> list[Path]:
        """The folders and files that were added and are looked at again by `rebuild`, by path."""
        with self._store.reading() as reader:
            return sorted(map(Path, reader.roots()))

    def look_again(
        self, paths: Iterable[str | Path], *, cancelled: Callable[[], bool] | None = None
    ) -> UpdateReport:
        """What became of paths that something has changed at, in folders that are remembered.

        As if their folders were added again, yet only the changed files are read: nothing is
        brought back that was removed, and what is ignored stays out. A folder that is not
        remembered yet is from now on.

        Args:
            paths: files and folders, there or gone.
            cancelled: as in `update`.
        """
        wanted = [roots.settled(path) for path in _several(paths, "paths")]
        with self._writing():
            with self._store.reading() as reader:
                changed = discovery.changed_of(reader, wanted)
            work = IngestRun(self._store, self.encoder, None, self._yield_to_queries(cancelled))
            report = work.run(changed, implied=True)
            self._engine.refresh(None, cancelled)
        return report

    def remove(self, document_ids: Iterable[str]) -> Receipt:
        """The receipt for documents taken out, with a count of what is left of them: nothing.

        Raises:
            InputError: when an id is not in the library; then nothing is removed.
            LibraryBusy: when another process is writing.
        """
        wanted = tuple(dict.fromkeys(_several(document_ids, "document ids")))
        with self._writing():
            with self._store.writing() as writer:
                writer.claim(wanted)
                own = writer.tags()
                locations = [_placed(writer, document_id) for document_id in wanted]
                cards = tuple((at.path, writer.card(at.path)) for at in locations)
                named = tuple((at.path, writer.own_collection(at.path)) for at in locations)
                for location in locations:
                    writer.exclude(location.path)
                    # a file that was added by itself is not looked for again
                    if location.root == location.path:
                        writer.drop_root(location.root)
                self._take_out(writer, locations)
            tags = tuple((id_, own[id_]) for id_ in wanted if id_ in own)
            known = tuple((path, card) for path, card in cards if card != NO_CARD)
            collections = tuple((path, name) for path, name in named if name is not None)
            receipt = self._receipt(writer, locations)
            return replace(receipt, tags=tags, cards=known, collections=collections)

    def tag(
        self, document_ids: Iterable[str], tag: str, *, remove: bool = False
    ) -> tuple[str, ...]:
        """The ids of the documents that a tag was given to, or taken from; their files stay as is.

        A document's own front matter is not touched: a tag that stands there cannot be taken off.

        Args:
            document_ids: which documents.
            tag: `law` or `law/eu`, which is found under `law` too.
            remove: whether to take it off again.

        Raises:
            InputError: when an id is not in the library, or it is no tag; then nothing changes.
            LibraryBusy: when another process is writing.
        """
        wanted = tuple(dict.fromkeys(_several(document_ids, "document ids")))
        name = _label(tag, "tag")
        with self._writing(), self._store.writing() as writer:
            writer.claim([*wanted, _TAGS])
            own, changed = writer.tags(), []
            for document_id in wanted:
                _placed(writer, document_id)
                before = own.get(document_id, ())
                if (name in before) is remove:
                    own[document_id] = (*(t for t in before if t != name), *[name] * (not remove))
                    changed.append(document_id)
            writer.set_tags(own)
        return tuple(changed)

    def collect(self, document_ids: Iterable[str], collection: str) -> None:
        """Put documents into a collection, out of the one they were in; their files stay as is.

        Args:
            document_ids: which documents.
            collection: its name; it begins to be with its first document. Empty for none.

        Raises:
            InputError: when an id is not in the library, or it is no name; then nothing changes.
            LibraryBusy: when another process is writing.
        """
        name = _label(collection, "collection", optional=True)
        wanted = dict.fromkeys(_several(document_ids, "document ids"))
        with self._writing(), self._store.writing() as writer:
            writer.claim(wanted)
            for document_id in wanted:
                writer.set_collection(_placed(writer, document_id).path, name)

    def forget(self, path: str | Path) -> Receipt:
        """The receipt for a place let go of for good: not looked at again, its documents gone.

        Args:
            path: a file or folder that was added, or one below; it need not be there any more.

        Raises:
            InputError: when nothing of it is in the library; then nothing changes.
            LibraryBusy: when another process is writing.
        """
        given = roots.settled(path)
        with self._writing():
            with self._store.writing() as writer:
                names = discovery.names_of(writer.roots(), given)
                locations = [
                    location
                    for location in writer.locations()
                    if discovery.is_under(location.path, names)
                ]
                known = [root for root in writer.roots() if discovery.is_under(root, names)]
                if not locations and not known:
                    raise InputError(
                        f"nothing under {str(path)!r} was ever added. See: pilcrow list"
                    )
                writer.claim(location.id for location in locations)
                for root in known:
                    writer.drop_root(root)
                excluded = writer.excluded()
                writer.include(path for path in excluded if discovery.is_under(path, names))
                paths = (*map(str, names), *known, *(at.path for at in locations))
                writer.forget_collections(paths)
                self._take_out(writer, locations)
            return self._receipt(writer, locations)

    def _take_out(self, writer: Transaction, locations: Iterable[DocumentLocation]) -> None:
        for location in locations:
            writer.remove_document(location.id)
        writer.finish()
        writer.purge_text_index()

    def _receipt(self, writer: Transaction, locations: Sequence[DocumentLocation]) -> Receipt:
        """What a removal took out, once it is written, and what is left of it."""
        gone = dict(writer.dropped)
        self._engine.refresh(clean=True)
        with suppress(LibraryBusy, LibraryUnwritable):  # then it goes from the log a bit later
            self._store.checkpoint()
        with self._store.reading() as reader:
            left = reader.rows_left(gone)
            left += sum(reader.by_id(location.id) is not None for location in locations)
        sentences = sum(gone.values())
        vectors_gone = len(gone) + sentences
        origins = tuple(Origin(at.id, at.root, at.path) for at in locations)
        names = tuple(location.id for location in locations)
        return Receipt(names, len(gone), sentences, vectors_gone, left, origins)

    def removed_files(self) -> set[str]:
        """The files whose documents a person removed, as absolute paths."""
        with self._store.reading() as reader:
            return reader.excluded()

    def forget_removed(self, paths: Iterable[str]) -> None:
        """No longer note of these files that their documents were removed: they are deleted."""
        gone = list(paths)
        with self._writing(), self._store.writing() as writer:
            writer.include(gone)
            writer.forget_collections(gone)

    def unreachable(self) -> tuple[Unreachable, ...]:
        """The documents whose files cannot be seen now; they are kept, and found all the same."""
        with self._store.reading() as reader:
            held = reader.locations()
        return discovery.unreachable(held)

    def restore(self, receipt: Receipt) -> UpdateReport:
        """What came back of what was removed: each document from its file, under its old id.

        Args:
            receipt: what `remove` returned.

        Returns:
            What came back; files that are gone or can no longer be read are listed as failed.

        Raises:
            InputError: when it is no receipt.
            LibraryBusy: when another process is writing.
            LibraryMismatch: as in `update`.
        """
        if not isinstance(receipt, Receipt):
            raise InputError("restore takes what `remove` returned")
        with self._writing():
            self._note_of([], {Path(path): card for path, card in receipt.cards}, None)
            for path, name in receipt.collections:
                self._note_of([Path(path)], {}, name)
            report = IngestRun(self._store, self.encoder, None, None).restore_files(receipt.origins)
            if receipt.tags:
                with self._store.writing() as writer:
                    writer.claim([_TAGS])
                    writer.set_tags(writer.tags() | dict(receipt.tags))
            self._engine.refresh()
        return report

    # --- asking ---------------------------------------------------------------------------

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        scope: SearchScope = EVERYWHERE,
    ) -> list[Hit]:
        """The passages that speak to a question, best first.

        Args:
            query: a question or a few words.
            k: how many at most.
            documents: only these documents; all when None.
            dates: only documents dated from the first to the second of these ISO dates.
            scope: the same and other filters in one; what is given beside it takes its place.

        Raises:
            InputError: when the query is not text, `k` no positive whole number, or the documents
                or dates are not what they should be.
            LibraryMismatch: when the library was made with another encoder.
        """
        if not isinstance(query, str) or not query.strip():
            raise InputError("the query is empty: type a question or a few words")
        if not isinstance(k, int) or k < 1:
            raise InputError(f"k must be a whole number, at least 1, not {k!r:.80}")
        wanted = _scoped(scope, documents, dates)
        query = sound(query)
        with self._store.reading() as reader:
            if reader.encoder is None:
                return []
        newest = 0
        while True:
            encoder = self.encoder
            question = self.encode_query(query)
            with self.query_priority(), self._store.reading() as reader:
                if reader.encoder != encoder.identity and self.encoder is not encoder:
                    continue  # it was made anew with another one just now
                require_match(reader, encoder)
                # a state older than one seen before: somebody put an older file in its place
                index = self._engine.vectors.at(reader, anew=reader.generation < newest)
                if index.generation == reader.generation:
                    return self._search(reader, index, query, question, k, wanted)
                newest = index.generation  # it came between the two: ask again

    def query_priority(self) -> AbstractContextManager[None]:
        """While this lasts, changes to the library made in this process leave the cores free."""
        return self._priority.question()

    def turn(
        self, rank: int = 0, stop: Callable[[], bool] = lambda: False
    ) -> AbstractContextManager[None]:
        """While this lasts, few others compute: as many at a time as there are cores.

        Args:
            rank: the smallest goes first, else who came first.
            stop: asked while waiting; when it says True nobody waits any longer.
        """
        return self._turns.turn(rank, stop)

    def encode_query(self, text: str) -> QuestionVectors:
        """A question's vectors; the last few are remembered."""
        encoder = self.encoder
        key = (encoder.identity, text)
        with self._questions_lock:
            if key in self._questions:
                return self._questions[key]
        with self.query_priority():
            made = encoder.encode_query(text)
        with self._questions_lock:
            if len(self._questions) >= _REMEMBERED:
                self._questions.pop(next(iter(self._questions)))
            self._questions[key] = made
        return made

    def idf(
        self,
        terms: Iterable[str],
        *,
        scope: SearchScope = EVERYWHERE,
    ) -> dict[str, float]:
        """How rare words are in the library: 1 for one that is nowhere, near 0 for one everywhere.

        Inverse document frequency over passages, divided by that of a word never seen.

        Args:
            terms: words as `tokenization.words` makes them.
            scope: count only in these documents and sections, as if there were no others.
        """
        check_scope(scope.documents, scope.dates, scope)
        with self._store.reading() as reader:
            among = self._selections.of(reader, scope)
            return term_statistics.idf(reader, self._engine.words, terms, among)

    def headings(self) -> Counter[str]:
        """The headings of the documents, each with how many have it."""
        with self._store.reading() as reader:
            return Counter(text for headings in reader.headings() for text in headings)

    def select(self, scope: SearchScope) -> frozenset[str] | None:
        """The ids of the documents that a scope takes; None for all of the library.

        Raises:
            InputError: when it is not what a scope should be.
        """
        check_scope(scope.documents, scope.dates, scope)
        with self._store.reading() as reader:
            chosen = self._selections.of(reader, scope)
        return None if chosen is None else chosen.documents

    @property
    def change(self) -> int:
        """How many changes the library has seen; another number means another content."""
        with self._store.reading() as reader:
            return reader.generation

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
            raise InputError(f"no document {document_id!r} in the library. See: pilcrow list")
        return document

    def card(self, document_id: str) -> CatalogueCard:
        """What is known of a document from where it was got: the web, a catalogue.

        Raises:
            InputError: when it is not in the library.
        """
        with self._store.reading() as reader:
            return reader.card(_placed(reader, document_id).path)

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
            location = _placed(reader, document_id)
            card = reader.card(location.path)
        path = Path(location.path)
        if not registry.has_pictures(path.suffix):
            raise InputError(f"{document_id!r} has no pages to show")
        try:
            data = registry.read_bytes(path)
            if discovery.content_hash(data, path.suffix, card) != location.hash:
                raise InputError(f"the file of {document_id!r} has changed: pilcrow rebuild")
            if boxes := document.boxes(page, start, end):  # recognised: there is no text to find
                picture = registry.draw_page(data, page)
                return replace(picture, boxes=tuple((b[0], b[1], b[2], b[3]) for b in boxes))
            parts = document.on_pages(start, end)
            quote, before = next(((q, b) for number, q, b in parts if number == page), ("", ""))
            return registry.draw_page(data, page, quote, before)
        except registry.Unreadable as error:
            raise InputError(f"page {page} cannot be shown: {error.reason}") from error

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

    def vocabulary(self) -> Mapping[str, int]:
        """Every word of the documents, lower case, and how often it occurs; kept until a change.

        Of a large library a share of the words, and whether it has any other: `Vocabulary`.
        """
        with self._vocabulary_lock:
            change = self.change
            if self._vocabulary is None or self._vocabulary[0] != change:
                self._vocabulary = change, term_statistics.Vocabulary(self._store)
            return self._vocabulary[1]

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
            made = self.made_with
            return reader.document_vectors(made.dimension if made else 0)

    def stats(self) -> LibraryStats:
        """How big the library is and how it searches."""
        with self._store.reading() as reader:
            counts, change, encoder = reader.counts(), reader.generation, reader.encoder
            kind = self._engine.vectors.kind(reader)
        size = self._store.size()
        name = f"{encoder.name}@{encoder.revision}" if encoder else ""
        return LibraryStats(change=change, vectors=kind, encoder=name, bytes=size, **counts)

    def check(self, repair: bool = False) -> CheckReport:
        """Whether everything stored fits together.

        Args:
            repair: whether to make anew what is damaged and can be derived: the text index and the
                vector cache from what is stored, vectors from their texts, texts from their files.
        """
        report = check_library(self._store, self._engine)
        if not repair or report.ok:
            return report
        with self._writing(alone=True):
            mended: dict[str, str] = {}
            for _ in range(2):  # what can be seen only when the file itself is whole again
                bad = {line.name for line in report.lines if not line.ok}
                mended |= repair_library(self._store, self._engine, bad, lambda: self.encoder)
                report = check_library(self._store, self._engine)
                if report.ok:
                    break
        return CheckReport(
            tuple(
                replace(line, detail=mended.get(line.name, line.detail)) if line.ok else line
                for line in report.lines
            )
        )

    @property
    def encoder(self) -> Encoder:
        """What embeds here: the one that was given, else the one that the library was made with.

        Raises:
            ModelMissing: when that one is not where it was.
        """
        with self._encoder_lock:
            if self._given_encoder is not None:
                return self._given_encoder
            with self._store.reading() as reader:
                stored, folder = None, ""
                with suppress(LibraryDamaged):  # a full rebuild mends that, with the packaged one
                    stored, folder = reader.encoder, reader.encoder_folder
            if self._made_with is None or self._made_with[0] != stored:
                self._made_with = stored, self._load_encoder(stored, folder)
            return self._made_with[1]

    def use_encoder(self, encoder: Encoder) -> None:
        """Embed with another encoder from now on; `rebuild` with `full` makes the library its own.

        Until then searching and adding are refused where the library was made with another one.
        """
        with self._encoder_lock:
            self._given_encoder = encoder

    @property
    def made_with(self) -> EncoderIdentity | None:
        """What the library's vectors were made with; None while there are none."""
        with self._store.reading() as reader:
            return reader.encoder

    def _load_encoder(self, stored: EncoderIdentity | None, folder: str) -> Encoder:
        from index.embedding.encoder import SentenceTransformerEncoder

        if not folder:
            return SentenceTransformerEncoder(threads=self._threads)
        try:
            return SentenceTransformerEncoder(Path(folder), threads=self._threads)
        except ModelMissing as error:
            name = stored.name if stored else "another encoder"
            raise ModelMissing(
                f"this library was made with {name}, which is no longer in {folder!r}. Put it back "
                "there, or make the library anew: pilcrow rebuild --encoder english"
            ) from error

    # --- how ------------------------------------------------------------------------------

    def _search(
        self,
        reader: Snapshot,
        index: Neighbours,
        query: str,
        question: QuestionVectors,
        k: int,
        scope: SearchScope,
    ) -> list[Hit]:
        among = self._selections.of(reader, scope)
        depth = max(_CANDIDATES, 2 * k)
        near, _ = index.search(question.vector, depth, None if among is None else among.ids)
        forms = match_forms(query, reader.languages())
        matched = self._engine.words.matches(reader, forms, depth, among)
        documents = None if among is None else among.documents
        candidates = reader.passages(sorted({*map(int, near), *matched}))
        with one_core():
            unknown = self._unknown(reader, {passage.content for passage in candidates})
            return ranking.rank(query, question, candidates, matched, k, documents, unknown)

    def _unknown(self, reader: Snapshot, contents: set[int]) -> dict[int, LanguageGroup]:
        """Those of some contents whose language the encoder was not made for."""
        if not self.encoder.is_english:
            return {}
        key = reader.library
        new = {content for content in contents if (key, content) not in self._languages}
        for content, text in reader.beginnings(new, detection.BEGINNING).items():
            self._languages[key, content] = detection.language_group(text)
        groups = {content: self._languages.get((key, content), "english") for content in contents}
        return {content: group for content, group in groups.items() if group != "english"}

    def _yield_to_queries(self, cancelled: Callable[[], bool] | None) -> Callable[[], bool]:
        """As `cancelled`, asked between two steps; before that, questions have their turn."""

        def ask() -> bool:
            self._priority.wait_for_queries()
            return cancelled is not None and cancelled()

        return ask

    @contextmanager
    def _writing(self, dry_run: bool = False, *, alone: bool = False) -> Iterator[None]:
        """Hold the right to write, if anything is to be written."""
        if dry_run:
            yield
            return
        with self._store.changing(alone=alone):
            yield


def _scoped(scope: SearchScope, documents: Any, dates: Any) -> SearchScope:
    """A scope with what is given beside it in its place.

    Raises:
        InputError: when it is not what it should be.
    """
    check_scope(documents, dates, scope)
    check_scope(scope.documents, scope.dates)
    return replace(
        scope,
        documents=scope.documents if documents is None else documents,
        dates=scope.dates if dates is None else dates,
    )


def check_scope(documents: Any, dates: Any, scope: SearchScope = EVERYWHERE) -> None:
    """Make sure that this is where one may look: documents by their ids, and two ISO dates.

    Raises:
        InputError: when it is not, naming it.
    """
    named = isinstance(documents, Collection) and not isinstance(documents, str)
    if documents is not None and not (named and all(isinstance(id_, str) for id_ in documents)):
        raise InputError(f"documents are a list of ids, not {documents!r:.80}")
    pair = isinstance(dates, tuple | list) and len(dates) == 2
    if dates is not None and not (
        pair and all(isinstance(date, str) and _DATE.fullmatch(date) for date in dates)
    ):
        raise InputError(f"dates are two ISO dates, the first and the last, not {dates!r:.80}")
    for name in ("tags", "authors", "sources", "folders", "kinds", "sections", "collections"):
        values = getattr(scope, name)
        if isinstance(values, str) or not all(isinstance(value, str) for value in values):
            raise InputError(f"{name} are a list of texts, not {values!r:.80}")


def _label(given: object, kind: str, *, optional: bool = False) -> str:
    """A tag or a collection's name as it is kept.

    Raises:
        InputError: when it is none.
    """
    words = _CONTROL.sub(" ", sound(given)).split() if isinstance(given, str) else None
    name = None if words is None else " ".join(words).lstrip("#").strip()
    if name is None or len(name) > LONGEST_TAG or not (name or optional):
        raise InputError(f"a {kind} has 1 to {LONGEST_TAG} characters, like law or law/eu")
    return name


def _placed(reader: Snapshot, document_id: str) -> DocumentLocation:
    location = reader.by_id(document_id)
    if location is None:
        raise InputError(f"no document {document_id!r} in the library. See: pilcrow list")
    return location


def _globs(given: Iterable[str]) -> list[str]:
    """Globs of what is ignored, blank ones left out.

    Raises:
        InputError: when one is none, naming it.
    """
    globs = [glob for glob in _several(given, "globs") if isinstance(glob, str) and glob.strip()]
    for glob in globs:
        try:
            if "\0" in glob or "\n" in glob:
                raise ValueError("they are kept a line each, where no name has these")
            IgnoreRules(Path(), [glob]).ignores(Path("x"))
        except ValueError as error:
            raise InputError(f"{glob!r:.80} is no glob of files, as in .gitignore") from error
    return globs


def _several(given: Iterable[_T], what: str) -> list[_T]:
    """What was handed in, as a list.

    Raises:
        InputError: when it is one thing alone, whose letters nobody means.
    """
    if isinstance(given, str | bytes | os.PathLike) or not isinstance(given, Iterable):
        raise InputError(f"{what} come in a list, like [{given!r}]")
    return list(given)
