"""Parsed files → the vectors of their passages, kept as drafts until the document is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from index.embedding.encoder import Embeddable, Encoder, PassageVectors
from index.ingest.parse import FileParser, ParsedFile
from index.ingest.progress import EmbeddingProgress, RunProgress
from index.storage.records import NewContent
from index.storage.store import Snapshot, Store
from index.types import Passage, Span

# Passages embedded between two saves of drafts: what a kill can cost, about a second's work.
_STRIDE = 32


class VectorsGone(Exception):
    """Vectors that were to serve again went with another writer's change. Never shown."""


class BatchEmbedder:
    """Makes the vectors that the library does not have yet."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        parser: FileParser,
        progress: RunProgress,
        keep: Callable[[Iterable[tuple[bytes, PassageVectors]]], object] | None = None,
    ) -> None:
        """Embed with `encoder` what `parser` split.

        Args:
            store: what knows which vectors there are.
            encoder: makes those that are missing.
            parser: knows what is read before each passage.
            progress: hears of it.
            keep: takes what is made, each with what it depends on; drafts in `store` when None.
        """
        self._store, self._encoder = store, encoder
        self._parser, self._progress = parser, progress
        self._keep = keep or self._save_drafts

    def embed(self, batch: Sequence[ParsedFile], *, anew: bool = False) -> None:
        """Make the vectors that are not there yet, saving them as drafts stride by stride.

        Args:
            batch: the files whose passages are embedded.
            anew: whether only drafts serve again, not what documents have.
        """
        wanted = {
            digest: (self._parser.context(parsed.document), passage, parsed.file.id)
            for parsed in batch
            for passage, digest in zip(parsed.passages, parsed.digests, strict=True)
        }
        with self._store.reading() as reader:
            ready = reader.known_digests(wanted, drafts_only=anew)
        missing = [digest for digest in wanted if digest not in ready]
        report = self._progress.report
        report.reused += len(ready)
        files = EmbeddingProgress(((parsed.file.id, parsed.digests) for parsed in batch), ready)
        self._progress.embedding(files.with_any(ready))
        for at in range(0, len(missing), _STRIDE):
            stride = missing[at : at + _STRIDE]
            self._progress.pause("embedding", at, len(missing), wanted[stride[0]][2])
            self._progress.embedding(files.with_any(stride))
            made = self._encoder.encode([embeddable(*wanted[digest][:2]) for digest in stride])
            self._keep(zip(stride, made, strict=True))
            report.embedded += len(stride)
            files.count(stride)
            self._progress.embedding(files.with_any(stride))
        if missing:
            self._progress.pause("embedding", len(missing), len(missing), batch[-1].file.id)

    def _save_drafts(self, made: Iterable[tuple[bytes, PassageVectors]]) -> None:
        with self._store.writing(counted=False) as writer:
            writer.save_drafts(made)

    def new_content(self, reader: Snapshot, parsed: ParsedFile) -> NewContent:
        """A parsed document with the vectors that were made for it, read as they are written."""
        vectors = self._made(reader, parsed.digests)
        return NewContent(
            parsed.hash, parsed.document, parsed.passages, parsed.digests, vectors, parsed.edition
        )

    def _made(self, reader: Snapshot, digests: Sequence[bytes]) -> Iterator[PassageVectors]:
        dimension = self._encoder.identity.dimension
        for at in range(0, len(digests), _STRIDE):
            ready = reader.known_vectors(set(digests[at : at + _STRIDE]), dimension)
            if not ready.keys() >= set(digests[at : at + _STRIDE]):
                raise VectorsGone
            yield from (ready[digest] for digest in digests[at : at + _STRIDE])


def embeddable(context: str, passage: Passage) -> Embeddable:
    """A passage as the encoder takes it: its sentences as offsets into its own text."""
    spans = tuple(Span(s.start - passage.start, s.end - passage.start) for s in passage.sentences)
    return Embeddable(context, passage.text, spans)
