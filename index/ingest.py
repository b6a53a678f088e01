"""Files → library, by difference: only what changed is read, split and embedded.

The steps of one update: find the files (`discovery.py`); compare hashes; read and split what is
new; embed the passages whose text is new, keeping drafts so that a killed run resumes; write
whole documents, one transaction per batch; last, let go of what has vanished.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from index import discovery
from index.discovery import SourceFile, Survey, content_hash
from index.embedding.encoder import CONTEXT_PIECES, Embeddable, Encoder, PassageVectors
from index.formats import registry
from index.formats.sandbox import Cancelled
from index.splitting import CHUNKER, TooManyParts, passages
from index.storage.records import DocumentLocation, NewContent
from index.storage.snapshot import Snapshot, require_match
from index.storage.store import Store
from index.storage.transaction import Transaction
from index.system.roots import look
from index.types import (
    Document,
    FailedFile,
    Origin,
    Passage,
    Progress,
    Span,
    Unreachable,
    UpdateReport,
)

# Passages embedded between two saves of drafts: what a kill can cost, about a second's work.
_STRIDE = 32
# A batch of documents is written when it has this many passages or documents.
_BATCH_PASSAGES, _BATCH_DOCUMENTS = 512, 256


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file read and split, not yet embedded."""

    found: SourceFile
    hash: str
    document: Document
    passages: tuple[Passage, ...]
    digests: tuple[bytes, ...]


