"""The panes beside the conversation as HTML: lists, the reader, why an answer. Pure.

As in `ui.page.views.answers`, every text is hostile and passes through `escape` on its way into the markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any, Literal

from index.types import Document, DocumentRecord
from ui.page.conversations import Listed
from ui.page.views.answers import name_of
from ui.page.views.html import (
    button,
    escape,
    icon,
    milliseconds,
    plural,
    tool,
)

LISTED = 300
"""Documents and conversations drawn in a list; a filter finds the others."""

_COMMAND = re.compile(r"pip install(?: --?[\w-]+)* [\w-]+")

FileState = Literal["ready", "changed", "gone", "away"]
_STATES = {
    "ready": "",
    "changed": "changed on disk: rebuild to read it again",
    "gone": "its file is gone; the text is kept",
    "away": "its file cannot be read now; the text is kept",
}


# --- the frame ------------------------------------------------------------------------------------


def masthead() -> str:
    """The line at the top of the page; the page's script fills in the count."""
    return (
        '<div class="masthead"><button type="button" class="icon-button" data-action="left" '
        'aria-controls="left" aria-expanded="true" aria-label="Conversations and library">'
        f"{icon('menu')}</button>"
        '<h1><span class="logo" aria-hidden="true">¶</span> Pilcrow</h1>'
        '<p class="where-it-runs"><span class="aside" data-slot="count"></span>everything stays on '
        'this computer</p><button type="button" class="icon-button" data-action="right" '
        f'aria-controls="sources" aria-expanded="true" aria-label="Sources">{icon("panel")}'
        "</button></div>"
    )


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
    mark = '<p class="welcome-mark" aria-hidden="true">¶</p>'
    if not documents:
        try_it = button("samples", "Try it with the sample articles") if samples else ""
        return (
            f'<section class="welcome" data-empty>{mark}<h2>Start with an article</h2>'
            "<p>Add the texts you want to question. They are read, indexed and kept on this "
            "computer; nothing is sent anywhere.</p>"
            f'<p class="next"><button type="button" class="main-button" data-action="add">'
            f"Add documents</button>{try_it}</p>{_notice(notice)}</section>"
        )
    return (
        f'<section class="welcome">{mark}<h2>Ask your articles</h2>'
        f"<p>{plural(documents, 'document')}, {plural(paragraphs, 'paragraph')}. Every statement "
        "in an answer points at the sentence it rests on; what is not in your documents is not "
        f'answered.</p><div class="suggestions" data-slot="suggestions"></div>{_notice(notice)}'
        '<ul class="keys" aria-label="Keys"><li><kbd>Enter</kbd> ask</li>'
        "<li><kbd>Shift</kbd> <kbd>Enter</kbd> new line</li><li><kbd>Esc</kbd> stop</li>"
        "<li><kbd>1</kbd>–<kbd>9</kbd> open a source</li><li><kbd>@</kbd> name a document</li>"
        "<li><kbd>/</kbd> write</li></ul></section>"
    )


def _notice(words: str) -> str:
    if not words:
        return ""
    said = _COMMAND.sub(r"<code>\g<0></code>", escape(words))
    return (
        '<aside class="notice"><h3>Answers are quotes for now</h3><p>There is no language model, '
        "so answers are the sentences of your documents, word for word.</p>"
        f'<p class="way-out" dir="auto">{said}</p></aside>'
    )


def suggestions(questions: Sequence[str], heading: str) -> str:
    """Questions to ask with one click."""
    if not questions:
        return ""
    rows = "".join(
        f'<li><button type="button" class="suggestion" data-action="ask" dir="auto">{escape(q)}'
        "</button></li>"
        for q in questions
    )
    return f'<h3 class="eyebrow">{escape(heading)}</h3><ul>{rows}</ul>'


def tabs() -> str:
    """What the left pane shows: one of two lists."""
    chosen = (("chats", "Chats", "true"), ("library", "Library", "false"))
    return '<div class="tabs" role="tablist" aria-label="Left pane">' + "".join(
        f'<button type="button" role="tab" data-action="tab" data-tab="{name}" id="tab-{name}" '
        f'aria-controls="{name}" aria-selected="{on}">{words}</button>'
        for name, words, on in chosen
    ) + "</div>"  # fmt: skip


