"""The memory, joined: files in, passages out, and nothing ever half-changed.

SQLite holds the truth (`store.py`); the vector index is a cache of it (`vectors.py`). One process
writes at a time; readers never wait and see whole changes only.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from math import log
from pathlib import Path

from index import ranking, vectors
from index.checking import check_library
from index.encoder import Encoder, EncoderIdentity, QuestionVectors
from index.errors import InputError, LibraryBusy, LibraryMismatch, LibraryMissing
from index.lexical import match_query
from index.passages import CHUNKER
from index.store import Reader, Store, StoredPassage
from index.types import (
    CheckReport,
    Document,
    DocumentRecord,
    Hit,
    LibraryStats,
    Passage,
    Progress,
    Receipt,
    Sentence,
    UpdateReport,
)
from index.updating import Update

_FILE, _CACHE, _LOCK, _HOLDER = "library.sqlite", "vectors.cache", "write.lock", "writer.json"
# Candidates that each leg hands to the joint ranking; on the visible sets more changed nothing.
_CANDIDATES = 50
# Questions whose vectors are kept: searching, reading and asking again share one forward pass.
_REMEMBERED = 64


class Library:
    """A folder with everything Pilcrow knows about a set of articles. Safe from many threads.

    Example:
        library = Library.open("my-library")
        library.update(["articles/"])
        for hit in library.search("who wrote it?", k=3):
            print(hit.rank, hit.title, hit.text)
    """

    def __init__(self, path: Path, encoder: Encoder | None, threads: int | None) -> None:
        """Use `Library.open`."""
        self.path = path
        self._threads = threads or len(os.sched_getaffinity(0))
        self._given_encoder = encoder
        self._encoder_lock = threading.Lock()
        self._questions: dict[str, QuestionVectors] = {}
        self._questions_lock = threading.Lock()
        self._index: vectors.VectorIndex | None = None
        self._index_lock = threading.Lock()
        self._store = Store(path / _FILE)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        encoder: Encoder | None = None,
        create: bool = True,
        threads: int | None = None,
    ) -> Library:
        """The library in a folder, made when it is missing.

        Args:
            path: the library's folder.
            encoder: what embeds; the packaged all-MiniLM-L6-v2 when None, loaded on first use.
            create: whether to make a library where there is none.
            threads: cores to use; all this process may use when None.

        Raises:
            LibraryMissing: when there is none and `create` is False.
            LibraryDamaged: when its file cannot be read.
            LibraryMismatch: when a newer Pilcrow made it.
        """
        folder = Path(path).expanduser().absolute()
        if not (folder / _FILE).exists():
            if not create:
                raise LibraryMissing(
                    f"no library at {str(path)!r}. Make one: pilcrow --store {path} add ARTICLES"
                )
            if folder.exists() and not folder.is_dir():
                raise InputError(f"{str(path)!r} is a file; a library is a folder")
            folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, encoder, threads)

    def close(self) -> None:
        """Let go of the files."""
        self._store.close()

    def __enter__(self) -> Library:
        """The library itself; closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    # --- changing -------------------------------------------------------------------------

    def update(
        self,
        paths: Iterable[str | Path],
        *,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        """Bring files and folders into the library; only what changed is read again and embedded.

        A folder stands for its files: new ones are added, changed ones updated, vanished ones
        removed. Files that cannot be read are listed as failed, and what was stored of them stays.

        Args:
            paths: files and folders.
            progress: called with each step.
            cancelled: asked between steps; when it says True the update stops, and what is done
                so far is kept.
            dry_run: only say what would happen.

        Raises:
            LibraryBusy: when another process is writing.
            LibraryMismatch: when the library was made with another encoder or chunker.
        """
        with self._writing(dry_run):
            return Update(self._store, self.encoder, progress, cancelled).run(
                [Path(path).expanduser().absolute() for path in paths], dry_run=dry_run
            )

    def rebuild(
        self,
        *,
        full: bool = False,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        """Look again at every place that was ever added; what was removed by hand stays out.

        Args:
            full: read and embed everything anew, with today's encoder and rules; readers go on
                with the old state until the new one replaces it whole.
            progress: as in `update`.
            cancelled: as in `update`.
            dry_run: only say what would happen.
        """
        with self._writing(dry_run):
            with self._store.reading() as reader:
                places = [Path(place) for place in reader.places()]
            work = Update(self._store, self.encoder, progress, cancelled)
            return work.run(places, full=full, dry_run=dry_run, implied=True)

    def remove(self, document_ids: Iterable[str]) -> Receipt:
        """Take documents out, and count what is left of them: nothing.

        Raises:
            InputError: when an id is not in the library; then nothing is removed.
            LibraryBusy: when another process is writing.
        """
        wanted = tuple(dict.fromkeys(document_ids))
        with self._writing(), self._store.writing() as writer:
            found = [p for one in wanted for p in writer.passages_of(one)]
            known = {one.id: one for one in writer.placed()}
            for one in wanted:
                if one not in known:
                    raise InputError(f"no document {one!r} in the library. See: pilcrow list")
            for one in wanted:
                writer.remove_document(one)
                writer.exclude(known[one].path)
                # a file that was added by itself is not looked for again
                if known[one].place == known[one].path:
                    writer.drop_place(known[one].place)
            gone = [p for p in found if not set(p.document_ids) - set(wanted)]
            gone = list({p.id: p for p in gone}.values())
            left = len(writer.passages([p.id for p in gone]))
            left += sum(writer.document(one) is not None for one in wanted)
            sentences = sum(len(p.sentences) for p in gone)
        return Receipt(wanted, len(gone), sentences, len(gone) + sentences, left)

    # --- asking ---------------------------------------------------------------------------

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
    ) -> list[Hit]:
        """The passages that speak to a question, best first.

        Args:
            query: a question or a few words.
            k: how many at most.
            documents: only these documents; all when None.
            dates: only documents dated from the first to the second of these ISO dates.

        Raises:
            InputError: when the query is not text or `k` is not positive.
            LibraryMismatch: when the library was made with another encoder.
        """
        if not isinstance(query, str) or not query.strip():
            raise InputError("the query is empty: type a question or a few words")
        if k < 1:
            raise InputError(f"k must be at least 1, not {k!r}")
        with self._store.reading() as reader:
            if reader.encoder is None:
                return []
        question = self.question(query)
        while True:
            with self._store.reading() as reader:
                index = self._index_at(reader)
                if index.change != reader.change:
                    continue  # a newer state came between the two: ask that one
                return self._search(reader, index, query, question, k, documents, dates)

    def question(self, text: str) -> QuestionVectors:
        """A question's vectors; the last few are remembered."""
        with self._questions_lock:
            if text in self._questions:
                return self._questions[text]
        made = self.encoder.encode_query(text)
        with self._questions_lock:
            if len(self._questions) >= _REMEMBERED:
                self._questions.pop(next(iter(self._questions)))
            self._questions[text] = made
        return made

    def rarity(self, terms: Iterable[str]) -> dict[str, float]:
        """How rare words are in the library's passages: inverse document frequency, at least 0.

        Args:
            terms: words as `lexical.words` makes them.
        """
        with self._store.reading() as reader:
            total = reader.counts()["passages"]
            return {
                term: log(1 + (total - n + 0.5) / (n + 0.5))
                for term in dict.fromkeys(terms)
                for n in [reader.passages_with(term)]
            }

    def documents(self) -> list[DocumentRecord]:
        """Every document, by id."""
        with self._store.reading() as reader:
            return reader.records()

    def document(self, document_id: str) -> Document:
        """One document, whole.

        Raises:
            InputError: when it is not in the library.
        """
        with self._store.reading() as reader:
            found = reader.document(document_id)
        if found is None:
            raise InputError(f"no document {document_id!r} in the library. See: pilcrow list")
        return found

    def passages(self, document_id: str) -> list[Passage]:
        """A document's passages in order; empty when it is not in the library."""
        with self._store.reading() as reader:
            return [_passage(stored) for stored in reader.passages_of(document_id)]

    def stats(self) -> LibraryStats:
        """How big the library is and how it searches."""
        with self._store.reading() as reader:
            counts = reader.counts()
            encoder = reader.encoder
            change = reader.change
        size = sum(file.stat().st_size for file in self.path.iterdir() if file.is_file())
        kind = "hnsw" if counts["passages"] > vectors.FLAT_UP_TO else "flat"
        name = f"{encoder.name}@{encoder.revision}" if encoder else ""
        return LibraryStats(change=change, vectors=kind, encoder=name, bytes=size, **counts)

    def check(self, repair: bool = False) -> CheckReport:
        """Whether everything stored fits together.

        Args:
            repair: whether to make anew what can be derived: text index and vector cache.
        """
        if not repair:
            return check_library(self._store, self.path / _CACHE)
        with self._writing():
            with self._store.writing() as writer:
                writer.rebuild_words()
            (self.path / _CACHE).unlink(missing_ok=True)
            self._index = None
            with self._store.reading() as reader:
                if reader.encoder is not None:
                    self._index_at(reader)
            return check_library(self._store, self.path / _CACHE)

    @property
    def encoder(self) -> Encoder:
        """What embeds here, made on first use."""
        with self._encoder_lock:
            if self._given_encoder is None:
                from index.encoder import SentenceTransformerEncoder

                self._given_encoder = SentenceTransformerEncoder(threads=self._threads)
            return self._given_encoder

    # --- how ------------------------------------------------------------------------------

    def _search(
        self,
        reader: Reader,
        index: vectors.VectorIndex,
        query: str,
        question: QuestionVectors,
        k: int,
        documents: Collection[str] | None,
        dates: tuple[str, str] | None,
    ) -> list[Hit]:
        contents = allowed = None
        if documents is not None or dates is not None:
            contents = reader.contents(documents, dates)
            allowed = reader.passage_ids(contents)
        depth = max(_CANDIDATES, 2 * k)
        near, _ = index.search(question.vector, depth, allowed)
        matched = reader.matches(match_query(query), depth, contents)
        found = reader.passages(sorted({*map(int, near), *matched}))
        return ranking.rank(query, question, found, matched, documents)[:k]

    def _index_at(self, reader: Reader) -> vectors.VectorIndex:
        """The vector index at the reader's change, or at a newer one."""
        identity = reader.encoder
        assert identity is not None
        self._require_match(identity, reader.chunker)
        index = self._index
        if index is not None and index.change >= reader.change:
            return index
        with self._index_lock:
            index = self._index or self._load_index(reader, identity)
            if index.change < reader.change:
                newest = max([0, *index.base_ids[-1:], *index.extra_ids[-1:]])
                ids, added = reader.vectors_after(int(newest), identity.dimension)
                removed = reader.removed_after(index.change)
                index = index.after(reader.change, removed, ids, added)
            if index.scattered or index.dimension != identity.dimension:
                index = self._build_index(reader, identity)
            self._index = index
            return index

    def _load_index(self, reader: Reader, identity: EncoderIdentity) -> vectors.VectorIndex:
        vectors.use_threads(self._threads)
        try:
            index = vectors.load(self.path / _CACHE, reader.library, identity.dimension)
        except vectors.CacheUnusable:
            return self._build_index(reader, identity)
        # a cache from the future means the library's file was put back to an older state
        return index if index.change <= reader.change else self._build_index(reader, identity)

    def _build_index(self, reader: Reader, identity: EncoderIdentity) -> vectors.VectorIndex:
        ids, stored = reader.vectors_after(-1, identity.dimension)
        index = vectors.build(reader.change, ids, stored, identity.dimension)
        with suppress(OSError):  # a cache that cannot be kept (read-only folder) is made again
            vectors.save(index, self.path / _CACHE, reader.library)
        return index

    def _require_match(self, stored: EncoderIdentity, chunker: str) -> None:
        ours = self.encoder.identity
        if stored != ours:
            raise LibraryMismatch(
                f"this library was made with {_differences(stored, ours)}. "
                "Embed it anew with: pilcrow rebuild --full"
            )
        if chunker != CHUNKER:
            raise LibraryMismatch(
                f"this library was split by {chunker!r}, this Pilcrow splits by {CHUNKER!r}. "
                "Split it anew with: pilcrow rebuild --full"
            )

    @contextmanager
    def _writing(self, dry_run: bool = False) -> Iterator[None]:
        """Hold the one right to write; it ends with the process, however that ends."""
        from filelock import FileLock, Timeout

        if dry_run:
            yield
            return
        lock = FileLock(self.path / _LOCK, timeout=0.2, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise LibraryBusy(
                f"{_holder(self.path / _HOLDER)} is changing this library. Try again when it is done"
            ) from None
        try:
            (self.path / _HOLDER).write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
            yield
        finally:
            lock.release()


def _holder(path: Path) -> str:
    try:
        return f"process {int(json.loads(path.read_text(encoding='utf-8'))['pid'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _differences(stored: EncoderIdentity, ours: EncoderIdentity) -> str:
    """`name 'a', this Pilcrow uses 'b'` for each part that differs."""
    mine = asdict(ours)
    return "; ".join(
        f"encoder {key} {value!r}, this Pilcrow uses {mine[key]!r}"
        for key, value in asdict(stored).items()
        if value != mine[key]
    )


def _passage(stored: StoredPassage) -> Passage:
    parts = tuple(
        Sentence(s.start, s.end, stored.text[s.start - stored.start : s.end - stored.start])
        for s in stored.sentences
    )
    return Passage(stored.paragraph, stored.start, stored.end, stored.text, parts)
