"""The panes beside the conversation as HTML: lists, the reader, why an answer. Pure.

As in `ui.page.views.answers`, every text is hostile and escaped on its way into a template.
"""

from __future__ import annotations

import re
from base64 import b64encode
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, islice, pairwise, takewhile
from pathlib import Path
from typing import Any, Literal

from index.types import Document, DocumentRecord, Hit, PagePicture
from rag.types import Answer, Explanation, HitScores, Timings
from ui.language.catalogue import (
    decimal,
    gettext,
    gettext_noop,
    long_date,
    milliseconds,
    number,
    plural,
    short_date,
    weekday,
)
from ui.language.replies import retold
from ui.page.conversations import Listed
from ui.page.views.html import name_of, render, render_macro

READ_AT_ONCE = 60
"""Paragraphs of an article drawn at a time; scrolling brings the others."""
LISTED = 300
"""Documents and conversations drawn at once; of documents the others come when scrolled to."""
KINDS = 5
"""Kinds of files named beside the drop zone; the rest are counted, and stand in its tooltip."""
IN_TEXT = 8
"""Sentences shown below the list that hold what was typed."""

FileState = Literal["ready", "changed", "gone", "away"]

_COMMAND = re.compile(r"(pip install(?: --?[\w-]+)* [\w-]+(?:\[[\w-]+\])?)")
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_HEADING = re.compile(r"(?:#{1,6}|={1,6}|\*{1,6})[^\S\n]+(?=\S[^\n]*)|(?=[^\n]+\n[=~^-]+\s*\Z)")
"""What stands before a heading (Markdown, AsciiDoc, Org); nothing where a line is under it."""
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


def masthead(sends_to: str = "", kept_on: str = "") -> str:
    """The line at the top of the page; the page's script fills in the count.

    Args:
        sends_to: Another computer whose model reads the questions; empty where none does.
        kept_on: Another computer that the library is kept on; empty where it is this one.
    """
    return render_macro("frame.html", "masthead", sends_to, kept_on)


def count(documents: int, paragraphs: int) -> str:
    """How big the library is."""
    if not documents:
        return ""
    return f"{plural(documents, 'document')}{gettext(', ')}{plural(paragraphs, 'paragraph')} · "


def welcome(
    documents: int, paragraphs: int, notice: str = "", *, samples: bool = False, kept_on: str = ""
) -> str:
    """The chat before its first question; with an empty library, the way to fill it.

    Args:
        documents: How many there are.
        paragraphs: How many they have together.
        notice: Something the person should know before asking, such as a missing language model.
        samples: Whether there are articles to try it with.
        kept_on: Another computer that the library is kept on; empty where it is this one.
    """
    return render(
        "welcome.html",
        documents=documents,
        paragraphs=paragraphs,
        notice=_COMMAND.split(notice) if notice else [],  # every second part is a command
        samples=samples,
        kept_on=kept_on,
    )


def suggestions(questions: Sequence[str], heading: str) -> str:
    """Questions to ask with one click; empty when there are none."""
    return render("suggestions.html", questions=questions, heading=heading) if questions else ""


def tabs() -> str:
    """What the left pane shows: one of two lists."""
    return render_macro("frame.html", "tabs")


def search(id_: str, label: str, slot: str, *, is_sorted: bool = False) -> str:
    """A box to narrow a list down, what it may be sorted by, and the list."""
    return render_macro("frame.html", "search", id_, label, slot, is_sorted)


def folder(suffixes: Sequence[str], *, by_path: bool) -> str:
    """What may be added, and the way to add a whole folder or one that stays where it is.

    Args:
        suffixes: the file name endings that are read, the best known first.
        by_path: whether folders may be named by their paths.
    """
    known = [suffix.removeprefix(".") for suffix in suffixes]
    shown = gettext(
        "{kinds} and {n} more kinds, to 20 MB",
        kinds=gettext(", ").join(known[:KINDS]),
        n=len(known) - KINDS,
    )
    return render_macro("frame.html", "folder", by_path, shown, ", ".join(known))


