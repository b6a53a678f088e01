"""Parsed files → documents of the library, embedded first, then written whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from index.embedding.encoder import Encoder
from index.errors import LibraryBusy
from index.formats import registry
from index.ingest.discovery import DocumentIds, SourceFile, Survey
from index.ingest.embed import BatchEmbedder, VectorsGone
from index.ingest.parse import ParsedFile
from index.ingest.progress import RunProgress
from index.languages.splitting import CHUNKER
from index.storage.store import Snapshot, Store, Transaction

# How often a batch is embedded when another writer takes vectors away that were to serve again.
_TRIES = 5


class _NameTaken(Exception):
    """Another writer has given a document the id that was meant for this one. Never shown."""


class DocumentWriter:
    """Puts parsed files into the store, each change in one transaction."""

    def __init__(
        self, store: Store, encoder: Encoder, embedder: BatchEmbedder, progress: RunProgress
    ) -> None:
        """Write into `store` what `embedder` has vectors for."""
        self._store, self._encoder = store, encoder
        self._embedder, self._progress = embedder, progress

    def add(self, batch: Sequence[ParsedFile], survey: Survey) -> None:
        """Embed a batch of documents and put them in, in one transaction.

        Args:
            batch: documents.
            survey: with the last batch, everything that was found; before, where it was looked for.
        """
        for _ in range(_TRIES):
            self._embedder.embed(batch)
            try:
                return self._write(batch, survey)
            except VectorsGone:
                continue
            except _NameTaken:
                batch = self._named_anew(batch)
        raise LibraryBusy("others change the same documents all the time. Try again in a moment")

    def _write(self, batch: Sequence[ParsedFile], survey: Survey) -> None:
        """Write a batch of documents that vectors were made for."""
        with self._store.writing() as writer:
            files = [parsed.file for parsed in batch]
            touched = [(parsed.file.id, str(parsed.file.path), parsed.hash) for parsed in batch]
            writer.claim([*survey.vanished, *(name for names in touched for name in names)])
            if any(_is_taken(writer, file) for file in files):
                raise _NameTaken
            if batch and writer.encoder is None:
                writer.set_encoder(self._encoder, CHUNKER)
            news = [self._put(writer, parsed) for parsed in batch]
            added = {parsed.file.id for parsed, new in zip(batch, news, strict=True) if new}
            _hand_on_tags(writer, survey.vanished, added.union(self._progress.report.added))
            for document_id in survey.vanished:
                _forget_root(writer, document_id)
                writer.remove_document(document_id)
            _remember(writer, survey, [*files, *survey.files])
            writer.clear_drafts(_digests(batch))
        self._progress.report.removed += survey.vanished
        for parsed, new in zip(batch, news, strict=True):
            self._progress.written(parsed.file.id, new)

    def _named_anew(self, batch: Sequence[ParsedFile]) -> list[ParsedFile]:
        """A batch with other ids for the documents whose own another writer has given away."""
        with self._store.reading() as reader:
            held = {location.path: location for location in reader.locations()}
            taken = {parsed.file.path for parsed in batch if _is_taken(reader, parsed.file)}
        names = DocumentIds(held)
        for parsed in batch:
            if parsed.file.path not in taken:
                names.given[parsed.file.id] = str(parsed.file.path)
        return [_renamed(p, names) if p.file.path in taken else p for p in batch]

    def replace_all(self, documents: Sequence[ParsedFile], survey: Survey) -> None:
        """Embed everything anew beside the old state, then replace that in one change."""
        with self._store.reading() as reader:
            before = {location.path: location.id for location in reader.locations()}
        self._embedder.embed(documents, anew=True)
        self._progress.saving()
        with self._store.writing() as writer:
            for document_id in survey.vanished:
                _forget_root(writer, document_id)
            writer.clear()
            writer.set_encoder(self._encoder, CHUNKER)
            for parsed in documents:
                self._put(writer, parsed)
            writer.forget_files(before.keys() - {str(parsed.file.path) for parsed in documents})
            _remember(writer, survey, survey.files)
            writer.clear_drafts(_digests(documents))
        kept = {parsed.file.id for parsed in documents}
        self._progress.report.removed += [id_ for id_ in before.values() if id_ not in kept]
        for parsed in documents:
            self._progress.written(parsed.file.id, str(parsed.file.path) not in before)

    def replace_content(self, content: int, parsed: ParsedFile) -> None:
        """Write one content anew, using again those of its vectors that are sound."""
        self._embedder.embed([parsed])
        with self._store.writing() as writer:
            self._put_again(writer, content, parsed)
            writer.clear_drafts(parsed.digests)
        self._progress.report.updated.append(parsed.file.id)

    def _put(self, writer: Transaction, parsed: ParsedFile) -> bool:
        """Whether the document is new; it is written, and content that is stored serves again."""
        content = writer.content_of(parsed.hash)
        if content is None:
            content = writer.add_content(self._embedder.new_content(writer, parsed))
        elif parsed.passages and writer.edition_of(content) < parsed.edition:
            content = self._put_again(writer, content, parsed)
        file = parsed.file
        new = writer.by_path(str(file.path)) is None
        writer.place_document(file.id, content, file.root, str(file.path))
        return new

    def _put_again(self, writer: Transaction, content: int, parsed: ParsedFile) -> int:
        """The content as it is read today in the place of what an earlier reader made of it."""
        new = self._embedder.new_content(writer, parsed)
        # vectors that lie in the old state have to be read before it goes
        return writer.replace_content(content, replace(new, vectors=tuple(new.vectors)))


def _is_taken(reader: Snapshot, file: SourceFile) -> bool:
    """Whether a file's id was given to another file since it was chosen."""
    holder = reader.by_id(file.id)
    return holder is not None and holder.path not in (str(file.path), file.replaces)


def _renamed(parsed: ParsedFile, names: DocumentIds) -> ParsedFile:
    """A parsed file with an id that is free."""
    old = parsed.file
    name = registry.safe_name(old.path.name)
    with suppress(ValueError):  # it was added by itself
        inside = old.path.relative_to(old.root)
        name = registry.safe_name(inside.as_posix()) if inside.parts else name
    file = names.identify(name, Path(old.root), old.path)
    return replace(parsed, file=file, document=replace(parsed.document, id=file.id))


def _remember(writer: Transaction, survey: Survey, files: Iterable[SourceFile]) -> None:
    """Where to look next time; what is asked for by name is no longer left out."""
    writer.include(str(file.path) for file in files)
    for root in survey.roots:
        writer.add_root(root)
    for root, globs in survey.excludes.items():
        writer.set_excludes(root, globs)
    for root in survey.dropped:
        writer.drop_root(root)


def _hand_on_tags(writer: Transaction, gone: Iterable[str], added: Collection[str]) -> None:
    """A file that moved is one that is gone and one that came, with the very same content."""
    own = writer.tags()
    for document_id in sorted(own.keys() & set(gone)):
        location = writer.by_id(document_id)
        for other in writer.by_content(location.content) if location else ():
            if other.id in added:
                own[other.id] = tuple(dict.fromkeys((*own.get(other.id, ()), *own[document_id])))
                writer.set_tags(own)


def _forget_root(writer: Transaction, document_id: str) -> None:
    """A file that was added by itself and is gone is not looked for again."""
    location = writer.by_id(document_id)
    if location is not None and location.root == location.path:
        writer.drop_root(location.root)


def _digests(batch: Iterable[ParsedFile]) -> set[bytes]:
    return {digest for parsed in batch for digest in parsed.digests}
