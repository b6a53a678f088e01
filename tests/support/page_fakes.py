"""A library and an assistant for the page's tests: no model is loaded, and they wait when told to.

The library is the real one with an encoder of words. They hold on to events, so the tests decide
when an answer or a rebuild goes on: nothing sleeps for long and nothing is timed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from index import Library
from index.embedding.encoder import Encoder
from index.errors import InputError
from index.types import EVERYWHERE, Progress, SearchScope, UpdateReport
from rag import Assistant
from rag.types import Answer, Citation, Explanation, HitScores, PassageRead, Statement, Timings
from tests.support.fakes import BagOfWordsEncoder

HOSTILE = (
    "<img src=x onerror=alert(1)> ${alert(1)} {{alert(1)}} `x` [1] </mark><script>alert(1)</script>"
)

ARTICLES = {
    "kyoto.txt": "Kyoto hosts the Internet Governance Forum\n"
    "Source: The Link\n"
    "Published: 2023-10-12\n\n"
    "The 18th Internet Governance Forum was held in Kyoto from 8 to 12 October 2023. More than "
    "9,000 participants from 178 countries registered, the highest number so far. Sessions on "
    "artificial intelligence drew the largest rooms.\n\n"
    "Japan used the week to present the Hiroshima AI Process. Its code of conduct asks "
    "developers to label generated content.\n",
    "cables.md": "---\ntitle: Cables under the sea\nsource: Harbour Review\ndate: 2024-03\n---\n\n"
    "About 600 cables carry nearly all traffic between continents. A ship needs eight days on "
    "average to reach a fault.\n\n"
    "Repairs wait longest where permits are slow. Tonga was offline for five weeks in 2022.\n",
    "hostile.txt": f"Plain title {HOSTILE}\nSource: Source {HOSTILE}\n\n"
    f"Hostile words stand here: {HOSTILE} and they end. A second sentence about hostile text.\n",
}
"""Files by name: titles, outlets, dates and paragraphs are what the library reads in them."""


class HeldLibrary(Library):
    """The real library, whose rebuild reads everything anew and can be held while it embeds."""

    go_on: threading.Event
    """A rebuild pauses at the first file that is embedded until this is set, or it is cancelled."""

    def __enter__(self) -> HeldLibrary:
        return self

    def rebuild(
        self,
        *,
        full: bool = True,
        forget: bool = False,
        encoder: Encoder | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        def held(step: Progress) -> None:
            if progress:
                progress(step)
            while step.state == "embedding" and not self.go_on.wait(0.02):
                if cancelled and cancelled():
                    return

        return super().rebuild(
            full=True, forget=forget, encoder=encoder, progress=held, cancelled=cancelled,
            dry_run=dry_run,
        )  # fmt: skip


def make_library(folder: Path, articles: Mapping[str, str] = ARTICLES) -> HeldLibrary:
    """The library in `folder / "library"`, of files that are written to `folder / "articles"`."""
    library = HeldLibrary.open(folder / "library", encoder=BagOfWordsEncoder())
    assert isinstance(library, HeldLibrary)
    library.go_on = threading.Event()
    library.go_on.set()
    write_articles(library, articles)
    return library


def write_articles(library: Library, articles: Mapping[str, str]) -> None:
    """Writes files beside the library and brings it up to date with them."""
    files = library.path.parent / "articles"
    files.mkdir(parents=True, exist_ok=True)
    for name, text in articles.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(text, encoding="utf-8")
    if articles:
        library.update([files])


def quoting(library: Library, question: str, *quotes: str, **more: Any) -> Answer:
    """A whole answer that quotes these sentences of the library; `more` are its other fields."""
    texts = [(record, library.document(record.id).text) for record in library.documents()]
    cited = []
    for number, quote in enumerate(quotes, start=1):
        record, text = next((record, text) for record, text in texts if quote in text)
        start = text.index(quote)
        place = number, record.id, record.title, record.source, 1
        cited.append(Citation(*place, start, start + len(quote), quote, record.date))
    said = tuple(Statement(c.quote, "supported", (c.number,), quoted=True) for c in cited)
    text = " ".join(f"{c.quote} [{c.number}]" for c in cited)
    return Answer(
        question, "answered", text, said, tuple(cited), model="none", complete=True,
        stage="done", **more,
    )  # fmt: skip


def document_ids(library: Library) -> list[str]:
    """What is in the library."""
    return [record.id for record in library.documents()]


class ScriptedAssistant(Assistant):
    """Quotes the sentence that shares most words with the question; waits where it is told to."""

    def __init__(self, library: Library) -> None:
        super().__init__(library, None, reader="none")
        self.go_on = threading.Event()
        """Writing pauses before its first word until this is set, or until it is stopped."""
        self.go_on.set()
        self.histories: list[list[tuple[str, str]]] = []
        self.scopes: list[SearchScope] = []
        self.stopped = threading.Event()
        self.prepared: dict[str, Answer] = {}
        """What is answered at once to a question that may look everywhere."""

    def stream(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        scope: SearchScope = EVERYWHERE,
        explain: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Answer]:
        self.histories.append(list(history))
        scope = replace(scope, documents=documents or scope.documents, dates=dates or scope.dates)
        self.scopes.append(scope)
        documents = self.library.select(scope)
        if len(question) > 2000:
            raise InputError("The question is too long: ask in at most 2,000 characters.")
        if question in self.prepared and documents is None:
            yield self.prepared[question]
            return
        if "crash" in question:
            raise RuntimeError("a bug, on purpose")
        now = Answer(question, "answered", "", stage="searching", model="Scripted-1")
        yield now
        ranked = self._ranked(question, documents)
        read = tuple(p for _, _, p in ranked[:4])
        timings = Timings(evidence_ms=38)
        if not ranked or ranked[0][0] < 2:
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
        for record in self.library.documents():
            if documents is not None and record.id not in documents:
                continue
            place = record.title, record.source, record.date
            for passage in self.library.passages(record.id):
                read = PassageRead(
                    record.id, passage.start, passage.end, passage.text, 0.5, *place,
                    passage.paragraph,
                )  # fmt: skip
                for sentence in passage.sentences:
                    shared = len(words & set(re.findall(r"\w{4,}", sentence.text.lower())))
                    cited = Citation(
                        0, record.id, record.title, record.source, passage.paragraph,
                        sentence.start, sentence.end, sentence.text, record.date,
                    )  # fmt: skip
                    scored.append((shared, cited, read))
        return sorted(scored, key=lambda row: -row[0])