def places(folders: Mapping[Path, str | None]) -> str:
    """The folders that were added where they are, and whether they are kept up to date.

    Args:
        folders: each with what keeps it from being watched, empty for nothing; None where it is
            not watched.
    """
    shown = []
    for folder, state in folders.items():
        stop, keep = gettext("Stop keeping {name} up to date"), gettext("Keep {name} up to date")
        name = _short_path(folder, folders)
        label = (stop if state == "" else keep).format(name=name)
        shown.append((str(folder), name, state, label))
    return render("library/places.html", folders=shown)


def _short_path(folder: Path, others: Collection[Path]) -> str:
    """The end of a path that tells it from the others: its name, if no other has that."""
    parts, same, length = folder.parts, [other for other in others if other != folder], 1
    while length < len(parts) and any(o.parts[-length:] == parts[-length:] for o in same):
        length += 1
    return folder.name if length == 1 else str(Path(*parts[-length:]))


def earlier(turns: int) -> str:
    """What stands for so many turns of a conversation before those that are drawn."""
    return render_macro("frame.html", "earlier", turns) if turns else ""


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
        return gettext("Today")
    if age == 1:
        return gettext("Yesterday")
    return weekday(when) if age < 7 else long_date(when)


# --- the library ----------------------------------------------------------------------------------


def library(
    records: Sequence[DocumentRecord],
    states: Mapping[str, FileState],
    words: str = "",
    first: int | None = None,
    copies: Collection[str] = (),
    folders: Sequence[tuple[str, int]] = (),
    inside: str = "",
) -> str:
    """Documents with title, source, date, paragraphs, kind and state; more come when scrolled to.

    Args:
        records: All documents of the list.
        states: By document id, how its file stands to what is stored.
        words: What they were filtered by.
        copies: Ids of those whose files are copies of what was uploaded.
        first: From which on `LISTED` are drawn, as rows alone; None for the whole list.
        folders: Those that stand before the documents, each with how many are in and below it.
        inside: The folder that all of these lie in; empty at the top.
    """
    begin = first or 0
    last = begin + LISTED
    return render(
        "library/library.html" if first is None else "library/library_rows.html",
        documents=[(r, states.get(r.id, "ready")) for r in records[begin:last]],
        twice=shared_names(records),
        next=last,
        more=len(records) - last,
        words=words,
        copies=copies,
        folders=[(path, path.rsplit("/", 1)[-1], within) for path, within in folders],
        inside=inside,
    )


def collections(records: Iterable[DocumentRecord], chosen: str) -> str:
    """What switches between the collections that there are; empty where there is none.

    Args:
        records: all documents.
        chosen: the one that is shown; empty for all of them.
    """
    counted = Counter(record.collection for record in records if record.collection)
    names = sorted(counted.items(), key=lambda item: item[0].casefold())
    return render_macro("frame.html", "collections", names, chosen) if names else ""


def collected(records: Iterable[DocumentRecord], name: str) -> list[DocumentRecord]:
    """The documents of a collection; all of them without a name."""
    return [record for record in records if not name or record.collection == name]


def level(
    records: Iterable[DocumentRecord], inside: str
) -> tuple[list[DocumentRecord], list[tuple[str, int]]]:
    """The documents that lie in a folder itself, and the folders in it with how many are below.

    Args:
        records: documents in order.
        inside: the folder, as ids have it; empty for the top.
    """
    stem = f"{inside}/" if inside else ""
    here: list[DocumentRecord] = []
    below: Counter[str] = Counter()
    for record in records:
        if not record.id.startswith(stem):
            continue
        name, slash, _ = record.id[len(stem) :].partition("/")
        if slash:
            below[stem + name] += 1
        else:
            here.append(record)
    return here, sorted(below.items(), key=lambda folder: folder[0].casefold())


def in_text(hits: Iterable[Hit], words: str) -> str:
    """Sentences that hold all of some words, these marked; a click opens the article there.

    Args:
        hits: passages that hold some of the words, best first.
        words: what was typed.
    """
    wanted = words.casefold().split()
    found = []
    for hit in hits:
        for sentence in hit.sentences:
            if all(word in sentence.text.casefold() for word in wanted):
                found.append((hit, sentence, _marked(sentence.text, wanted)))
                break
    return render("library/in_text.html", found=found[:IN_TEXT], more=len(found) - IN_TEXT)