def search(id_: str, label: str, slot: str) -> str:
    """A box to narrow a list down, and the list."""
    return (
        f'<input type="search" id="{id_}" class="narrow" placeholder="{label}" '
        f'aria-label="{label}" autocomplete="off" spellcheck="false">'
        f'<div class="list" data-slot="{slot}"></div>'
    )


def folder() -> str:
    """The way to add a whole folder, beside the drop zone."""
    return (
        '<label class="folder" for="folder-input">or choose a whole folder</label>'
        '<input type="file" id="folder-input" class="sr-only" webkitdirectory multiple>'
    )


def scope() -> str:
    """Where a question may look: chips that the page's script adds, and the dates."""
    return (
        '<div class="scope" role="group" aria-label="Where to look"><ul class="chips"></ul>'
        f'<details class="dates"><summary>Dates</summary><div class="menu">'
        '<label>From <input type="date" id="since"></label>'
        '<label>To <input type="date" id="until"></label>'
        f"{button('any-date', 'Any date')}</div></details>"
        '<ul class="choices" id="choices" role="listbox" aria-label="Documents" hidden></ul></div>'
    )


# --- conversations --------------------------------------------------------------------------------


def conversations(listed: Sequence[Listed], today: date, words: str = "", problem: str = "") -> str:
    """The conversations under the days they were last added to, and why they cannot be kept."""
    if problem:
        said = f'<p class="pane-empty" dir="auto">{escape(problem)}</p>'
        return said + (conversations(listed, today, words) if listed else "")
    if not listed:
        empty = "No conversation holds these words." if words else "What you ask is kept here."
        return f'<p class="pane-empty">{empty}</p>'
    days = groupby(listed[:LISTED], key=lambda one: day(one.updated.astimezone().date(), today))
    return "".join(
        f'<h3 class="eyebrow">{name}</h3><ul class="chats">{"".join(map(_listed, group))}</ul>'
        for name, group in days
    )


def _listed(one: Listed) -> str:
    title = escape(one.title)
    return (
        f'<li data-id="{escape(one.id)}"><button type="button" class="name" data-action="open" '
        f'dir="auto" title="{title}">{title}</button><span class="row-tools">'
        f"{tool('rename', 'Rename', 'edit')}{tool('delete', 'Delete', 'bin')}</span></li>"
    )


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
    if not records:
        return f'<p class="pane-empty">{"Nothing like that." if words else "No documents yet."}</p>'
    rows = "".join(_document(r, states.get(r.id, "ready")) for r in records[:LISTED])
    more = len(records) - LISTED
    rest = f'<p class="pane-empty">and {plural(more, "more document")}</p>' if more > 0 else ""
    return f'<ul class="documents">{rows}</ul>{rest}'


def _document(record: DocumentRecord, state: FileState) -> str:
    name, id_ = escape(name_of(record)), escape(record.id)
    parts = [f'<span class="outlet" dir="auto">{escape(record.source)}</span>']
    parts = parts if record.source else []
    parts += [f"<span>{escape(record.date)}</span>"] if record.date else []
    said = f'<span class="file-state">{_STATES[state]}</span>' if _STATES[state] else ""
    return (
        f'<li data-document="{id_}" data-name="{name}" data-state="{state}">'
        f'<button type="button" class="name" data-action="read" data-document="{id_}" dir="auto" '
        f'title="{id_}">{name}</button><span class="meta">{"".join(parts)}'
        f'<span class="count">{record.paragraphs:,} <abbr title="paragraphs">¶</abbr></span></span>'
        f"{said}"
        f'<span class="row-tools">{tool("only", "Ask only this document", "only")}'
        f"{tool('remove', 'Remove from the library', 'bin')}</span></li>"
    )


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
    meta = " · ".join(escape(p) for p in (document.source, document.author, document.date) if p)
    blocks = "".join(
        _block(document, block.start(), block.end(), marks, at)
        for block in re.finditer(r"\S(?:.*?\S)?(?=\s*?\n\s*?\n|\s*\Z)", document.text, re.DOTALL)
    )
    return (
        '<article class="reader" aria-label="Article"><header>'
        f'<button type="button" class="quiet-button" data-action="close-reader">{icon("back")} '
        'Back to the sources</button></header>'
        f'<h2 dir="auto">{escape(document.name)}</h2><p class="meta" dir="auto">{meta}</p>'
        f'<div class="text">{blocks}</div></article>'
    )  # fmt: skip


