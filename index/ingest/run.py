"""One run over some roots: only what changed is read, split and embedded.

Its steps: find the files (`discovery.py`); compare hashes (`changed.py`); read and split what is
new (`parse.py`); embed the passages whose text is new, keeping drafts so that a killed run resumes
(`embed.py`); write whole documents, one transaction per batch; last, let go of what has vanished
(`write.py`). All but the first and the last may be done by many workers (`parcels.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from index.embedding.encoder import Encoder
from index.formats import registry
from index.formats.sandbox import Cancelled
from index.ingest import discovery
from index.ingest.changed import ChangedFiles
from index.ingest.discovery import SourceFile, Survey, content_hash
from index.ingest.embed import BatchEmbedder
from index.ingest.parcels import ParcelReport, Workers, WorkPlan, parcels
from index.ingest.parse import FileParser, ParsedFile
from index.ingest.progress import RunProgress
from index.ingest.write import DocumentWriter
from index.storage.records import DocumentLocation
from index.storage.store import Store, require_match
from index.system.roots import look, real
from index.types import CatalogueCard, Origin, Progress, UpdateReport

# A batch of documents is written when it has this many passages or documents.
_BATCH_PASSAGES, _BATCH_DOCUMENTS = 512, 256


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
        self._progress = RunProgress(progress, cancelled)
        self._parser = FileParser(encoder, self._progress)
        self._changed = ChangedFiles(store, self._parser, self._progress)
        embedder = BatchEmbedder(store, encoder, self._parser, self._progress)
        self._writer = DocumentWriter(store, encoder, embedder, self._progress)
        self._named: frozenset[Path] = frozenset()

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
        exclude: Sequence[str] | None = None,
        workers: Workers | None = None,
    ) -> UpdateReport:
        """The report of bringing the library up to date with these roots.

        Args:
            roots: files and folders, from `roots.settled`.
            full: read and embed everything anew.
            dry_run: only say what would happen.
            implied: as in `discovery.survey`, with `forget`, `folder` and `lister`.
            forget: whether to let go of what went missing in great numbers.
            folder: what the files lie in; it is remembered in their stead.
            lister: lists a folder.
            exclude: as in `discovery.survey`.
            workers: who reads and embeds what has changed; this process when None.
        """
        self._named = frozenset(() if implied else map(real, roots))
        with self._store.reading() as reader:
            survey = discovery.survey(
                reader, roots, implied=implied, forget=forget, folder=folder, lister=lister,
                exclude=exclude,
            )  # fmt: skip
        report = self._progress.report
        report.unreachable, report.left_out = survey.unreachable, survey.left_out
        report.skipped = survey.skipped
        for failed in survey.failed:
            self._progress.fail(Path(failed.path), failed.reason)
        if dry_run:
            return self._plan_changes(survey, full)
        try:
            if full:
                self._renew(survey)
            else:
                self._require_match()
                if workers is None:
                    self._take_in(survey)
                else:
                    self._hand_out(survey, workers)
        except Cancelled:
            report.cancelled = True
        return self._report()

    def restore_files(self, origins: Sequence[Origin]) -> UpdateReport:
        """The report of reading files that were taken out again, each as the document it was."""
        with self._store.reading() as reader:
            names = discovery.DocumentIds(
                {location.path: location for location in reader.locations()}
            )
        files = [
            names.identify(origin.document_id, Path(origin.place), Path(origin.path))
            for origin in origins
        ]
        present = [
            origin.place
            for origin in origins
            if look(Path(origin.place)).kind in ("file", "folder")
        ]
        self._require_match()
        self._take_in(Survey(files=tuple(files), roots=tuple(present)))
        return self._report()

    def repair(self, contents: Iterable[int], hurt: Iterable[int]) -> UpdateReport:
        """The report of writing anew what was damaged in storage.

        Args:
            contents: contents whose text is damaged; their files are read again.
            hurt: contents with sound text and damaged passages; these are embedded again.
        """
        self._require_match()
        for content in (contents := set(contents)):
            if file := self._file_with(content):
                try:
                    parsed_anew = self._parser.parse(file, self._card(file))
                    self._writer.replace_content(content, parsed_anew)
                except registry.Unreadable as error:
                    self._progress.fail(file.path, error.reason, file.id)
        for content in set(hurt) - contents:
            if file := self._file_with(content):
                with self._store.reading() as reader:
                    before = reader.by_id(file.id)
                parsed = self._stored(file, before) if before else None
                if parsed:
                    self._writer.replace_content(content, parsed)
        return self._report()

    def _file_with(self, content: int) -> SourceFile | None:
        """The first of the files that have a content."""
        with self._store.reading() as reader:
            return next((_file_at(location) for location in reader.by_content(content)), None)

    # --- what changed ---------------------------------------------------------------------

    def _take_in(self, survey: Survey) -> None:
        """Read what changed and write it, batch by batch; let go of the rest with the last."""
        batch: list[ParsedFile] = []
        for number, file in enumerate(survey.files, start=1):
            self._progress.pause("reading", number, len(survey.files), file.id)
            parsed = self._changed.read(file, self._named)
            if parsed is not None:
                batch.append(parsed)
            if (
                sum(len(p.passages) for p in batch) >= _BATCH_PASSAGES
                or len(batch) >= _BATCH_DOCUMENTS
            ):
                self._writer.add(batch, Survey(roots=survey.roots))
                batch = []
        self._writer.add(batch, survey)

    def _hand_out(self, survey: Survey, workers: Workers) -> None:
        """Let others read and embed what changed; what they hand back is written here."""
        from index.ingest import cluster

        plan = WorkPlan(
            self._store.place, self._encoder.folder, workers.threads, self._named,
            workers.make_encoder,
        )  # fmt: skip
        cluster.require(plan, workers)
        if workers.is_local:  # the first on a machine exports the encoder, and many would at once
            self._encoder.encode_query("export")
        with self._store.reading() as reader:
            held = {location.path for location in reader.locations()}
        self._writer.add([], Survey(roots=survey.roots))
        done, total = 0, len(survey.files)
        self._progress.pause("importing", done, total, "")
        for report in cluster.reports(parcels(survey.files), plan, workers):
            self._take_over(report, held)
            done += report.files
            self._progress.pause("importing", done, total, "")
        self._writer.add([], survey)

    def _take_over(self, report: ParcelReport, held: Collection[str]) -> None:
        """Note what became of a parcel, and write what is still to be written.

        Args:
            report: a worker's.
            held: the files that documents stood for before.
        """
        if report.error is not None:
            raise report.error
        for failed in report.failed:
            self._progress.fail(Path(failed.path), failed.reason)
        for skipped in report.skipped:
            self._progress.skip(Path(skipped.path), skipped.reason)
        for file in report.unchanged:
            if str(file.path) in held:
                self._progress.unchanged(file.id)
            else:  # written by a worker that died before it could say so
                self._progress.written(file.id, True)
        for file in report.written:
            self._progress.written(file.id, str(file.path) not in held)
        self._progress.report.embedded += report.embedded
        self._progress.report.reused += report.reused
        if report.parsed:
            with self._store.writing(counted=False) as writer:
                writer.save_drafts(report.vectors)
            self._writer.add(report.parsed, Survey())
            # found as drafts, which counts as used again
            self._progress.report.reused -= len(report.vectors) + report.reused

    # --- everything anew ------------------------------------------------------------------

    def _renew(self, survey: Survey) -> None:
        """Read and embed everything anew; what cannot be seen just now stays as it is held."""
        with self._store.reading() as reader:
            known = {location.path: location for location in reader.locations()}
        batch: list[ParsedFile | None] = []
        for number, file in enumerate(survey.files, start=1):
            self._progress.pause("reading", number, len(survey.files), file.id)
            batch.append(self._read_anew(file, known.get(str(file.path))))
        seen = {str(file.path) for file in survey.files}
        batch += [
            self._stored(_file_at(location), location)
            for location in known.values()
            if location.path not in seen and location.id not in survey.vanished
        ]
        self._writer.replace_all([parsed for parsed in batch if parsed is not None], survey)

    def _read_anew(self, file: SourceFile, before: DocumentLocation | None) -> ParsedFile | None:
        """A file parsed; when it cannot be read now, what the library holds of it."""
        try:
            return self._parser.parse(file, self._card(file))
        except registry.Unreadable as error:
            self._changed.pass_over(file, error, self._named)
        return self._stored(file, before) if before else None

    def _stored(self, file: SourceFile, before: DocumentLocation) -> ParsedFile | None:
        """A document as the library holds it, split by today's rules."""
        with self._store.reading() as reader:
            stored = reader.document(before.id)
        try:
            return self._parser.split(file, before.hash, stored) if stored else None
        except registry.Unreadable as error:
            self._progress.fail(file.path, error.reason, file.id)
            return None

    # --- small things -----------------------------------------------------------------------

    def _card(self, file: SourceFile) -> CatalogueCard:
        """What is known of a file from where it was got."""
        with self._store.reading() as reader:
            return reader.card(str(file.path))

    def _require_match(self) -> None:
        with self._store.reading() as reader:
            require_match(reader, self._encoder)

    def _plan_changes(self, survey: Survey, full: bool) -> UpdateReport:
        """What a run would do, from hashes alone."""
        report = self._progress.report
        for file in survey.files:
            try:
                data = registry.read_bytes(file.path)
                hash_ = content_hash(data, file.path.suffix, self._card(file))
            except registry.Unreadable as error:
                self._progress.fail(file.path, error.reason, file.id)
                continue
            with self._store.reading() as reader:
                before = reader.by_path(str(file.path))
            if before is None:
                report.added.append(file.id)
            elif before.hash == hash_ and not full:
                report.unchanged.append(file.id)
            else:
                report.updated.append(file.id)
        report.removed.extend(survey.vanished)
        return self._report()

    def _report(self) -> UpdateReport:
        with self._store.reading() as reader:
            return self._progress.report.report(reader.generation)


def _file_at(location: DocumentLocation) -> SourceFile:
    return SourceFile(location.id, location.root, Path(location.path))