def _marked(text: str, wanted: Sequence[str]) -> list[str]:
    """A sentence cut around the words it was found for: every second part is one of them."""
    some = "|".join(re.escape(word) for word in sorted(wanted, key=len, reverse=True))
    return re.split(f"({some})", " ".join(text.split()), flags=re.IGNORECASE)


def in_order(records: Sequence[DocumentRecord], order: str) -> list[DocumentRecord]:
    """The documents by `date`, `added` or `length`, the newest or longest first, else by name."""
    by_name = sorted(records, key=lambda r: (name_of(r).casefold(), r.id))
    keys: dict[str, Callable[[DocumentRecord], Any]] = {
        "date": lambda r: r.date, "added": lambda r: r.added_at, "length": lambda r: r.characters,
    }  # fmt: skip
    return sorted(by_name, key=keys[order], reverse=True) if order in keys else by_name


def shared_names(records: Iterable[DocumentRecord]) -> set[str]:
    """Names that several of the documents have, so that their paths must tell them apart."""
    return {name for name, count in Counter(map(name_of, records)).items() if count > 1}


def matching(records: Iterable[DocumentRecord], words: str) -> list[DocumentRecord]:
    """The documents whose title, source, date or name hold every word."""
    wanted = words.casefold().split()
    return [
        r
        for r in records
        if all(
            word in f"{r.title} {r.id} {r.source} {r.author} {r.date} {' '.join(r.tags)}".casefold()
            for word in wanted
        )
    ]


def reader(document: Document, marks: Sequence[tuple[int, int, int]], at: int | None) -> str:
    """An article around a place, its cited sentences marked; the rest comes when it is scrolled to.

    Args:
        document: What to show.
        marks: Start, end and citation number of each sentence to mark; not overlapping, sorted.
        at: Offset of the place to bring into view; None for the top.
    """
    place = at if at is not None else 0
    end = next((end for start, end, _ in marks if start <= place < end), place)
    return render(
        "reader/reader.html",
        picture=None,
        page=document.location(place),
        start=place,
        end=end,
        byline=" · ".join(
            filter(
                None,
                (document.source, document.author, document.written_in, short_date(document.date)),
            )
        ),
        marked=len(marks),
        number=sum(start <= place for start, _, _ in marks),
        **_around(document, marks, at),
    )


def reading_at(
    document: Document,
    marks: Sequence[tuple[int, int, int]],
    found: Sequence[tuple[int, int]],
    at: int,
) -> str:
    """The paragraphs of an article around a place; as in `reader`, without what stands above them.

    Args:
        document: What to show.
        marks: As in `reader`.
        found: Start and end of what was looked for; not overlapping, sorted.
        at: Offset of the place to bring into view.
    """
    return render("reader/reader_paragraphs.html", **_around(document, marks, at, found))


def places_of(text: str, words: str) -> list[tuple[int, int]]:
    """Start and end of what was typed wherever it stands in a text, in any case and spacing."""
    wanted = r"\s+".join(map(re.escape, words.split()))
    found = re.finditer(wanted, text, re.IGNORECASE) if wanted else ()
    return [match.span() for match in found]


