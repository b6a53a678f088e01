"""The panes beside the conversation as HTML: lists, the reader, why an answer. Pure.

As in `ui.page.views.answers`, every text is hostile and escaped on its way into a template.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, Literal

from index.types import Document, DocumentRecord, PagePicture
from rag.types import Explanation, HitScores, Timings
from ui.page.conversations import Listed
from ui.page.views.html import milliseconds, plural, render, render_macro

LISTED = 300
"""Documents and conversations drawn in a list; a filter finds the others."""

FileState = Literal["ready", "changed", "gone", "away"]

_COMMAND = re.compile(r"(pip install(?: --?[\w-]+)* [\w-]+)")
_PARAGRAPH = re.compile(r"\S(?:.*?\S)?(?=\s*?\n\s*?\n|\s*\Z)", re.DOTALL)
_BOILERPLATE_SHARE = 0.8
"""Of a paragraph's characters; above it the paragraph steps back behind the prose."""


# --- the frame ------------------------------------------------------------------------------------


def head(files: str) -> str:
    """What the page loads of ours, for its `<head>`.

    Args:
        files: the address that our files are served under.
    """
    return render_macro("frame.html", "head", files)


def first_script(address: str) -> str:
    """The script that runs before all others, for the start of the `<head>`."""
    return render_macro("frame.html", "first_script", address)


def slot(name: str) -> str:
    """A place that the page's script fills with HTML from the API."""
    return render_macro("frame.html", "slot", name)


def masthead() -> str:
    """The line at the top of the page; the page's script fills in the count."""
    return render_macro("frame.html", "masthead")


def count(documents: int, paragraphs: int) -> str:
    """How big the library is."""
    if not documents:
        return ""
    return f"{plural(documents, 'document')}, {plural(paragraphs, 'paragraph')} · "


def welcome(documents: int, paragraphs: int, notice: str = "", *, samples: bool = False) -> str:
    """The chat before its first question; with an empty library, the way to fill it.

    Args:
        documents: How many there are.
        paragraphs: How many they have together.
        notice: Something the person should know before asking, such as a missing language model.
        samples: Whether there are articles to try it with.
    """
    return render(
        "welcome.html",
        documents=documents,
        paragraphs=paragraphs,
        notice=_COMMAND.split(notice) if notice else [],  # every second part is a command
        samples=samples,
    )


def suggestions(questions: Sequence[str], heading: str) -> str:
    """Questions to ask with one click; empty when there are none."""
    return render("suggestions.html", questions=questions, heading=heading) if questions else ""


def tabs() -> str:
    """What the left pane shows: one of two lists."""
    return render_macro("frame.html", "tabs")


def search(id_: str, label: str, slot: str) -> str:
    """A box to narrow a list down, and the list."""
    return render_macro("frame.html", "search", id_, label, slot)


def folder() -> str:
    """The way to add a whole folder, beside the drop zone."""
    return render_macro("frame.html", "folder")


def scope() -> str:
    """Where a question may look: chips that the page's script adds, and the dates."""
    return render_macro("frame.html", "scope")


# --- conversations --------------------------------------------------------------------------------


def conversations(listed: Sequence[Listed], today: date, words: str = "", problem: str = "") -> str:
    """The conversations under the days they were last added to, and why they cannot be kept."""
    days = groupby(listed[:LISTED], key=lambda c: day(c.updated.astimezone().date(), today))
    return render("conversations.html", days=[(name, list(group)) for name, group in days],
                  words=words, problem=problem)  # fmt: skip


def day(when: date, today: date) -> str:
    """`Today`, `Yesterday`, `Thursday`, `12 October 2026`."""
    age = (today - when).days
    if age <= 0:
        return "Today"
    if age == 1:
        return "Yesterday"
    return f"{when:%A}" if age < 7 else f"{when.day} {when:%B %Y}"


# --- the library ----------------------------------------------------------------------------------


def library(
    records: Sequence[DocumentRecord], states: Mapping[str, FileState], words: str = ""
) -> str:
    """Every document with title, source, date, paragraphs and state.

    Args:
        records: The documents to list.
        states: By document id, how its file stands to what is stored.
        words: What they were filtered by.
    """
    documents = [(r, states.get(r.id, "ready")) for r in records[:LISTED]]
    return render("library.html", documents=documents, more=len(records) - LISTED, words=words)


def matching(records: Iterable[DocumentRecord], words: str) -> list[DocumentRecord]:
    """The documents whose title, source, date or name hold every word."""
    wanted = words.casefold().split()
    return [
        r
        for r in records
        if all(w in f"{r.title} {r.id} {r.source} {r.author} {r.date}".casefold() for w in wanted)
    ]


