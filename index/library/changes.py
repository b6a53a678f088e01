"""Everything that changes a library: files taken in, documents taken out and labelled.

One change at a time, each whole or not there. What a program hands in has been checked
(`arguments.py`); what each change does for whoever calls it stands at the methods of `Library`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from index.embedding.encoder import Encoder
from index.errors import InputError, LibraryBusy, LibraryUnwritable
from index.ingest import discovery
from index.ingest.parcels import Workers
from index.ingest.run import IngestRun
from index.integrity.check import check_library
from index.integrity.repair import repair
from index.library.contents import location_of
from index.library.encoding import LibraryEncoder
from index.search.search import Search
from index.storage.records import DocumentLocation
from index.storage.store import Store, Transaction
from index.system import roots
from index.system.priority import QueryPriority
from index.types import (
    NO_CARD,
    CatalogueCard,
    CheckReport,
    Origin,
    Progress,
    Receipt,
    UpdateReport,
)

_TAGS = "\0tags"
"""What is claimed by whoever changes tags, which are written all together; no document's name."""


class Changes:
    """The changes of one library. Safe from many threads: the second writer is told who is."""

    def __init__(
        self, store: Store, search: Search, encoder: LibraryEncoder, priority: QueryPriority
    ) -> None:
        """Change nothing yet.

        Args:
            store: what is changed.
            search: what is derived from it, and refreshed after each change.
            encoder: what embeds.
            priority: questions under way, which changes wait for between two steps.
        """
        self._store = store
        self._search = search
        self._encoder = encoder
        self._priority = priority

    # --- taking in ------------------------------------------------------------------------

    def update(
        self,
        paths: Sequence[Path],
        *,
        folder: Path | None,
        exclude: Sequence[str] | None,
        cards: Mapping[Path, CatalogueCard],
        collection: str | None,
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        dry_run: bool,
        workers: Workers | None,
    ) -> UpdateReport:
        """What became of files and folders, as `Library.update` says."""
        with self._writing(dry_run):
            if not dry_run:
                self._note(paths, cards, collection)
            report = self._run(self._encoder.current, progress, cancelled).run(
                paths, dry_run=dry_run, folder=folder, exclude=exclude, workers=workers
            )
            if not dry_run:
                self._search.refresh(progress, cancelled)
        return report

    def rebuild(
        self,
        *,
        full: bool,
        forget: bool,
        encoder: Encoder | None,
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        dry_run: bool,
    ) -> UpdateReport:
        """What a new look at every remembered place brought, as `Library.rebuild` says."""
        with self._writing(dry_run, alone=full or encoder is not None):
            with self._store.reading() as reader:
                known = [Path(place) for place in reader.roots()]
            chosen = encoder or self._encoder.current
            full = full or (
                encoder is not None and self._encoder.made_with not in (None, chosen.identity)
            )
            report = self._run(chosen, progress, cancelled).run(
                known, full=full, dry_run=dry_run, implied=True, forget=forget
            )
            if not dry_run:
                if encoder is not None and not report.cancelled:
                    self._encoder.use(encoder)
                self._search.refresh(progress, cancelled)
        return report

    def look_again(
        self, paths: Sequence[Path], cancelled: Callable[[], bool] | None
    ) -> UpdateReport:
        """What became of paths that something has changed at, as `Library.look_again` says."""
        with self._writing():
            with self._store.reading() as reader:
                changed = discovery.changed_of(reader, paths)
            run = self._run(self._encoder.current, None, cancelled)
            report = run.run(changed, implied=True)
            self._search.refresh(None, cancelled)
        return report

    def restore(self, receipt: Receipt) -> UpdateReport:
        """What came back of what a receipt says was removed, with what was noted of it."""
        with self._writing():
            self._note([], {Path(path): card for path, card in receipt.cards}, None)
            for path, name in receipt.collections:
                self._note([Path(path)], {}, name)
            run = IngestRun(self._store, self._encoder.current, None, None)
            report = run.restore_files(receipt.origins)
            if receipt.tags:
                with self._store.writing() as writer:
                    writer.claim([_TAGS])
                    writer.set_tags(writer.tags() | dict(receipt.tags))
            self._search.refresh()
        return report

    def _run(
        self,
        encoder: Encoder,
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> IngestRun:
        """A run that lets questions go first between two of its steps."""

        def ask() -> bool:
            self._priority.wait_for_queries()
            return cancelled is not None and cancelled()

        return IngestRun(self._store, encoder, progress, ask)

    def _note(
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

    # --- taking out -----------------------------------------------------------------------

    def remove(self, document_ids: Sequence[str]) -> Receipt:
        """The receipt for documents taken out; their files stay out until they are named."""
        with self._writing():
            with self._store.writing() as writer:
                writer.claim(document_ids)
                own = writer.tags()
                locations = [location_of(writer, document_id) for document_id in document_ids]
                cards = tuple((at.path, writer.card(at.path)) for at in locations)
                named = tuple((at.path, writer.own_collection(at.path)) for at in locations)
                for location in locations:
                    writer.exclude(location.path)
                    # a file that was added by itself is not looked for again
                    if location.root == location.path:
                        writer.drop_root(location.root)
                self._take_out(writer, locations)
            return replace(
                self._receipt(writer, locations),
                tags=tuple((id_, own[id_]) for id_ in document_ids if id_ in own),
                cards=tuple((path, card) for path, card in cards if card != NO_CARD),
                collections=tuple((path, name) for path, name in named if name is not None),
            )

    def forget(self, path: str | Path) -> Receipt:
        """The receipt for a place let go of for good, with all that is noted of it.

        Raises:
            InputError: when nothing of it is in the library; then nothing changes.
        """
        given = roots.settled(path)
        with self._writing():
            with self._store.writing() as writer:
                names = discovery.names_of(writer.roots(), given)
                locations = [at for at in writer.locations() if discovery.is_under(at.path, names)]
                known = [root for root in writer.roots() if discovery.is_under(root, names)]
                if not locations and not known:
                    raise InputError(
                        f"nothing under {str(path)!r} was ever added. See: pilcrow list"
                    )
                writer.claim(location.id for location in locations)
                for root in known:
                    writer.drop_root(root)
                excluded = writer.excluded()
                writer.include(file for file in excluded if discovery.is_under(file, names))
                paths = (*map(str, names), *known, *(at.path for at in locations))
                writer.forget_collections(paths)
                self._take_out(writer, locations)
            return self._receipt(writer, locations)

    def forget_removed(self, paths: Iterable[str]) -> None:
        """No longer note of these files that their documents were removed: they are deleted."""
        gone = list(paths)
        with self._writing(), self._store.writing() as writer:
            writer.include(gone)
            writer.forget_collections(gone)

    def _take_out(self, writer: Transaction, locations: Iterable[DocumentLocation]) -> None:
        for location in locations:
            writer.remove_document(location.id)
        writer.finish()
        writer.purge_text_index()

    def _receipt(self, writer: Transaction, locations: Sequence[DocumentLocation]) -> Receipt:
        """What a removal took out, once it is written, and what is left of it."""
        gone = dict(writer.dropped)
        self._search.refresh(clean=True)
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

    # --- labelling ------------------------------------------------------------------------

    def tag(self, document_ids: Sequence[str], tag: str, *, remove: bool) -> tuple[str, ...]:
        """The ids of the documents that a tag was given to, or taken from."""
        with self._writing(), self._store.writing() as writer:
            writer.claim([*document_ids, _TAGS])
            own, changed = writer.tags(), []
            for document_id in document_ids:
                location_of(writer, document_id)
                before = own.get(document_id, ())
                if (tag in before) is remove:
                    own[document_id] = (*(t for t in before if t != tag), *[tag] * (not remove))
                    changed.append(document_id)
            writer.set_tags(own)
        return tuple(changed)

    def collect(self, document_ids: Sequence[str], collection: str) -> None:
        """Put documents into a collection, out of the one they were in; into none when empty."""
        with self._writing(), self._store.writing() as writer:
            writer.claim(document_ids)
            for document_id in document_ids:
                writer.set_collection(location_of(writer, document_id).path, collection)

    # --- mending --------------------------------------------------------------------------

    def check(self, mend: bool) -> CheckReport:
        """Whether everything stored fits together, after what does not was made anew if asked."""
        report = check_library(self._store, self._search)
        if not mend or report.ok:
            return report
        with self._writing(alone=True):
            mended: dict[str, str] = {}
            for _ in range(2):  # what can be seen only when the file itself is whole again
                bad = {line.name for line in report.lines if not line.ok}
                mended |= repair(self._store, self._search, bad, lambda: self._encoder.current)
                report = check_library(self._store, self._search)
                if report.ok:
                    break
        return CheckReport(
            tuple(
                replace(line, detail=mended.get(line.name, line.detail)) if line.ok else line
                for line in report.lines
            )
        )

    @contextmanager
    def _writing(self, dry_run: bool = False, *, alone: bool = False) -> Iterator[None]:
        """Hold the right to write, if anything is to be written."""
        if dry_run:
            yield
            return
        with self._store.changing(alone=alone):
            yield
