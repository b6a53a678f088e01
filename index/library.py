"""The memory, joined: files in, passages out, and nothing ever half-changed.

SQLite holds the truth (`store.py`); the vector index is a cache of it (`vectors.py`). One process
writes at a time; readers never wait and see whole changes only.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from index import discovery
from index.discovery import content_hash
from index.embedding.encoder import Encoder, QuestionVectors
from index.errors import (
    InputError,
    LibraryBusy,
    LibraryDamaged,
    LibraryMissing,
    LibraryUnwritable,
)
from index.formats.registry import Unreadable, read_bytes
from index.ingest import IngestRun
from index.integrity import check_library, damage
from index.search import ranking, vectors
from index.search.vector_cache import VectorCache
from index.storage import database
from index.storage.records import DocumentLocation, StoredPassage
from index.storage.snapshot import Snapshot, require_match
from index.storage.store import Store
from index.storage.transaction import Transaction
from index.system import files, roots
from index.system.cpu import one_core, usable_cores
from index.system.priority import QueryPriority
from index.tokenization import match_query, sound, words
from index.types import (
    CheckReport,
    Document,
    DocumentRecord,
    Hit,
    LibraryStats,
    Origin,
    Passage,
    Progress,
    Receipt,
    Sentence,
    Unreachable,
    UpdateReport,
)

_FILE, _LOCK, _HOLDER = database.FILE, "write.lock", "writer.json"
# Candidates that each leg hands to the joint ranking; on the visible sets more changed nothing.
_CANDIDATES = 50
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
# Questions whose vectors are kept: searching, reading and asking again share one forward pass.
_REMEMBERED = 64
_T = TypeVar("_T")
_COUNTED_PASSAGES = 20_000
"""About two million words: a second's counting."""


