"""The library: its face to programs, every method documented here and done elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from index.embedding.encoder import Encoder, EncoderIdentity, QuestionVectors
from index.errors import InputError
from index.ingest.parcels import Workers
from index.library.arguments import (
    as_list,
    check_count,
    check_scope,
    ids_of,
    ignore_globs,
    label,
    query_text,
    scope_with,
)
from index.library.changes import Changes
from index.library.contents import LibraryContents
from index.library.encoding import LibraryEncoder
from index.library.passage_search import PassageSearch
from index.search import opening, vectors
from index.search.search import Search
from index.storage.postgres.address import Address
from index.storage.store import Store
from index.system import roots
from index.system.cpu import usable_cores
from index.system.priority import QueryPriority, Turns
from index.types import (
    EVERYWHERE,
    CatalogueCard,
    CheckReport,
    Hit,
    Progress,
    Receipt,
    SearchScope,
    UpdateReport,
)


class Library(LibraryContents):
    """A folder with everything Pilcrow knows about a set of articles. Safe from many threads.

    What only reads it is in `LibraryContents`; here is what changes it and what asks it. Readers
    never wait for a writer and see whole changes only.

    Example:
        library = Library.open("my-library")
        library.update(["articles/"])
        for hit in library.search("who wrote it?", k=3):
            print(hit.rank, hit.title, hit.text)
    """

    def __init__(self, store: Store, search: Search, encoder: Encoder | None, threads: int) -> None:
        """Use `Library.open`."""
        super().__init__(store, search)
        self.path = store.folder
        """A folder of this machine's for files that belong to the library."""
        self.place = store.place
        """Where it is: a folder, the same one, or a server's address."""
        self._priority = QueryPriority()
        self._turns = Turns(threads)
        self._encoding = LibraryEncoder(store, encoder, threads, self._priority)
        self._searching = PassageSearch(store, search, self._encoding, self._priority)
        self._changes = Changes(store, search, self._encoding, self._priority)

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
        return self._changes.update(
            [roots.settled(path) for path in as_list(paths, "paths")],
            folder=None if folder is None else roots.settled(folder),
            exclude=None if exclude is None else ignore_globs(exclude),
            cards=cards or {},
            collection=None
            if collection is None
            else label(collection, "collection", optional=True),
            progress=progress,
            cancelled=cancelled,
            dry_run=dry_run,
            workers=workers,
        )

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
        return self._changes.rebuild(
            full=full,
            forget=forget,
            encoder=encoder,
            progress=progress,
            cancelled=cancelled,
            dry_run=dry_run,
        )

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
        wanted = [roots.settled(path) for path in as_list(paths, "paths")]
        return self._changes.look_again(wanted, cancelled)

    def remove(self, document_ids: Iterable[str]) -> Receipt:
        """The receipt for documents taken out, with a count of what is left of them: nothing.

        Raises:
            InputError: when an id is not in the library; then nothing is removed.
            LibraryBusy: when another process is writing.
        """
        return self._changes.remove(ids_of(document_ids))

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
        return self._changes.restore(receipt)

    def forget(self, path: str | Path) -> Receipt:
        """The receipt for a place let go of for good: not looked at again, its documents gone.

        Args:
            path: a file or folder that was added, or one below; it need not be there any more.

        Raises:
            InputError: when nothing of it is in the library; then nothing changes.
            LibraryBusy: when another process is writing.
        """
        return self._changes.forget(path)

    def forget_removed(self, paths: Iterable[str]) -> None:
        """No longer note of these files that their documents were removed: they are deleted."""
        self._changes.forget_removed(paths)

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
        return self._changes.tag(ids_of(document_ids), label(tag, "tag"), remove=remove)

    def collect(self, document_ids: Iterable[str], collection: str) -> None:
        """Put documents into a collection, out of the one they were in; their files stay as is.

        Args:
            document_ids: which documents.
            collection: its name; it begins to be with its first document. Empty for none.

        Raises:
            InputError: when an id is not in the library, or it is no name; then nothing changes.
            LibraryBusy: when another process is writing.
        """
        name = label(collection, "collection", optional=True)
        self._changes.collect(ids_of(document_ids), name)

    def check(self, repair: bool = False) -> CheckReport:
        """Whether everything stored fits together.

        Args:
            repair: whether to make anew what is damaged and can be derived: the text index and the
                vector cache from what is stored, vectors from their texts, texts from their files.
        """
        return self._changes.check(repair)

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
        text = query_text(query)
        check_count(k)
        return self._searching.hits(text, k, scope_with(scope, documents, dates))

    def select(self, scope: SearchScope) -> frozenset[str] | None:
        """The ids of the documents that a scope takes; None for all of the library.

        Raises:
            InputError: when it is not what a scope should be.
        """
        check_scope(scope.documents, scope.dates, scope)
        return self._searching.select(scope)

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
        return self._searching.idf(terms, scope)

    def vocabulary(self) -> Mapping[str, int]:
        """Every word of the documents, lower case, and how often it occurs; kept until a change.

        Of a large library a share of the words, and whether it has any other: `Vocabulary`.
        """
        return self._searching.vocabulary()

    def encode_query(self, text: str) -> QuestionVectors:
        """A question's vectors; the last few are remembered."""
        return self._encoding.encode_query(text)

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

    # --- embedding ------------------------------------------------------------------------

    @property
    def encoder(self) -> Encoder:
        """What embeds here: the one that was given, else the one that the library was made with.

        Raises:
            ModelMissing: when that one is not where it was.
        """
        return self._encoding.current

    @property
    def made_with(self) -> EncoderIdentity | None:
        """What the library's vectors were made with; None while there are none."""
        return self._encoding.made_with

    def use_encoder(self, encoder: Encoder) -> None:
        """Embed with another encoder from now on; `rebuild` with `full` makes the library its own.

        Until then searching and adding are refused where the library was made with another one.
        """
        self._encoding.use(encoder)
