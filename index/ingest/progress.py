"""What a run tells while it lasts, and the report it leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from index.formats.sandbox import Cancelled
from index.types import FailedFile, Progress, SkippedFile, Unreachable, UpdateReport


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
    skipped: tuple[SkippedFile, ...] = ()
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
            skipped=self.skipped,
        )


class RunProgress:
    """A run's voice: news as they come, the report they add up to, the person's wish to stop."""

    def __init__(
        self,
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        """Nothing is told yet.

        Args:
            progress: called with each step; nobody when None.
            cancelled: asked between steps whether to stop; never when None.
        """
        self._progress = progress or (lambda _: None)
        self.cancelled = cancelled or (lambda: False)
        self.report = ReportBuilder()

    def stop_if_asked(self) -> None:
        """Stop here when the person asked for it.

        Raises:
            Cancelled: then.
        """
        if self.cancelled():
            raise Cancelled

    def pause(self, stage: str, done: int, total: int, document_id: str) -> None:
        """Tell how far the whole is, and stop here when the person asked for it."""
        self._progress(Progress(stage, done, total, document_id))
        self.stop_if_asked()

    def saving(self) -> None:
        """Tell that everything is about to be written; from here nothing stops it."""
        self._progress(Progress("saving", 0, 1))

    def unchanged(self, document_id: str) -> None:
        """Note that a file is as it was."""
        self.report.unchanged.append(document_id)
        self._say(document_id, "unchanged")

    def written(self, document_id: str, new: bool) -> None:
        """Note that a document was written."""
        (self.report.added if new else self.report.updated).append(document_id)
        self._say(document_id, "done")

    def fail(self, path: Path, reason: str, document_id: str = "") -> None:
        """Note that a file cannot be read, and why."""
        self.report.failed.append(FailedFile(str(path), reason))
        self._say(document_id or str(path), "failed", reason)

    def skip(self, path: Path, reason: str) -> None:
        """Note that a file is passed over, as it should be, and why."""
        self.report.skipped = (*self.report.skipped, SkippedFile(str(path), reason))

    def embedding(self, files: Iterable[tuple[str, int, int]]) -> None:
        """Tell how far files are: id, passages done, passages in all."""
        for document_id, done, total in files:
            state = "embedding" if done < total else "embedded"
            self._say(document_id, state, f"{done}/{total}" if done < total else "")

    def _say(self, document_id: str, state: str, detail: str = "") -> None:
        self._progress(Progress("file", 0, 0, document_id, state, detail))


class EmbeddingProgress:
    """How many of each file's passages have their vectors. The same text may be in many files."""

    def __init__(
        self, digests: Iterable[tuple[str, Sequence[bytes]]], ready: Collection[bytes]
    ) -> None:
        """Count the passages of some files.

        Args:
            digests: each file's id with what its passages' vectors depend on.
            ready: those of them that have their vectors already.
        """
        self._holders: dict[bytes, list[str]] = {}
        """The files that hold a text, once for each time they do."""
        for document_id, of_file in digests:
            for digest in of_file:
                self._holders.setdefault(digest, []).append(document_id)
        self._total = Counter(file for holders in self._holders.values() for file in holders)
        self._done = Counter[str]()
        self.count(ready)

    def count(self, digests: Iterable[bytes]) -> None:
        """Note that these texts have their vectors."""
        for digest in digests:
            self._done.update(self._holders[digest])

    def with_any(self, digests: Iterable[bytes]) -> Iterator[tuple[str, int, int]]:
        """The files that hold any of these texts: id, passages done, passages in all."""
        for file in dict.fromkeys(file for digest in digests for file in self._holders[digest]):
            yield file, self._done[file], self._total[file]
