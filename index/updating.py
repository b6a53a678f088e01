"""Files → library, by difference: only what changed is read, split and embedded.

The steps of one update: find the files; compare hashes; read and split what is new; embed the
passages whose text is new, keeping drafts so that a killed run resumes; write whole documents,
one transaction per batch; last, let go of what has vanished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from index import documents
from index.encoder import CONTEXT_PIECES, Embeddable, Encoder, PassageVectors
from index.errors import LibraryMismatch
from index.passages import CHUNKER, passages
from index.store import NewContent, Placed, Store, Writer
from index.types import Document, FailedFile, Passage, Progress, Span, UpdateReport

# Passages embedded between two saves of drafts: what a kill can cost, about a second's work.
_STRIDE = 64
# A batch of documents is written when it has this many passages or documents.
_BATCH_PASSAGES, _BATCH_DOCUMENTS = 512, 256


@dataclass(frozen=True, slots=True)
class Found:
    """A file that stands for a document."""

    id: str
    place: str
    path: Path


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file read and split, not yet embedded."""

    found: Found
    hash: str
    document: Document
    passages: tuple[Passage, ...]
    digests: tuple[bytes, ...]


class Cancelled(Exception):
    """The person asked to stop. Never leaves this room."""


@dataclass
class Tally:
    """The report in the making."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[FailedFile] = field(default_factory=list)
    embedded: int = 0
    reused: int = 0
    cancelled: bool = False

    def report(self, change: int) -> UpdateReport:
        """The finished report."""
        return UpdateReport(
            *(tuple(one) for one in (self.added, self.updated, self.unchanged, self.removed)),
            failed=tuple(self.failed),
            embedded=self.embedded,
            reused=self.reused,
            change=change,
            cancelled=self.cancelled,
        )


class Update:
    """One run over some places. The caller holds the right to write."""

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
        self._tally = Tally()
        self._recipe = json.dumps([asdict(encoder.identity), CHUNKER]).encode()

    def run(
        self,
        places: Sequence[Path],
        *,
        full: bool = False,
        dry_run: bool = False,
        implied: bool = False,
    ) -> UpdateReport:
        """Bring the library up to date with these places.

        Args:
            places: files and folders, as absolute paths.
            full: read and embed everything anew.
            dry_run: only say what would happen.
            implied: nobody named these places just now, so what was removed by hand stays out.
        """
        with self._store.reading() as reader:
            known = {one.path: one for one in reader.placed()}
            excluded = reader.excluded() if implied else set()
        found, vanished = self._find(places, known)
        found = [one for one in found if str(one.path) not in excluded]
        if dry_run:
            return self._foretell(found, vanished, known, full)
        if not full:
            self._require_match()
        try:
            self._remember(places, found)
            self._renew(found, known) if full else self._take_in(found, known)
            self._let_go(vanished)
        except Cancelled:
            self._tally.cancelled = True
        with self._store.reading() as reader:
            return self._tally.report(reader.change)

    # --- finding --------------------------------------------------------------------------

    def _find(
        self, places: Sequence[Path], known: dict[str, Placed]
    ) -> tuple[list[Found], list[str]]:
        """Files that stand for documents, and ids of documents whose file is gone."""
        found: dict[str, Found] = {}
        vanished: list[str] = []
        ids = {one.id: one.path for one in known.values()}
        for place in places:
            of_place = [one for one in known.values() if one.place == str(place)]
            if place.is_dir():
                pairs = documents.walk(place, onerror=self._fail)
                for path in documents.unknown(place):
                    self._fail(path, f"unknown suffix {path.suffix!r}")
            elif place.exists():
                pairs = iter([(documents.safe_name(place.name), place)])
            else:
                self._missing(place, of_place, vanished)
                continue
            before = len(found)
            for name, path in pairs:
                if str(path) not in found:
                    one = self._identify(name, place, path, known, ids)
                    found[str(path)] = one
            if place.is_dir() and len(found) == before and not of_place:
                self._fail(place, "no articles in this folder")
            vanished += [one.id for one in of_place if one.path not in found]
        return list(found.values()), [one for one in vanished if ids[one] not in found]

    def _missing(self, place: Path, of_place: Sequence[Placed], vanished: list[str]) -> None:
        """A place that is not there: a file that was added is gone, a folder may come back."""
        if any(one.path == str(place) for one in of_place):
            vanished.extend(one.id for one in of_place)
        elif of_place:
            self._fail(place, "the folder is gone; its documents stay until you remove them")
        else:
            self._fail(place, "no such file or folder")

    def _identify(
        self, name: str, place: Path, path: Path, known: dict[str, Placed], ids: dict[str, str]
    ) -> Found:
        """A document id for a file: its relative path, made longer when that is taken."""
        if str(path) in known:
            one = known[str(path)]
            return Found(one.id, one.place, path)
        wanted, number = name, 1
        while wanted in ids and ids[wanted] != str(path):
            if self._moved_from(wanted, ids):
                break
            wanted = f"{place.name}/{name}" if number == 1 else f"{place.name}~{number}/{name}"
            number += 1
        ids[wanted] = str(path)
        return Found(wanted, str(place), path)

    def _moved_from(self, document_id: str, ids: dict[str, str]) -> bool:
        """Whether the file that had this id is gone, so that a new file may take it over."""
        return not Path(ids[document_id]).exists()

    # --- reading --------------------------------------------------------------------------

    def _take_in(self, found: Sequence[Found], known: dict[str, Placed]) -> None:
        """Read what changed and write it, batch by batch."""
        batch: list[Parsed] = []
        for number, one in enumerate(found, start=1):
            self._pause("reading", number, len(found), one.id)
            parsed = self._read(one, known)
            if parsed is not None:
                batch.append(parsed)
            if (
                sum(len(p.passages) for p in batch) >= _BATCH_PASSAGES
                or len(batch) >= _BATCH_DOCUMENTS
            ):
                self._write(batch, known)
                batch = []
        self._write(batch, known)

    def _read(self, one: Found, known: dict[str, Placed]) -> Parsed | None:
        """A changed file, parsed; None when it is unchanged or cannot be read."""
        try:
            data = documents.read_bytes(one.path)
            hash_ = _content_hash(data, one.path.suffix)
            before = known.get(str(one.path))
            if before is not None and before.hash == hash_:
                self._tally.unchanged.append(one.id)
                self._say(one.id, "unchanged")
                return None
            with self._store.reading() as reader:
                if reader.content_of(hash_) is not None:  # moved, copied or renamed
                    document = Document(one.id, "", "")
                    return Parsed(one, hash_, document, (), ())
            return self._split(one, hash_, documents.parse(one.id, data, one.path.suffix))
        except documents.Unreadable as error:
            self._fail(one.path, error.reason, one.id)
            return None

    def _split(self, one: Found, hash_: str, document: Document) -> Parsed:
        context = self._context(document)
        room = self._encoder.identity.max_pieces - 2 - self._encoder.count(context)
        parts = tuple(passages(document, self._encoder.count, room))
        if not parts:
            raise documents.Unreadable("no text to index")
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

    def _write(self, batch: Sequence[Parsed], known: dict[str, Placed]) -> None:
        """Embed a batch of documents and put them in, in one transaction."""
        if not batch:
            return
        self._embed(batch)
        with self._store.writing() as writer:
            if writer.encoder is None:
                writer.set_encoder(self._encoder.identity, CHUNKER)
            for parsed in batch:
                self._put(writer, parsed)
            writer.clear_drafts()
        for parsed in batch:
            self._count(parsed, known)

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
        for at in range(0, len(missing), _STRIDE):
            stride = missing[at : at + _STRIDE]
            self._pause("embedding", at, len(missing), wanted[stride[0]][2])
            made = self._encoder.encode([_embeddable(*wanted[digest][:2]) for digest in stride])
            with self._store.writing(counted=False) as writer:
                writer.save_drafts(zip(stride, made, strict=True))
            self._tally.embedded += len(stride)
        if missing:
            self._pause("embedding", len(missing), len(missing), batch[-1].found.id)

    def _put(self, writer: Writer, parsed: Parsed) -> None:
        """Write one document; content that is stored already serves again."""
        content = writer.content_of(parsed.hash)
        if content is None:
            dimension = self._encoder.identity.dimension
            ready = writer.known_vectors(set(parsed.digests), dimension)
            vectors: tuple[PassageVectors, ...] = tuple(ready[one] for one in parsed.digests)
            new = NewContent(parsed.hash, parsed.document, parsed.passages, parsed.digests, vectors)
            content = writer.add_content(new)
        one = parsed.found
        writer.place_document(one.id, content, one.place, str(one.path))

    def _renew(self, found: Sequence[Found], known: dict[str, Placed]) -> None:
        """Read and embed everything anew beside the old state, then replace it in one change."""
        batch: list[Parsed] = []
        for number, one in enumerate(found, start=1):
            self._pause("reading", number, len(found), one.id)
            parsed = self._read_anew(one, known)
            if parsed is not None:
                batch.append(parsed)
        self._embed(batch, anew=True)
        self._progress(Progress("saving", 0, 1))
        kept = {parsed.found.id for parsed in batch}
        with self._store.writing() as writer:
            gone = [one.id for one in writer.placed() if one.id not in kept]
            writer.clear()
            writer.set_encoder(self._encoder.identity, CHUNKER)
            for parsed in batch:
                self._put(writer, parsed)
            writer.clear_drafts()
        self._tally.removed.extend(gone)
        for parsed in batch:
            self._count(parsed, known)

    def _read_anew(self, one: Found, known: dict[str, Placed]) -> Parsed | None:
        """A file parsed; when it cannot be read now, what the library holds of it."""
        try:
            data = documents.read_bytes(one.path)
            document = documents.parse(one.id, data, one.path.suffix)
            return self._split(one, _content_hash(data, one.path.suffix), document)
        except documents.Unreadable as error:
            self._fail(one.path, error.reason, one.id)
            before = known.get(str(one.path))
            if before is None:
                return None
        with self._store.reading() as reader:
            stored = reader.document(before.id)
        return self._split(one, before.hash, stored) if stored else None

    def _let_go(self, vanished: Sequence[str]) -> None:
        """Remove documents whose files are gone."""
        with self._store.writing() as writer:
            still = {one.id: one for one in writer.placed()}
            for document_id in vanished:
                # its id may meanwhile stand for a file that took its place
                if document_id in still and not Path(still[document_id].path).exists():
                    if still[document_id].place == still[document_id].path:
                        writer.drop_place(still[document_id].place)
                    writer.remove_document(document_id)
                    self._tally.removed.append(document_id)

    # --- small things -----------------------------------------------------------------------

    def _require_match(self) -> None:
        with self._store.reading() as reader:
            stored, chunker = reader.encoder, reader.chunker
        if stored is None:
            return
        if stored != self._encoder.identity or chunker != CHUNKER:
            ours = self._encoder.identity
            raise LibraryMismatch(
                f"this library was made with {stored.name}@{stored.revision} ({stored.dimension} "
                f"dimensions, {stored.recipe!r}, {chunker!r}), this Pilcrow uses "
                f"{ours.name}@{ours.revision} ({ours.dimension} dimensions, {ours.recipe!r}, "
                f"{CHUNKER!r}). Embed it anew with: pilcrow rebuild --full"
            )

    def _remember(self, places: Iterable[Path], found: Iterable[Found]) -> None:
        with self._store.writing(counted=False) as writer:
            writer.include(str(one.path) for one in found)
            for place in places:
                if place.exists():
                    writer.add_place(str(place))

    def _foretell(
        self, found: Sequence[Found], vanished: Sequence[str], known: dict[str, Placed], full: bool
    ) -> UpdateReport:
        """What a run would do, from hashes alone."""
        for one in found:
            try:
                hash_ = _content_hash(documents.read_bytes(one.path), one.path.suffix)
            except documents.Unreadable as error:
                self._fail(one.path, error.reason, one.id)
                continue
            before = known.get(str(one.path))
            if before is None:
                self._tally.added.append(one.id)
            elif before.hash == hash_ and not full:
                self._tally.unchanged.append(one.id)
            else:
                self._tally.updated.append(one.id)
        self._tally.removed.extend(vanished)
        with self._store.reading() as reader:
            return self._tally.report(reader.change)

    def _count(self, parsed: Parsed, known: dict[str, Placed]) -> None:
        new = str(parsed.found.path) not in known
        (self._tally.added if new else self._tally.updated).append(parsed.found.id)
        self._say(parsed.found.id, "done")

    def _fail(self, path: Path, reason: str, document_id: str = "") -> None:
        self._tally.failed.append(FailedFile(str(path), reason))
        self._say(document_id or str(path), "failed", reason)

    def _say(self, document_id: str, state: str, detail: str = "") -> None:
        self._progress(Progress("file", 0, 0, document_id, state, detail))

    def _pause(self, stage: str, done: int, total: int, document_id: str) -> None:
        """Report, and stop here when the person asked for it."""
        self._progress(Progress(stage, done, total, document_id))
        if self._cancelled():
            raise Cancelled


def _content_hash(data: bytes, suffix: str) -> str:
    """What a document's content depends on: its bytes and how they are read."""
    return hashlib.sha256(suffix.lower().encode() + b"\0" + data).hexdigest()


def _embeddable(context: str, passage: Passage) -> Embeddable:
    spans = tuple(Span(s.start - passage.start, s.end - passage.start) for s in passage.sentences)
    return Embeddable(context, passage.text, spans)