def reader(document: Document, marks: Sequence[tuple[int, int, int]], at: int | None) -> str:
    """A whole article, its cited sentences marked.

    Args:
        document: What to show.
        marks: Start, end and citation number of each sentence to mark; not overlapping, sorted.
        at: Offset of the place to bring into view; None for the top.
    """
    place = at if at is not None else 0
    end = next((end for start, end, _ in marks if start <= place < end), place)
    return render(
        "reader.html",
        picture=None,
        document=document,
        page=document.location(place),
        start=place,
        end=end,
        byline=" · ".join(filter(None, (document.source, document.author, document.date))),
        paragraphs=[
            _paragraph(document, *match.span(), marks, at)
            for match in _PARAGRAPH.finditer(document.text)
        ],
    )


def paper(document_id: str, picture: PagePicture, number: int, start: int, end: int) -> str:
    """A page as it is printed, what is cited boxed, and the way to the pages beside it."""
    return render(
        "reader.html",
        document_id=document_id,
        picture=picture,
        image=b64encode(picture.png).decode(),
        boxes=[[f"{100 * share:.3f}" for share in box] for box in picture.boxes],
        number=number,
        start=start,
        end=end,
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text of an article with the number of the citation it is marked for.

    The number is None when the text is not marked, 0 for the best sentence while nothing is cited.
    """

    text: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class _Paragraph:
    pieces: list[_Piece]
    is_boilerplate: bool
    is_target: bool
    """Whether it is the place to bring into view."""


def _paragraph(
    document: Document, start: int, end: int, marks: Sequence[tuple[int, int, int]], at: int | None
) -> _Paragraph:
    """One paragraph of the reader, cut at the marks that lie in it."""
    text, pieces, done = document.text, [], start
    for mark_start, mark_end, number in marks:
        if mark_start >= end or mark_end <= start:
            continue
        mark_start, mark_end = max(mark_start, done), min(mark_end, end)
        pieces += [_Piece(text[done:mark_start]), _Piece(text[mark_start:mark_end], number)]
        done = mark_end
    pieces.append(_Piece(text[done:end]))
    aside = sum(max(0, min(f.end, end) - max(f.start, start)) for f in document.boilerplate)
    return _Paragraph(
        pieces,
        is_boilerplate=aside > _BOILERPLATE_SHARE * (end - start),
        is_target=at is not None and start <= at < end,
    )


# --- why an answer --------------------------------------------------------------------------------


def why(
    explanation: Explanation | None,
    timings: Timings,
    names: Mapping[str, str],
    threshold: float,
) -> str:
    """How an answer was made: variants, candidates with their scores, the gate, tokens, time.

    Args:
        explanation: Of the answer; None when nothing was noted.
        timings: Of the answer.
        names: What documents are called, by id.
        threshold: The gate's score below which nothing is answered.
    """
    if explanation is None:
        return render("why.html", facts={}, variants=[], columns=[], candidates=[])
    answerable = f"{explanation.answerable:.2f} (nothing is answered below {threshold:.2f})"
    return render(
        "why.html",
        variants=explanation.forms or [explanation.form],
        facts={
            "Answerable": answerable,
            "Sentences read": plural(len(explanation.evidence), "sentence"),
            "Prompt": _prompt(explanation),
            "Model’s drafts": ", ".join(draft.outcome for draft in explanation.drafts),
            "Time": _times(timings),
        },
        columns=["Passage", "Paragraph", "Meaning", "Sentence", "Words", "Together"],
        candidates=[_candidate(hit, names) for hit in explanation.hits],
    )


def _candidate(hit: HitScores, names: Mapping[str, str]) -> dict[str, Any]:
    """A row of the candidates: the passage, and its scores in the order of the columns."""
    scores = (hit.dense, hit.sentence, hit.lexical, hit.score)
    return {
        "name": names.get(hit.document_id, hit.document_id),
        "paragraph": hit.paragraph,
        "scores": [f"{score:.2f}" for score in scores],
    }


def _prompt(explanation: Explanation) -> str:
    """What the model had to read, and what it remembered of the prompt before."""
    if explanation.prompt_tokens is None:
        return ""
    length, reused = plural(explanation.prompt_tokens, "token"), explanation.prefix_reused
    return length if reused is None else f"prefix reused: {reused:,} of {length}"


def _times(timings: Timings) -> str:
    """Time per stage: each stage ends where the next one begins."""
    evidence, first, total = timings.evidence_ms, timings.first_token_ms, timings.total_ms
    parts = []
    if evidence is not None:
        parts.append(f"searching and reading {milliseconds(evidence)}")
    if first is not None and evidence is not None:
        parts.append(f"prompt {milliseconds(first - evidence)}")
    if total is not None and (before := first if first is not None else evidence) is not None:
        word = "writing and checking" if first is not None else "checking"
        parts.append(f"{word} {milliseconds(total - before)}")
    return ", ".join(parts)