class Library:
    """A folder with everything Pilcrow knows about a set of articles. Safe from many threads.

    Example:
        library = Library.open("my-library")
        library.update(["articles/"])
        for hit in library.search("who wrote it?", k=3):
            print(hit.rank, hit.title, hit.text)
    """

    def __init__(
        self, path: Path, encoder: Encoder | None, threads: int | None, exact_up_to: int
    ) -> None:
        """Use `Library.open`."""
        self.path = path
        self._threads = threads or usable_cores()
        self._given_encoder = encoder
        self._priority = QueryPriority()
        self._encoder_lock = threading.Lock()
        self._questions: dict[str, QuestionVectors] = {}
        self._vocabulary: tuple[int, Mapping[str, int]] | None = None
        self._questions_lock = threading.Lock()
        self._store = Store(path / _FILE)
        self._vector_cache = VectorCache(self._store, path, self._threads, exact_up_to)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        encoder: Encoder | None = None,
        create: bool = True,
        threads: int | None = None,
        exact_up_to: int = vectors.FLAT_UP_TO,
    ) -> Library:
        """The library in a folder, made when it is missing.

        Args:
            path: the library's folder.
            encoder: what embeds; the packaged all-MiniLM-L6-v2 when None, loaded on first use.
            create: whether to make a library where there is none.
            threads: cores to use; all this process may use when None.
            exact_up_to: passages up to which every vector is compared; above, HNSW looks at few.

        Raises:
            InputError: when `path` is no path, or a file.
            LibraryMissing: when there is none and `create` is False.
            LibraryDamaged: when its file cannot be read.
            LibraryMismatch: when another version of Pilcrow made it.
            LibraryUnwritable: when the disk or its permissions refuse.
        """
        roots.settled(path)  # refuses what is no path
        folder = Path(path).absolute()
        there = roots.look(folder / _FILE)
        if there.kind == "closed":
            raise LibraryUnwritable(
                f"no library can be looked for in {str(path)!r} ({there.reason}). Make the folder "
                "readable for you, or choose another with --store"
            )
        if there.kind == "missing":
            if not create:
                raise LibraryMissing(
                    f"no library at {str(path)!r}. Make one: pilcrow --store {path} add ARTICLES"
                )
            if roots.look(folder).kind == "file":
                raise InputError(f"{str(path)!r} is a file; a library is a folder")
            _make(folder)
        files.make_private(folder)
        return cls(folder, encoder, threads, exact_up_to)

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
        folder: str | Path | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        """Bring files and folders into the library; only what changed is read again and embedded.

        A folder stands for its files: new ones are added, changed ones updated, vanished ones
        removed. Files that cannot be read are listed as failed, and what was stored of them stays.
        So does what cannot be seen now (a closed folder, a disk that is away) and what went missing
        in great numbers at once; the report names it. A document that was removed by hand comes
        back when its file itself is named, not with its folder.

        Args:
            paths: files and folders.
            folder: what the files lie in; it is remembered and looked into by `rebuild`, instead of
                each of them. Nothing but `paths` is looked at now.
            progress: called with each step.
            cancelled: asked between steps; when it says True the update stops, and what is done
                so far is kept.
            dry_run: only say what would happen.

        Raises:
            InputError: when something is no path.
            LibraryBusy: when another process is writing.
            LibraryMismatch: when the library was made with another encoder or chunker.
        """
        within = None if folder is None else roots.settled(folder)
        wanted = [roots.settled(one) for one in _several(paths, "paths")]
        with self._writing(dry_run):
            work = IngestRun(self._store, self.encoder, progress, self._yield_to_queries(cancelled))
            report = work.run(wanted, dry_run=dry_run, folder=within)
            if not dry_run:
                self._vector_cache.refresh(progress, cancelled)
        return report

    def rebuild(
        self,
        *,
        full: bool = False,
        forget: bool = False,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        """Look again at every place that was ever added; what was removed by hand stays out.

        Args:
            full: read and embed everything anew, with today's encoder and rules; readers go on
                with the old state until the new one replaces it whole.
            forget: whether to let go of what went missing in great numbers at once (more than half
                of a place, or all of a folder), and not only of files deleted here and there.
            progress: as in `update`.
            cancelled: as in `update`.
            dry_run: only say what would happen.
        """
        with self._writing(dry_run):
            with self._store.reading() as reader:
                known = [Path(place) for place in reader.roots()]
            work = IngestRun(self._store, self.encoder, progress, self._yield_to_queries(cancelled))
            report = work.run(known, full=full, dry_run=dry_run, implied=True, forget=forget)
            if not dry_run:
                self._vector_cache.refresh(progress, cancelled)
        return report

    def remove(self, document_ids: Iterable[str]) -> Receipt:
        """Take documents out, and count what is left of them: nothing.

        Raises:
            InputError: when an id is not in the library; then nothing is removed.
            LibraryBusy: when another process is writing.
        """
        wanted = tuple(dict.fromkeys(_several(document_ids, "document ids")))
        with self._writing():
            with self._store.writing() as writer:
                found = [_placed(writer, one) for one in wanted]
                for one in found:
                    writer.exclude(one.path)
                    # a file that was added by itself is not looked for again
                    if one.root == one.path:
                        writer.drop_root(one.root)
                self._take_out(writer, found)
            return self._receipt(writer, found)

    def forget(self, path: str | Path) -> Receipt:
        """Let go of a place for good: it is not looked at again, and its documents go.

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
                found = [one for one in writer.locations() if discovery.is_under(one.path, names)]
                known = [one for one in writer.roots() if discovery.is_under(one, names)]
                if not found and not known:
                    raise InputError(
                        f"nothing under {str(path)!r} was ever added. See: pilcrow list"
                    )
                for place in known:
                    writer.drop_root(place)
                writer.include(one for one in writer.excluded() if discovery.is_under(one, names))
                self._take_out(writer, found)
            return self._receipt(writer, found)

    def _take_out(self, writer: Transaction, found: Iterable[DocumentLocation]) -> None:
        for one in found:
            writer.remove_document(one.id)
        writer.finish()
        writer.purge_text_index()

    def _receipt(self, writer: Transaction, found: Sequence[DocumentLocation]) -> Receipt:
        """What a removal took out, once it is written, and what is left of it."""
        gone = dict(writer.dropped)
        self._vector_cache.refresh(clean=True)
        with suppress(LibraryBusy, LibraryUnwritable):  # then it goes from the log a bit later
            self._store.checkpoint()
        with self._store.reading() as reader:
            left = reader.rows_left(gone)
            left += sum(reader.by_id(one.id) is not None for one in found)
        sentences = sum(gone.values())
        vectors_gone = len(gone) + sentences
        origins = tuple(Origin(one.id, one.root, one.path) for one in found)
        names = tuple(one.id for one in found)
        return Receipt(names, len(gone), sentences, vectors_gone, left, origins)

    def removed_files(self) -> set[str]:
        """The files whose documents a person removed, as absolute paths."""
        with self._store.reading() as reader:
            return reader.excluded()

    def forget_removed(self, paths: Iterable[str]) -> None:
        """No longer note of these files that their documents were removed: they are deleted."""
        with self._writing(), self._store.writing() as writer:
            writer.include(paths)

    def unreachable(self) -> tuple[Unreachable, ...]:
        """The documents whose files cannot be seen now; they are kept, and found all the same."""
        with self._store.reading() as reader:
            held = reader.locations()
        return discovery.unreachable(held)

    def restore(self, receipt: Receipt) -> UpdateReport:
        """Take back what was removed: each document from its file, under the id it had.

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
            report = IngestRun(self._store, self.encoder, None, None).restore_files(receipt.origins)
            self._vector_cache.refresh()
        return report

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
            InputError: when the query is not text, `k` no positive whole number, or the documents
                or dates are not what they should be.
            LibraryMismatch: when the library was made with another encoder.
        """
        if not isinstance(query, str) or not query.strip():
            raise InputError("the query is empty: type a question or a few words")
        if not isinstance(k, int) or k < 1:
            raise InputError(f"k must be a whole number, at least 1, not {k!r:.80}")
        check_scope(documents, dates)
        query = sound(query)
        with self._store.reading() as reader:
            if reader.encoder is None:
                return []
        question = self.encode_query(query)
        newest = 0
        while True:
            with self.query_priority(), self._store.reading() as reader:
                # a state older than one seen before: somebody put an older file in its place
                require_match(reader, self.encoder)
                index = self._vector_cache.at(reader, anew=reader.generation < newest)
                if index.generation == reader.generation:
                    return self._search(reader, index, query, question, k, documents, dates)
                newest = index.generation  # it came between the two: ask again

    def query_priority(self) -> AbstractContextManager[None]:
        """While this lasts, changes to the library made in this process leave the cores free."""
        return self._priority.question()

    def encode_query(self, text: str) -> QuestionVectors:
        """A question's vectors; the last few are remembered."""
        with self._questions_lock:
            if text in self._questions:
                return self._questions[text]
        with self.query_priority():
            made = self.encoder.encode_query(text)
        with self._questions_lock:
            if len(self._questions) >= _REMEMBERED:
                self._questions.pop(next(iter(self._questions)))
            self._questions[text] = made
        return made

    def idf(
        self,
        terms: Iterable[str],
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
    ) -> dict[str, float]:
        """How rare words are in the library: 1 for one that is nowhere, near 0 for one everywhere.

        Inverse document frequency over passages, divided by that of a word never seen.

        Args:
            terms: words as `lexical.words` makes them.
            documents: count only in these documents, as if there were no others.
            dates: count only in documents dated within these ISO dates.
        """
        with self._store.reading() as reader:
            total, contents = reader.counts()["passages"], None
            if documents is not None or dates is not None:
                contents = reader.contents(documents, dates)
                total = len(reader.passage_ids(contents))
            unseen = log(1 + (total + 0.5) / 0.5)
            return {
                term: log(1 + (total - n + 0.5) / (n + 0.5)) / unseen
                for term in dict.fromkeys(terms)
                for n in [reader.passages_with(term, contents)]
            }

    @property
    def change(self) -> int:
        """How many changes the library has seen; another number means another content."""
        with self._store.reading() as reader:
            return reader.generation

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

    def vocabulary(self) -> Mapping[str, int]:
        """Every word of the documents, lower case, and how often it occurs; kept until a change.

        Empty in a library of more than `_COUNTED_PASSAGES`, where counting would keep a question.
        """
        change = self.change
        with self._store.reading() as reader:
            if reader.counts()["passages"] > _COUNTED_PASSAGES:
                return {}
        if self._vocabulary is None or self._vocabulary[0] != change:
            counts: Counter[str] = Counter()
            for record in self.documents():
                document = self.document(record.id)
                counts.update(words(document.text))
                counts.update(words(document.title))
            self._vocabulary = change, counts
        return self._vocabulary[1]

    def embedded_passages(self, document_id: str) -> list[tuple[Passage, NDArray[np.float32]]]:
        """A document's passages in order, each with its sentences' vectors, shape (n, dim)."""
        with self._store.reading() as reader:
            return [
                (_passage(stored), np.asarray(stored.sentence_vectors, np.float32))
                for stored in reader.passages_of(document_id)
            ]

    def stats(self) -> LibraryStats:
        """How big the library is and how it searches."""
        with self._store.reading() as reader:
            counts, change, encoder = reader.counts(), reader.generation, reader.encoder
            header = self._vector_cache.header(reader)
        size = _size(self.path)
        name = f"{encoder.name}@{encoder.revision}" if encoder else ""
        kind = self._vector_cache.kind or (header.kind if header else "flat")
        return LibraryStats(change=change, vectors=kind, encoder=name, bytes=size, **counts)

    def check(self, repair: bool = False) -> CheckReport:
        """Whether everything stored fits together.

        Args:
            repair: whether to make anew what is damaged and can be derived: the text index and the
                vector cache from what is stored, vectors from their texts, texts from their files.
        """
        report = check_library(self._store, self._vector_cache.path)
        if not repair or report.ok:
            return report
        with self._writing():
            mended: dict[str, str] = {}
            for _ in range(2):  # what can be seen only when the file itself is whole again
                mended |= self._repair({line.name for line in report.lines if not line.ok})
                report = check_library(self._store, self._vector_cache.path)
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
        """What embeds here, made on first use."""
        with self._encoder_lock:
            if self._given_encoder is None:
                from index.embedding.encoder import SentenceTransformerEncoder

                self._given_encoder = SentenceTransformerEncoder(threads=self._threads)
            return self._given_encoder

    # --- how ------------------------------------------------------------------------------

    def _search(
        self,
        reader: Snapshot,
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
        with one_core():
            return ranking.rank(query, question, found, matched, k, documents)

    def _repair(self, bad: set[str]) -> dict[str, str]:
        """Make anew what is damaged; says what was done, by name of the check."""
        done: dict[str, str] = {}
        if "database" in bad:
            with suppress(LibraryDamaged), self._store.writing() as writer:
                writer.mend_documents(all_or_none=True)
                done["database"] = "the list of documents was written anew"
            return done
        if "text index" in bad:
            with self._store.writing() as writer:
                writer.rebuild_words()
            done["text index"] = "made anew"
        if "documents" in bad:
            with self._store.writing() as writer:
                hurt_names, lost = writer.bad_documents(), writer.orphans()
                writer.mend_documents()
                writer.drop_orphans()
            told = []
            if lost:
                told.append("what had lost its document is gone; pilcrow rebuild reads it again")
            if hurt_names:
                told.append(f"what is noted of {', '.join(hurt_names)} was looked at")
            done["documents"] = "; ".join(told) or "written anew"
        if bad & {"contents", "vectors", "offsets"}:
            with self._store.reading() as reader:
                contents, hurt = damage(reader)
            report = IngestRun(self._store, self.encoder, None, None).repair(contents, hurt)
            done["contents"] = f"{len(contents) - len(report.failed)} files read again"
            done["vectors"] = f"{report.embedded} passages embedded again"
        with self._store.writing() as writer:
            self._confirm(writer)
            writer.recount()  # whatever was mended
        if "counts" in bad:
            done["counts"] = "counted again"
        if "vector cache" in bad:
            done["vector cache"] = "made anew"
        self._vector_cache.drop()
        self._vector_cache.refresh(anew="vector cache" in bad)
        return done

    def _confirm(self, writer: Transaction) -> None:
        """Seal anew what is noted of documents where their files bear it out, if it is damaged."""
        for one in map(writer.by_id, writer.bad_documents()):
            if one is None or not one.path.endswith(one.id):
                continue
            path = Path(one.path)
            with suppress(Unreadable):
                if content_hash(read_bytes(path), path.suffix) == one.hash:
                    writer.seal_documents("WHERE d.id = ?", one.id)

    def _yield_to_queries(self, cancelled: Callable[[], bool] | None) -> Callable[[], bool]:
        """As `cancelled`, asked between two steps; before that, questions have their turn."""

        def ask() -> bool:
            self._priority.wait_for_queries()
            return cancelled is not None and cancelled()

        return ask

    @contextmanager
    def _writing(self, dry_run: bool = False) -> Iterator[None]:
        """Hold the one right to write; it ends with the process, however that ends."""
        if dry_run:
            yield
            return
        with _lock(self.path):
            files.sweep(self.path)
            yield


def check_scope(documents: Any, dates: Any) -> None:
    """Make sure that this is where one may look: documents by their ids, and two ISO dates.

    Raises:
        InputError: when it is not, naming it.
    """
    named = isinstance(documents, Collection) and not isinstance(documents, str)
    if documents is not None and not (named and all(isinstance(one, str) for one in documents)):
        raise InputError(f"documents are a list of ids, not {documents!r:.80}")
    pair = isinstance(dates, tuple | list) and len(dates) == 2
    if dates is not None and not (
        pair and all(isinstance(one, str) and _DATE.fullmatch(one) for one in dates)
    ):
        raise InputError(f"dates are two ISO dates, the first and the last, not {dates!r:.80}")


def _make(folder: Path) -> None:
    """Make an empty library, unless somebody else does."""
    try:
        files.make_folder(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    with _lock(folder, wait=10):
        if not (folder / _FILE).exists():
            try:
                database.create(folder / _FILE)
            except OSError as error:
                raise _unwritable(folder, error) from error


@contextmanager
def _lock(folder: Path, wait: float = 0.2) -> Iterator[None]:
    """The right to write in a library's folder; the system takes it back from a dead process."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / _LOCK, wait, mode=files.FILE_MODE, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise LibraryBusy(
            f"{_holder(folder / _HOLDER)} is changing this library. Try again when it is done"
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        with suppress(OSError):  # it only serves the message above
            files.open_private(folder / _HOLDER)
            (folder / _HOLDER).write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
        yield
    finally:
        lock.release()


def _unwritable(folder: Path, error: OSError) -> LibraryUnwritable:
    return LibraryUnwritable(
        f"{str(folder)!r} cannot be written ({error.strerror}). Make the folder writable for you, "
        "free some space, or choose another with --store"
    )


def _holder(path: Path) -> str:
    try:
        return f"process {int(json.loads(path.read_text(encoding='utf-8'))['pid'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _size(folder: Path) -> int:
    """Bytes of a folder's own files, as far as they can be seen."""
    total = 0
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):  # it is being replaced just now
                total += path.stat().st_size if path.is_file() else 0
    return total


def _placed(reader: Snapshot, document_id: str) -> DocumentLocation:
    found = reader.by_id(document_id)
    if found is None:
        raise InputError(f"no document {document_id!r} in the library. See: pilcrow list")
    return found


def _several(given: Iterable[_T], what: str) -> list[_T]:
    """What was handed in, as a list.

    Raises:
        InputError: when it is one thing alone, whose letters nobody means.
    """
    if isinstance(given, str | bytes | os.PathLike) or not isinstance(given, Iterable):
        raise InputError(f"{what} come in a list, like [{given!r}]")
    return list(given)


def _passage(stored: StoredPassage) -> Passage:
    parts = tuple(
        Sentence(s.start, s.end, stored.text[s.start - stored.start : s.end - stored.start])
        for s in stored.sentences
    )
    return Passage(stored.paragraph, stored.start, stored.end, stored.text, parts)
