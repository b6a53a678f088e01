"""A library and an assistant for the page: they behave, load no model, and wait when told to.

They hold on to events, so the tests decide when an answer or a rebuild goes on: nothing sleeps for
long and nothing is timed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.errors import InputError
from index.types import (
    Document,
    DocumentRecord,
    FailedFile,
    LibraryStats,
    Passage,
    Progress,
    Receipt,
    Sentence,
    UpdateReport,
)
from rag.types import (
    Answer,
    Citation,
    Explanation,
    HitScores,
    PassageRead,
    Statement,
    Timings,
)

HOSTILE = (
    "<img src=x onerror=alert(1)> ${alert(1)} {{alert(1)}} `x` [1] </mark><script>alert(1)</script>"
)

ARTICLES = {
    "kyoto.txt": (
        "Kyoto hosts the Internet Governance Forum",
        "The Link",
        "2023-10-12",
        "The 18th Internet Governance Forum was held in Kyoto from 8 to 12 October 2023. More than "
        "9,000 participants from 178 countries registered, the highest number so far. Sessions on "
        "artificial intelligence drew the largest rooms.\n\n"
        "Japan used the week to present the Hiroshima AI Process. Its code of conduct asks "
        "developers to label generated content.",
    ),
    "cables.md": (
        "Cables under the sea",
        "Harbour Review",
        "2024-03",
        "About 600 cables carry nearly all traffic between continents. A ship needs eight days on "
        "average to reach a fault.\n\n"
        "Repairs wait longest where permits are slow. Tonga was offline for five weeks in 2022.",
    ),
    "hostile.txt": (
        f"Plain title {HOSTILE}",
        f"Source {HOSTILE}",
        "",
        f"Hostile words stand here: {HOSTILE} and they end. A second sentence about hostile text.",
    ),
}


# --- fakes ----------------------------------------------------------------------------------------


def passages_of(text: str) -> list[Passage]:
    """One passage per paragraph, one sentence per full stop; offsets into `text`."""
    found = []
    for number, block in enumerate(re.finditer(r"[^\n]+(?:\n[^\n]+)*", text), start=1):
        sentences = tuple(
            Sentence(block.start() + m.start(), block.start() + m.end(), m.group())
            for m in re.finditer(r"\S.*?(?:[.?!](?=\s|$)|$)", block.group(), re.DOTALL)
        )
        found.append(Passage(number, block.start(), block.end(), block.group(), sentences))
    return found


@dataclass
class FakeLibrary:
    """Documents in memory; `update` reads `.txt` files for real and reports each step."""

    path: Path
    shelf: dict[str, Document] = field(default_factory=dict)
    go_on: threading.Event = field(default_factory=threading.Event)
    """Embedding pauses after its first passage until this is set."""
    removed: dict[str, Document] = field(default_factory=dict)
    where: dict[str, Path] = field(default_factory=dict)
    """The files of documents that were added."""

    def __post_init__(self) -> None:
        self.go_on.set()

    def documents(self) -> list[DocumentRecord]:
        return [
            DocumentRecord(
                d.id, d.title, d.source, "", d.date, len(passages_of(d.text)), 0, 0, len(d.text),
                str(hash(d.text)), str(self.where.get(d.id, self.path / "files" / d.id)), "",
            )
            for d in sorted(self.shelf.values(), key=lambda d: d.name)
        ]  # fmt: skip

    def document(self, document_id: str, /) -> Document:
        if document_id not in self.shelf:
            raise InputError(f"No document {document_id!r}.")
        return self.shelf[document_id]

    def passages(self, document_id: str, /) -> list[Passage]:
        return passages_of(self.document(document_id).text)

    def stats(self) -> LibraryStats:
        return LibraryStats(len(self.shelf), 0, 0, 0, "flat", "fake@1", 0)

    def remove(self, document_ids: Sequence[str], /) -> Receipt:
        for one in document_ids:
            if one not in self.shelf:
                raise InputError(f"no document {one!r}")
            self.removed[one] = self.shelf.pop(one)
        return Receipt(tuple(document_ids), 0, 0, 0, 0)

    def restore(self, receipt: Receipt, /) -> UpdateReport:
        self.shelf |= {one: self.removed.pop(one) for one in receipt.documents}
        return UpdateReport(added=receipt.documents)

    def removed_files(self) -> set[str]:
        return set()

    def forget_removed(self, paths: Iterable[str], /) -> None:
        raise AssertionError(f"nothing was removed, least of all {list(paths)}")

    def update(
        self,
        paths: Sequence[str | Path],
        *,
        folder: str | Path | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        places = [Path(path) for path in paths]
        files = [f for p in places for f in (sorted(p.iterdir()) if p.is_dir() else [p])]
        report, fresh = UpdateReport(), {}
        for file in files:
            self.where[file.name] = file
            if not (text := file.read_text(encoding="utf-8")).strip():
                failed = FailedFile(str(file), "the file is empty")
                report = replace(report, failed=(*report.failed, failed))
            elif (old := self.shelf.get(file.name)) and old.text == text:
                report = replace(report, unchanged=(*report.unchanged, file.name))
            else:
                fresh[file.name] = Document(file.name, "", text)
                report = replace(report, added=(*report.added, file.name))
        self._embed(list(fresh.values()), progress, cancelled)
        self.shelf |= fresh
        return report

    def rebuild(
        self,
        *,
        full: bool = False,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        self._embed(list(self.shelf.values()), progress, cancelled)
        return UpdateReport(unchanged=tuple(self.shelf))

    def _embed(
        self,
        documents: Sequence[Document],
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        counts = {d.id: len(passages_of(d.text)) for d in documents}
        steps = [(one, n) for one, count in counts.items() for n in range(1, count + 1)]
        for done, (document_id, n) in enumerate(steps, start=1):
            if progress:
                progress(Progress("embedding", done, len(steps), document_id))
                own = f"{n}/{counts[document_id]}"
                progress(Progress("file", 0, 0, document_id, "embedding", own))
            while not self.go_on.wait(0.02):
                if cancelled and cancelled():
                    return


@dataclass
class FakeAssistant:
    """Quotes the sentence that shares most words with the question; waits where it is told to."""

    library: FakeLibrary
    go_on: threading.Event = field(default_factory=threading.Event)
    """Writing pauses before its first word until this is set, or until it is stopped."""
    histories: list[list[tuple[str, str]]] = field(default_factory=list)
    scopes: list[tuple[Collection[str] | None, tuple[str, str] | None]] = field(
        default_factory=list
    )
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    def stream(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        explain: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Answer]:
        self.histories.append(list(history))
        self.scopes.append((documents, dates))
        if len(question) > 2000:
            raise InputError("The question is too long: ask in at most 2,000 characters.")
        if "crash" in question:
            raise RuntimeError("a bug, on purpose")
        now = Answer(question, "answered", "", stage="searching", model="Scripted-1")
        yield now
        ranked = self._ranked(question, documents)
        read = tuple(p for _, _, p in ranked[:4])
        timings = Timings(evidence_ms=38)
        if ranked[0][0] < 2:
            yield replace(
                now, state="not_found", passages=read, timings=replace(timings, total_ms=61),
                stage="done", complete=True, text="Not in your documents.", model="none",
            )  # fmt: skip
            return
        cited = tuple(replace(c, number=n) for n, (_, c, _) in enumerate(ranked[:2], start=1))
        now = replace(now, stage="reading", headline=cited[0], timings=timings)
        yield now
        while not self.go_on.wait(0.02):
            if stop and stop():
                self.stopped.set()
                yield replace(now, complete=True, stage="done")
                return
        now = replace(now, stage="writing", citations=cited)
        said = "It says so in these words: " + cited[0].quote
        for end in range(10, len(said) + 10, 10):
            yield replace(now, statements=(Statement(said[:end], "supported", (1,)),))
        explained = Explanation(
            forms=(question,), answerable=0.91, prompt_tokens=120, prefix_reused=96,
            hits=(HitScores(cited[0].document_id, 1, 1, 0.8, 0.7, 3.2, 0.6),),
        )  # fmt: skip
        statements = (
            Statement(said, "supported", (1,)),
            Statement("A loose remark.", "unsupported", (2,)),
        )
        yield replace(
            now, statements=statements, passages=read, complete=True, stage="done",
            text=f"{said} [1] A loose remark. [2]",
            timings=replace(timings, first_token_ms=410, total_ms=900),
            explain=explained if explain else None,
        )  # fmt: skip

    def _ranked(
        self, question: str, documents: Collection[str] | None
    ) -> list[tuple[int, Citation, PassageRead]]:
        words = set(re.findall(r"\w{4,}", question.lower()))
        scored = []
        for d in self.library.shelf.values():
            if documents is not None and d.id not in documents:
                continue
            for p in passages_of(d.text):
                read = PassageRead(
                    d.id, p.start, p.end, p.text, 0.5, d.title, d.source, d.date, p.paragraph
                )
                for s in p.sentences:
                    shared = len(words & set(re.findall(r"\w{4,}", s.text.lower())))
                    cited = Citation(
                        0, d.id, d.title, d.source, p.paragraph, s.start, s.end, s.text, d.date
                    )
                    scored.append((shared, cited, read))
        return sorted(scored, key=lambda row: -row[0])