@dataclass
class ReportBuilder:
    """The report in the making."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[FailedFile] = field(default_factory=list)
    unreachable: tuple[Unreachable, ...] = ()
    left_out: tuple[str, ...] = ()
    embedded: int = 0
    reused: int = 0
    cancelled: bool = False

    def report(self, change: int) -> UpdateReport:
        """The finished report."""
        return UpdateReport(
            added=tuple(self.added),
            updated=tuple(self.updated),
            unchanged=tuple(self.unchanged),
            removed=tuple(self.removed),
            failed=tuple(self.failed),
            embedded=self.embedded,
            reused=self.reused,
            change=change,
            cancelled=self.cancelled,
            unreachable=self.unreachable,
            left_out=self.left_out,
        )


class IngestRun:
    """One run over some roots. The caller holds the right to write."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        """Prepare a run; nothing happens yet."""
        self._store = store
        self._encoder = encoder
        self._progress = progress or (lambda _: None)
        self._cancelled = cancelled or (lambda: False)
        self._tally = ReportBuilder()
        self._recipe = json.dumps([asdict(encoder.identity), CHUNKER]).encode()

    def run(
        self,
        roots: Sequence[Path],
        *,
        full: bool = False,
        dry_run: bool = False,
        implied: bool = False,
        forget: bool = False,
        folder: Path | None = None,
        lister: registry.Lister = Path.iterdir,
    ) -> UpdateReport:
        """Bring the library up to date with these roots.

        Args:
            roots: files and folders, from `roots.settled`.
            full: read and embed everything anew.
            dry_run: only say what would happen.
            implied: as in `discovery.survey`, with `forget`, `folder` and `lister`.
            forget: whether to let go of what went missing in great numbers.
            folder: what the files lie in; it is remembered in their stead.
            lister: lists a folder.
        """
        with self._store.reading() as reader:
            survey = discovery.survey(
                reader, roots, implied=implied, forget=forget, folder=folder, lister=lister
            )
        self._tally.unreachable, self._tally.left_out = survey.unreachable, survey.left_out
        for failed in survey.failed:
            self._fail(Path(failed.path), failed.reason)
        if dry_run:
            return self._plan_changes(survey, full)
        try:
            if full:
                self._renew(survey)
            else:
                self._require_match()
                self._take_in(survey)
        except Cancelled:
            self._tally.cancelled = True
        return self._report()

    def restore_files(self, origins: Sequence[Origin]) -> UpdateReport:
        """Read files that were taken out again, each as the document it was."""
        with self._store.reading() as reader:
            names = discovery.DocumentIds({one.path: one for one in reader.locations()})
        found = [
            names.identify(origin.document_id, Path(origin.place), Path(origin.path))
            for origin in origins
        ]
        present = [
            origin.place
            for origin in origins
            if look(Path(origin.place)).kind in ("file", "folder")
        ]
        self._require_match()
        self._take_in(Survey(found=tuple(found), roots=tuple(present)))
        return self._report()

    def repair(self, contents: Iterable[int], hurt: Iterable[int]) -> UpdateReport:
        """Write anew what was damaged in storage.

        Args:
            contents: contents whose text is damaged; their files are read again.
            hurt: contents with sound text and damaged passages; these are embedded again.
        """
        self._require_match()
        for content in (contents := set(contents)):
            if found := self._found_with(content):
                try:
                    self._replace(content, self._parsed(found[0]))
                except registry.Unreadable as error:
                    self._fail(found[0].path, error.reason, found[0].id)
        for content in set(hurt) - contents:
            if found := self._found_with(content):
                with self._store.reading() as reader:
                    before = reader.by_id(found[0].id)
                parsed = self._stored(found[0], before) if before else None
                if parsed:
                    self._replace(content, parsed)
        return self._report()

    def _found_with(self, content: int) -> list[SourceFile]:
        with self._store.reading() as reader:
            placed = reader.by_content(content)
        return [SourceFile(one.id, one.root, Path(one.path)) for one in placed]

    def _replace(self, content: int, parsed: Parsed) -> None:
        """Write one content anew, using again those of its vectors that are sound."""
        self._embed([parsed])
        with self._store.writing() as writer:
            new = self._new(writer, parsed)
            # those that lie in the old state have to be read before it goes
            writer.replace_content(content, replace(new, vectors=tuple(new.vectors)))
            writer.clear_drafts()
        self._tally.updated.append(parsed.found.id)

    # --- reading --------------------------------------------------------------------------

    def _take_in(self, survey: Survey) -> None:
        """Read what changed and write it, batch by batch; let go of the rest with the last."""
        batch: list[Parsed] = []
        for number, one in enumerate(survey.found, start=1):
            self._pause("reading", number, len(survey.found), one.id)
            parsed = self._read(one)
            if parsed is not None:
                batch.append(parsed)
            if (
                sum(len(p.passages) for p in batch) >= _BATCH_PASSAGES
                or len(batch) >= _BATCH_DOCUMENTS
            ):
                self._write(batch, Survey(roots=survey.roots))
                batch = []
        self._write(batch, survey)

    def _read(self, one: SourceFile) -> Parsed | None:
        """A changed file, parsed; None when it is unchanged or cannot be read."""
        try:
            hash_ = content_hash(registry.read_bytes(one.path), one.path.suffix)
            with self._store.reading() as reader:
                before = reader.by_path(str(one.path))
                stored = reader.content_of(hash_) is not None
            if before is not None and before.hash == hash_:
                self._tally.unchanged.append(one.id)
                self._say(one.id, "unchanged")
                return None
            if stored:  # moved, copied or renamed
                return Parsed(one, hash_, Document(one.id, "", ""), (), ())
            return self._parsed(one)
        except registry.Unreadable as error:
            self._fail(one.path, error.reason, one.id)
            return None

    def _parsed(self, one: SourceFile) -> Parsed:
        """A file read and split; one that is just being written is no article yet."""
        for _ in range(2):
            data = registry.read_bytes(one.path)
            document = registry.parse(one.id, data, one.path.suffix, cancelled=self._cancelled)
            parsed = self._split(one, content_hash(data, one.path.suffix), document)
            if registry.read_bytes(one.path) == data:
                return parsed
        raise registry.Unreadable("it changes while it is read; try again when it is finished")

    def _split(self, one: SourceFile, hash_: str, document: Document) -> Parsed:
        context = self._context(document)
        room = self._encoder.identity.max_pieces - 2 - self._encoder.count(context)
        try:
            parts = tuple(passages(document, self._encoder.count, room, self._stop_if_asked))
        except TooManyParts as error:
            raise registry.Unreadable(str(error)) from None
        if not parts:
            raise registry.Unreadable("no text to index")
        digests = tuple(self._digest(context, part) for part in parts)
        return Parsed(one, hash_, document, parts, digests)

    def _context(self, document: Document) -> str:
        """The title as far as it serves as context, without crowding out the passage."""
        title = document.title
        while title and self._encoder.count(title) > CONTEXT_PIECES:
            title = title[: len(title) * 2 // 3].rsplit(" ", 1)[0] if " " in title else ""
        return title

    def _digest(self, context: str, passage: Passage) -> bytes:
        """What a passage's vectors depend on, and nothing else."""
        spans = [(s.start - passage.start, s.end - passage.start) for s in passage.sentences]
        digest = hashlib.sha256(self._recipe)
        digest.update(json.dumps([context, passage.text, spans]).encode("utf-8", "surrogatepass"))
        return digest.digest()

    # --- embedding and writing --------------------------------------------------------------

    def _write(self, batch: Sequence[Parsed], survey: Survey) -> None:
        """Embed a batch of documents and put them in, in one transaction.

        Args:
            batch: documents.
            survey: with the last batch, everything that was found; before, where it was looked for.
        """
        self._embed(batch)
        with self._store.writing() as writer:
            if batch and writer.encoder is None:
                writer.set_encoder(self._encoder.identity, CHUNKER)
            news = [self._put(writer, parsed) for parsed in batch]
            gone = self._let_go(writer, survey.vanished)
            self._remember(writer, survey, [*(one.found for one in batch), *survey.found])
            writer.clear_drafts()
        self._tally.removed += gone
        for parsed, new in zip(batch, news, strict=True):
            self._count(parsed, new)

    def _embed(self, batch: Sequence[Parsed], *, anew: bool = False) -> None:
        """Make the vectors that are not there yet, saving them as drafts stride by stride."""
        wanted = {
            digest: (self._context(parsed.document), passage, parsed.found.id)
            for parsed in batch
            for passage, digest in zip(parsed.passages, parsed.digests, strict=True)
        }
        with self._store.reading() as reader:
            ready = reader.known_digests(wanted, drafts_only=anew)
        missing = [digest for digest in wanted if digest not in ready]
        self._tally.reused += len(ready)
        files = EmbeddingProgress(batch, ready)
        self._say_how_far(files.with_any(ready))
        for at in range(0, len(missing), _STRIDE):
            stride = missing[at : at + _STRIDE]
            self._pause("embedding", at, len(missing), wanted[stride[0]][2])
            self._say_how_far(files.with_any(stride))
            made = self._encoder.encode([_embeddable(*wanted[digest][:2]) for digest in stride])
            with self._store.writing(counted=False) as writer:
                writer.save_drafts(zip(stride, made, strict=True))
            self._tally.embedded += len(stride)
            files.count(stride)
            self._say_how_far(files.with_any(stride))
        if missing:
            self._pause("embedding", len(missing), len(missing), batch[-1].found.id)

    def _put(self, writer: Transaction, parsed: Parsed) -> bool:
        """Write one document; content that is stored already serves again. Says if it is new."""
        content = writer.content_of(parsed.hash)
        if content is None:
            content = writer.add_content(self._new(writer, parsed))
        one = parsed.found
        new = writer.by_path(str(one.path)) is None
        writer.place_document(one.id, content, one.root, str(one.path))
        return new

    def _new(self, reader: Snapshot, parsed: Parsed) -> NewContent:
        """A parsed document with the vectors that were made for it, read as they are written."""
        vectors = self._made(reader, parsed.digests)
        return NewContent(parsed.hash, parsed.document, parsed.passages, parsed.digests, vectors)

    def _made(self, reader: Snapshot, digests: Sequence[bytes]) -> Iterator[PassageVectors]:
        dimension = self._encoder.identity.dimension
        for at in range(0, len(digests), _STRIDE):
            ready = reader.known_vectors(set(digests[at : at + _STRIDE]), dimension)
            yield from (ready[one] for one in digests[at : at + _STRIDE])

    def _renew(self, survey: Survey) -> None:
        """Read and embed everything anew beside the old state, then replace it in one change."""
        found, vanished = survey.found, survey.vanished
        with self._store.reading() as reader:
            known = {one.path: one for one in reader.locations()}
        batch: list[Parsed | None] = []
        for number, one in enumerate(found, start=1):
            self._pause("reading", number, len(found), one.id)
            batch.append(self._read_anew(one, known.get(str(one.path))))
        seen = {str(one.path) for one in found}
        # what cannot be seen just now: what the library holds of it stays
        batch += [
            self._stored(SourceFile(one.id, one.root, Path(one.path)), one)
            for one in known.values()
            if one.path not in seen and one.id not in vanished
        ]
        ready = [parsed for parsed in batch if parsed is not None]
        self._embed(ready, anew=True)
        self._progress(Progress("saving", 0, 1))
        with self._store.writing() as writer:
            for one_id in vanished:
                self._forget_root(writer, one_id)
            writer.clear()
            writer.set_encoder(self._encoder.identity, CHUNKER)
            for parsed in ready:
                self._put(writer, parsed)
            self._remember(writer, survey, found)
            writer.clear_drafts()
        kept = {parsed.found.id for parsed in ready}
        self._tally.removed += [one.id for one in known.values() if one.id not in kept]
        for parsed in ready:
            self._count(parsed, str(parsed.found.path) not in known)

    def _read_anew(self, one: SourceFile, before: DocumentLocation | None) -> Parsed | None:
        """A file parsed; when it cannot be read now, what the library holds of it."""
        try:
            return self._parsed(one)
        except registry.Unreadable as error:
            self._fail(one.path, error.reason, one.id)
            return self._stored(one, before) if before else None

    def _stored(self, one: SourceFile, before: DocumentLocation) -> Parsed | None:
        """A document as the library holds it, split by today's rules."""
        with self._store.reading() as reader:
            stored = reader.document(before.id)
        try:
            return self._split(one, before.hash, stored) if stored else None
        except registry.Unreadable as error:
            self._fail(one.path, error.reason, one.id)
            return None

    def _let_go(self, writer: Transaction, vanished: Sequence[str]) -> list[str]:
        """Remove documents whose files are gone; says which."""
        for document_id in vanished:
            self._forget_root(writer, document_id)
            writer.remove_document(document_id)
        return list(vanished)

    def _forget_root(self, writer: Transaction, document_id: str) -> None:
        """A file that was added by itself and is gone is not looked for again."""
        one = writer.by_id(document_id)
        if one is not None and one.root == one.path:
            writer.drop_root(one.root)

    # --- small things -----------------------------------------------------------------------

    def _require_match(self) -> None:
        with self._store.reading() as reader:
            require_match(reader, self._encoder)

    def _remember(self, writer: Transaction, survey: Survey, found: Iterable[SourceFile]) -> None:
        """Where to look next time; what is asked for by name is no longer left out."""
        writer.include(str(one.path) for one in found)
        for root in survey.roots:
            writer.add_root(root)
        for root in survey.dropped:
            writer.drop_root(root)

    def _plan_changes(self, survey: Survey, full: bool) -> UpdateReport:
        """What a run would do, from hashes alone."""
        for one in survey.found:
            try:
                hash_ = content_hash(registry.read_bytes(one.path), one.path.suffix)
            except registry.Unreadable as error:
                self._fail(one.path, error.reason, one.id)
                continue
            with self._store.reading() as reader:
                before = reader.by_path(str(one.path))
            if before is None:
                self._tally.added.append(one.id)
            elif before.hash == hash_ and not full:
                self._tally.unchanged.append(one.id)
            else:
                self._tally.updated.append(one.id)
        self._tally.removed.extend(survey.vanished)
        return self._report()

    def _report(self) -> UpdateReport:
        with self._store.reading() as reader:
            return self._tally.report(reader.generation)

    def _count(self, parsed: Parsed, new: bool) -> None:
        (self._tally.added if new else self._tally.updated).append(parsed.found.id)
        self._say(parsed.found.id, "done")

    def _fail(self, path: Path, reason: str, document_id: str = "") -> None:
        self._tally.failed.append(FailedFile(str(path), reason))
        self._say(document_id or str(path), "failed", reason)

    def _say(self, document_id: str, state: str, detail: str = "") -> None:
        self._progress(Progress("file", 0, 0, document_id, state, detail))

    def _say_how_far(self, files: Iterable[tuple[str, int, int]]) -> None:
        for document_id, done, total in files:
            state = "embedding" if done < total else "embedded"
            self._say(document_id, state, f"{done}/{total}" if done < total else "")

    def _pause(self, stage: str, done: int, total: int, document_id: str) -> None:
        """Report, and stop here when the person asked for it."""
        self._progress(Progress(stage, done, total, document_id))
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self._cancelled():
            raise Cancelled


class EmbeddingProgress:
    """How many of each file's passages have their vectors. The same text may be in many files."""

    def __init__(self, batch: Sequence[Parsed], ready: Collection[bytes]) -> None:
        self._holders: dict[bytes, list[str]] = {}
        """The files that hold a text, once for each time they do."""
        for parsed in batch:
            for digest in parsed.digests:
                self._holders.setdefault(digest, []).append(parsed.found.id)
        self._total = Counter(one for holders in self._holders.values() for one in holders)
        self._done = Counter[str]()
        self.count(ready)

    def count(self, digests: Iterable[bytes]) -> None:
        """Note that these texts have their vectors."""
        for digest in digests:
            self._done.update(self._holders[digest])

    def with_any(self, digests: Iterable[bytes]) -> list[tuple[str, int, int]]:
        """The files that hold any of these texts: id, passages done, passages in all."""
        ids = dict.fromkeys(one for digest in digests for one in self._holders[digest])
        return [(one, self._done[one], self._total[one]) for one in ids]


def _embeddable(context: str, passage: Passage) -> Embeddable:
    spans = tuple(Span(s.start - passage.start, s.end - passage.start) for s in passage.sentences)
    return Embeddable(context, passage.text, spans)