def _block(
    document: Document, start: int, end: int, marks: Sequence[tuple[int, int, int]], at: int | None
) -> str:
    """One paragraph of the reader, cut at the marks that lie in it."""
    text, parts, here = document.text, [], start
    for from_, to, number in marks:
        if from_ >= end or to <= start:
            continue
        from_, to = max(from_, here), min(to, end)
        parts.append(escape(text[here:from_]))
        label = f' data-n="{number}"' if number else ""
        parts.append(f"<mark{label}>{escape(text[from_:to])}</mark>")
        here = to
    parts.append(escape(text[here:end]))
    # headline, byline and captions step back behind the prose
    aside = sum(max(0, min(f.end, end) - max(f.start, start)) for f in document.boilerplate)
    kind = ' class="furniture"' if aside > 0.8 * (end - start) else ""
    landed = " data-here" if at is not None and start <= at < end else ""
    return f'<p dir="auto"{kind}{landed}>{"".join(parts)}</p>'


# --- why an answer --------------------------------------------------------------------------------


def why(explain: Mapping[str, Any], timings: Mapping[str, float | None], names: Mapping[str, str],
        threshold: float) -> str:  # fmt: skip
    """How an answer was made: forms, candidates with their scores, the gate, tokens, time.

    Args:
        explain: `Answer.explain`.
        timings: `Answer.timings` by name.
        names: What documents are called, by id.
        threshold: The gate's score below which nothing is answered.
    """
    if not explain:
        return '<p class="pane-empty">Nothing was noted about this answer.</p>'
    forms = explain.get("forms") or [explain.get("form", "")]
    drafts = explain.get("drafts") or []
    facts = {
        "Searched as": "<br>".join(f'<q dir="auto">{escape(form)}</q>' for form in forms),
        "Answerable": f"{explain.get('answerable', 0):.2f} (nothing is answered below "
        f"{threshold:.2f})",
        "Sentences read": plural(len(explain.get("evidence") or []), "sentence"),
        "Prompt": _prompt(explain),
        "Model’s drafts": ", ".join(escape(draft.get("outcome", "")) for draft in drafts),
        "Time": _times(timings),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items() if value)
    return f'<dl class="facts">{rows}</dl>{_candidates(explain.get("hits") or [], names)}'


def _prompt(explain: Mapping[str, Any]) -> str:
    """What the model had to read, and what it remembered of the prompt before."""
    if "prompt_tokens" not in explain:
        return ""
    tokens, reused = explain["prompt_tokens"], explain.get("prefix_reused")
    said = plural(tokens, "token")
    return said if reused is None else f"prefix reused: {reused:,} of {said}"


def _times(timings: Mapping[str, float | None]) -> str:
    """Time per stage: each stage ends where the next one begins."""
    evidence, first, total = (
        timings.get(name) for name in ("evidence_ms", "first_token_ms", "total_ms")
    )
    parts = []
    if evidence is not None:
        parts.append(f"searching and reading {milliseconds(evidence)}")
    if first is not None and evidence is not None:
        parts.append(f"prompt {milliseconds(first - evidence)}")
    if total is not None and (before := first if first is not None else evidence) is not None:
        word = "writing and checking" if first is not None else "checking"
        parts.append(f"{word} {milliseconds(total - before)}")
    return ", ".join(parts)


def _candidates(hits: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> str:
    if not hits:
        return ""
    rows = "".join(
        f'<tr><th scope="row" dir="auto">{escape(names.get(h["document_id"], h["document_id"]))}'
        f"</th><td>{escape(h['paragraph'])}</td>"
        + "".join(f"<td>{float(h[leg]):.2f}</td>" for leg in _LEGS)
        + "</tr>"
        for h in hits
    )
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("Passage", "Paragraph", *_LEGS.values())
    )
    return (
        '<div class="scroller" tabindex="0" role="group" aria-label="Candidates"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


_LEGS = {"dense": "Meaning", "sentence": "Sentence", "lexical": "Words", "score": "Together"}