def _around(
    document: Document,
    marks: Sequence[tuple[int, int, int]],
    at: int | None,
    found: Sequence[tuple[int, int]] = (),
) -> dict[str, Any]:
    """What a template needs of the paragraphs around a place."""
    spans = _paragraph_spans(document)
    there = max(0, bisect_right(spans, (at or 0, len(document.text))) - 1)
    first = max(0, there - READ_AT_ONCE // 3)
    return _excerpt(document, marks, at, spans, first, found=found)


def paper(document_id: str, picture: PagePicture, number: int, start: int, end: int) -> str:
    """A page as it is printed, what is cited boxed, and the way to the pages beside it."""
    return render(
        "reader/reader.html",
        document_id=document_id,
        picture=picture,
        image=b64encode(picture.png).decode(),
        boxes=[[f"{100 * share:.3f}" for share in box] for box in picture.boxes],
        number=number,
        start=start,
        end=end,
    )


def more_paragraphs(
    document: Document,
    marks: Sequence[tuple[int, int, int]],
    first: int,
    found: Sequence[tuple[int, int]] = (),
    *,
    backwards: bool,
) -> str:
    """The paragraphs of an article from number `first` on, or the last ones before it.

    Args:
        document: What to show.
        marks: As in `reader`.
        first: A paragraph's number, from 0.
        found: As in `reading_at`.
        backwards: Whether those before it are wanted.
    """
    spans = _paragraph_spans(document)
    first = min(max(0, first), len(spans))
    begin, end = (max(0, first - READ_AT_ONCE), first) if backwards else (first, None)
    shown = _excerpt(document, marks, None, spans, begin, end, found)
    shown |= {"after": 0} if backwards else {"before": 0}
    return render("reader/reader_paragraphs.html", **shown)


def _excerpt(
    document: Document,
    marks: Sequence[tuple[int, int, int]],
    at: int | None,
    spans: Sequence[tuple[int, int]],
    first: int,
    end: int | None = None,
    found: Sequence[tuple[int, int]] = (),
) -> dict[str, Any]:
    """What a template needs of some paragraphs: the paragraphs and how many are on either side."""
    last = min(len(spans), first + READ_AT_ONCE if end is None else end)
    return {
        "document": document,
        "paragraphs": [_paragraph(document, *span, marks, at, found) for span in spans[first:last]],
        "before": first,
        "next": last,
        "after": len(spans) - last,
    }


def _paragraph_spans(document: Document) -> list[tuple[int, int]]:
    """Start and end of every paragraph and heading, without the white space around it."""
    text = document.text
    parted = [gap.span() for gap in _BLANK_LINES.finditer(text)]
    for aside in document.boilerplate:  # a heading and its first paragraph have one line break
        if _HEADING.match(text, aside.start, aside.end):
            parted += [(aside.start, aside.start), (aside.end, aside.end)]
    edges = [0, *(at for gap in sorted(parted) for at in gap), len(text)]
    spans = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        paragraph = text[start:end]
        if kept := paragraph.strip():
            start += len(paragraph) - len(paragraph.lstrip())
            spans.append((start, start + len(kept)))
    return spans


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text of an article with the number of the citation it is marked for.

    The number is None when the text is not marked, 0 for the best sentence while nothing is cited.
    """

    text: str
    start: int
    number: int | None = None
    is_found: bool = False
    """Whether it is what was looked for."""


@dataclass(frozen=True, slots=True)
class _Paragraph:
    pieces: list[_Piece]
    is_boilerplate: bool
    is_target: bool
    """Whether it is the place to bring into view."""
    is_heading: bool = False
    """Whether it is a heading, of which only the words are shown."""


def _paragraph(
    document: Document,
    start: int,
    end: int,
    marks: Sequence[tuple[int, int, int]],
    at: int | None,
    found: Sequence[tuple[int, int]],
) -> _Paragraph:
    """One paragraph of the reader, cut at the marks and at what was found that lie in it."""
    aside = sum(max(0, min(f.end, end) - max(f.start, start)) for f in document.boilerplate)
    is_boilerplate = aside > _BOILERPLATE_SHARE * (end - start)
    heading = _HEADING.match(document.text, start, end) if is_boilerplate else None
    is_target = at is not None and start <= at < end
    if heading:  # its signs, or the line under it, are no words
        start = heading.end()
        line = document.text.find("\n", start, end)
        end = end if line < 0 else line
    cited = [mark for mark in marks if mark[0] < end and mark[1] > start]
    first = bisect_left(found, start, key=lambda span: span[1])
    here = list(takewhile(lambda span: span[0] < end, islice(found, first, None)))
    edges = {start, end, *(at for span in here for at in span)}
    edges |= {at for mark in cited for at in mark[:2]}
    cuts = sorted(at for at in edges if start <= at <= end)
    pieces = [
        _Piece(
            document.text[begin:stop],
            begin,
            next((number for a, b, number in cited if a <= begin < b), None),
            any(a <= begin < b for a, b in here),
        )
        for begin, stop in pairwise(cuts)
    ]
    return _Paragraph(pieces, is_boilerplate, is_target, heading is not None)


# --- why an answer --------------------------------------------------------------------------------


def why(answer: Answer, names: Mapping[str, str], threshold: float) -> str:
    """How an answer was made: what was decided and why, variants, candidates, the model, time.

    Args:
        answer: With its explanation, or without where nothing was noted.
        names: What documents are called, by id.
        threshold: The gate's score below which nothing is answered.
    """
    explanation = answer.explain
    if explanation is None:
        return render("why.html", facts={}, variants=[], columns=[], candidates=[])
    likely = gettext(
        "{score}; {threshold} is enough",
        score=decimal(explanation.answerable, 2),
        threshold=decimal(threshold, 2),
    )
    read = len(explanation.evidence)
    return render(
        "why.html",
        variants=explanation.forms or [explanation.form],
        facts={
            gettext("Decided"): _decided(answer, likely=explanation.answerable >= threshold),
            gettext("How likely one of the sentences answers"): likely,
            gettext("Sentences read"): plural(read, "sentence") if read else "",
            gettext("The language model read"): _prompt(explanation),
            gettext("Of what it wrote"): _drafts(explanation),
            gettext("Time"): _times(answer.timings),
        },
        columns=[
            gettext("Passage"),
            gettext("Paragraph"),
            gettext("Meaning"),
            gettext("Sentence"),
            gettext("Words"),
            gettext("Together"),
        ],
        candidates=[_candidate(hit, names) for hit in explanation.hits],
    )


def _candidate(hit: HitScores, names: Mapping[str, str]) -> dict[str, Any]:
    """A row of the candidates: the passage, and its scores in the order of the columns."""
    scores = (hit.dense, hit.sentence, hit.lexical, hit.score)
    return {
        "name": names.get(hit.document_id, hit.document_id),
        "paragraph": hit.paragraph,
        "scores": [decimal(score, 2) for score in scores],
    }


def _decided(answer: Answer, *, likely: bool) -> str:
    """Whether the documents were found to answer, and why not where they were not.

    Args:
        answer: What was decided.
        likely: Whether one of the sentences is likely enough to answer; a topic need only be there.
    """
    if answer.state == "answered":
        named = gettext_noop("What the question names is in the documents.")
        return gettext("The documents answer.") if likely else gettext(named)
    if answer.state == "partial":
        return gettext("The closest sentences may answer; it is not certain.")
    if answer.missing:
        return " ".join(map(retold, answer.missing))
    if answer.closest:
        return gettext("Nothing is answered: one sentence may, but not certainly enough.")
    return gettext("Nothing is answered: no sentence is likely enough to answer.")


def _prompt(explanation: Explanation) -> str:
    """What the model had to read, and what it remembered of the prompt before."""
    if explanation.prompt_tokens is None:
        return ""
    length, reused = plural(explanation.prompt_tokens, "token"), explanation.prefix_reused
    if not reused:
        return length
    return gettext("{length}, {n} of which it knew from before", length=length, n=number(reused))


def _drafts(explanation: Explanation) -> str:
    """How many of a model's statements are shown, shown in the source's words, and left out."""
    outcomes = [draft.outcome for draft in explanation.drafts]
    kept = sum(outcome in ("kept", "re-pointed") for outcome in outcomes)
    replaced = outcomes.count("replaced")
    rest = len(outcomes) - kept - replaced
    parts = (
        (kept, gettext("{n} shown")),
        (replaced, gettext("{n} in the source’s words instead")),
        (rest, gettext("{n} left out")),
    )
    return gettext(", ").join(words.format(n=number(count)) for count, words in parts if count)


def _times(timings: Timings) -> str:
    """Time per stage: each stage ends where the next one begins."""
    evidence, first, total = timings.evidence_ms, timings.first_token_ms, timings.total_ms
    parts = []
    if evidence is not None:
        parts.append(gettext("searching and reading {time}", time=milliseconds(evidence)))
    if first is not None and evidence is not None:
        parts.append(gettext("the model’s reading {time}", time=milliseconds(first - evidence)))
    if total is not None and (before := first if first is not None else evidence) is not None:
        written, checked = gettext("writing and checking {time}"), gettext("checking {time}")
        words = written if first is not None else checked
        parts.append(words.format(time=milliseconds(total - before)))
    return gettext(", ").join(parts)
