"""Answers, sources and the library as HTML. Pure: values in, escaped strings out.

Questions, titles, file names, document text and the model's words are all hostile here: each passes
through `escape` exactly once, on its way into the markup. Citation markers are drawn from
`Statement.citations` and nowhere else, so a `[1]` inside somebody's text stays plain text.

Ids are minted per turn: `t3-s2` is source 2 of the third question, so every answer keeps its own
sources however many follow it.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from index.types import DocumentRecord, UpdateReport, title_from_id
from rag.types import Answer, Citation, PassageRead, Statement

Phase = Literal["running", "done", "stopped"]

CLOSEST = 3
"""How many passages stand beside "Not in your documents"."""
LISTED = 500
"""Documents drawn in the library pane; the rest are counted."""
HEADLINE = 0
"""The number under which the best sentence is known until it is cited."""

# Gradio compiles HTML templates through JavaScript template strings. Our values never become
# templates, but these four characters are what such a string is made of, so they go as well.
_TEMPLATE_CHARACTERS = str.maketrans({"$": "&#36;", "{": "&#123;", "}": "&#125;", "`": "&#96;"})

_STAGES = {
    "waiting": "Waiting for its turn",
    "searching": "Searching your articles",
    "reading": "Reading the evidence",
    "writing": "Writing",
}
_OUTCOMES = {
    "answered": "Answered",
    "partial": "Partly answered",
    "not_found": "Searched everything",
}


@dataclass(frozen=True, slots=True)
class Context:
    """A citation's paragraph, cut in three around the cited sentence."""

    before: str
    quote: str
    after: str
    state: Literal["found", "changed", "removed"] = "found"
    """`changed`: the offsets no longer hold the quote. `removed`: the document is gone."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """One file of a running job."""

    document_id: str
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class JobView:
    """What the page knows about work on the library at one moment."""

    title: str
    running: bool = True
    stage: str = ""
    done: int = 0
    total: int = 0
    rate: float | None = None
    """Units a second."""
    eta: float | None = None
    """Seconds left."""
    rows: tuple[JobRow, ...] = ()
    summary: str = ""
    """What changed, once it is over."""
    problem: str = ""
    """Why it could not be done."""


def escape(text: object) -> str:
    """`text` as inert HTML: safe in elements, in double-quoted attributes and in JS templates."""
    return html.escape(str(text), quote=True).translate(_TEMPLATE_CHARACTERS)


# --- the conversation -----------------------------------------------------------------------------


def welcome(documents: int, paragraphs: int) -> str:
    """The chat before its first question; with an empty library, the way to fill it."""
    if not documents:
        return (
            '<section class="welcome" data-empty><p class="welcome-mark" aria-hidden="true">¶</p>'
            "<h2>Start with an article</h2>"
            "<p>Add the texts you want to question. They are read, indexed and kept on this "
            "computer; nothing is sent anywhere.</p>"
            '<p><button type="button" class="quiet-button" data-action="add">Add documents</button>'
            "</p></section>"
        )
    return (
        '<section class="welcome"><p class="welcome-mark" aria-hidden="true">¶</p>'
        "<h2>Ask your articles</h2>"
        f"<p>{plural(documents, 'document')}, {plural(paragraphs, 'paragraph')}. Every statement "
        "in an answer points at the sentence it rests on; what is not in your documents is not "
        "answered.</p>"
        '<ul class="keys" aria-label="Keys"><li><kbd>Enter</kbd> ask</li>'
        "<li><kbd>Shift</kbd> <kbd>Enter</kbd> new line</li><li><kbd>Esc</kbd> stop</li>"
        "<li><kbd>1</kbd>–<kbd>9</kbd> open a source</li><li><kbd>/</kbd> write</li></ul></section>"
    )


def waiting(question: str, turn: int) -> str:
    """A question that has been sent and is not being answered yet."""
    return _article(turn, question, _status("waiting", 0.0), running=True)


def failure(question: str, turn: int, message: str) -> str:
    """A question that could not be answered, with the reason and the way out."""
    return _article(
        turn,
        question,
        f'<p class="problem" role="alert" dir="auto">{escape(message)}</p>'
        '<p class="next"><button type="button" class="quiet-button" data-action="rephrase">'
        "Edit the question</button></p>",
    )


def answer(shown: Answer, turn: int, phase: Phase = "done", seconds: float = 0.0) -> str:
    """One turn of the conversation.

    Args:
        shown: The snapshot to draw.
        turn: Number of the turn in its conversation, from 1.
        phase: Whether more snapshots follow, and whether the person cut them short.
        seconds: Time since the question was sent.
    """
    running = phase == "running"
    parts = [_outcome(shown, phase, seconds) if not running else _status(shown.stage, seconds)]
    if phase == "done" and _missing(shown):
        parts.append(_not_found(shown, turn))
    else:
        if shown.headline and not _repeated(shown.headline, shown.statements):
            parts.append(_headline(shown, turn))
        parts += [_statement(s, shown.citations, turn) for s in shown.statements]
    parts += [f'<p class="note" dir="auto">{escape(note)}</p>' for note in shown.notes]
    return _article(turn, shown.question, "".join(parts), running=running)


def _article(turn: int, question: str, body: str, *, running: bool = False) -> str:
    state = ' data-running="true"' if running else ""
    return (
        f'<article class="turn" id="t{turn}" data-turn="{turn}"{state} '
        f'aria-labelledby="t{turn}-q">'
        f'<h2 class="question" id="t{turn}-q" dir="auto">{escape(question)}</h2>{body}</article>'
    )


def _status(stage: str, seconds: float) -> str:
    words = _STAGES.get(stage, stage.capitalize() or "Working")
    clock = f'<span class="clock" data-seconds="{seconds:.1f}">{seconds:.1f} s</span>'
    return (
        f'<p class="status" data-stage="{escape(stage)}"><span class="pulse" aria-hidden="true">'
        f"</span>{escape(words)} · {clock}</p>"
    )


def _outcome(shown: Answer, phase: Phase, seconds: float) -> str:
    total = shown.timings.total_ms
    taken = seconds if total is None or phase == "stopped" else total / 1000
    word = "Stopped" if phase == "stopped" else _OUTCOMES[shown.state]
    parts = [f"{word} {'after' if phase == 'stopped' else 'in'} {taken:.1f} s"]
    if shown.timings.evidence_ms is not None:
        parts.append(f"evidence after {_milliseconds(shown.timings.evidence_ms)}")
    if _missing(shown):
        pass  # no model was asked
    elif shown.model == "none":
        parts.append("quotes only, no language model")
    elif shown.model:
        parts.append(escape(shown.model))
    return f'<p class="status" data-stage="{phase}">{" · ".join(parts)}</p>'


def _headline(shown: Answer, turn: int) -> str:
    best = shown.headline
    assert best is not None
    number = next((c.number for c in shown.citations if _same_place(c, best)), HEADLINE)
    return _figure("headline", "Best sentence", best.quote, best, _marker(best, turn, number))


def _statement(said: Statement, citations: Sequence[Citation], turn: int) -> str:
    by_number = {c.number: c for c in citations}
    cited = [by_number[n] for n in said.citations if n in by_number]
    markers = "".join(_marker(c, turn, c.number) for c in cited)
    if said.support == "unsupported":
        kind, words = "unsupported", "not supported by its source"
    elif said.quoted and cited:
        words = "The source’s own words"
        return _figure("statement quoted headline", words, said.text, cited[0], markers)
    else:
        kind, words = "supported", "supported"
    return (
        f'<p class="statement {kind}"><span class="said" dir="auto">{escape(said.text)}</span>'
        f'{markers} <span class="support">{words}</span></p>'
    )


def _figure(kind: str, words: str, quote: str, cited: Citation, markers: str) -> str:
    """A sentence of the source, set apart, with where it stands."""
    return (
        f'<figure class="{kind}"><figcaption class="eyebrow">{words}</figcaption>'
        f'<blockquote dir="auto">{escape(quote)}</blockquote>'
        f'<p class="from"><bdi>{escape(_name(cited))}</bdi> · <span class="at">paragraph '
        f"{cited.paragraph} {markers}</span></p></figure>"
    )


def _marker(cited: Citation, turn: int, number: int) -> str:
    """The clickable number, with the card that hovering or focusing it brings up."""
    label = f"Source {number}" if number else "Source of the best sentence"
    shown = f"<i>[</i>{number}<i>]</i>" if number else "¶"
    return (
        f'<a class="cite" href="#t{turn}-s{number}" data-turn="{turn}" data-n="{number}" '
        f'aria-label="{label}: {escape(_name(cited))}, paragraph {cited.paragraph}">{shown}'
        f'<span class="card" hidden><b dir="auto">{escape(_name(cited))}</b>'
        f'<q dir="auto">{escape(cited.quote)}</q></span></a>'
    )


def _not_found(shown: Answer, turn: int) -> str:
    rows = "".join(
        f'<li><a class="closest" href="#t{turn}-p{i}" data-turn="{turn}" data-p="{i}">'
        f'<b dir="auto">{escape(_name(p))}</b> <span class="where">paragraph {p.paragraph}</span>'
        f'<span class="excerpt" dir="auto">{escape(_shorten(p.text, 180))}</span></a></li>'
        for i, p in enumerate(shown.passages[:CLOSEST], start=1)
    )
    closest = f'<p class="eyebrow">The closest passages</p><ol class="near">{rows}</ol>'
    return (
        '<section class="not-found"><h3>Not in your documents</h3>'
        "<p>No passage answers this, so nothing is claimed.</p>"
        f"{closest if rows else ''}"
        '<p class="next"><button type="button" class="quiet-button" data-action="rephrase">'
        'Rephrase the question</button><button type="button" class="quiet-button" '
        'data-action="add">Add a document that covers it</button></p></section>'
    )


def _missing(shown: Answer) -> bool:
    """True once it is settled that the documents hold no answer."""
    return shown.complete and shown.state == "not_found"


def _repeated(best: Citation, statements: Iterable[Statement]) -> bool:
    """True when a statement is the headline itself, so that showing both would say it twice."""
    quote = " ".join(best.quote.split())
    return any(" ".join(s.text.split()) == quote for s in statements)


# --- sources --------------------------------------------------------------------------------------


def no_sources() -> str:
    """The sources pane before the first answer."""
    return (
        '<p class="pane-empty">The paragraphs behind an answer appear here, with the cited '
        "sentence marked.</p>"
    )


def sources(shown: Answer, turn: int, contexts: Mapping[int, Context]) -> str:
    """The sources of one turn: cited ones in citation order, then what else was read, folded.

    Args:
        shown: The snapshot whose sources are drawn.
        turn: Number of the turn.
        contexts: The paragraph of each citation by its number; `HEADLINE` for the best sentence
            while nothing is cited yet.
    """
    cited = list(shown.citations)
    numbers = [c.number for c in cited]
    if not cited and shown.headline and not _missing(shown):
        cited, numbers = [shown.headline], [HEADLINE]
    cards = "".join(
        _source(c, turn, n, contexts.get(n)) for c, n in zip(cited, numbers, strict=True)
    )
    heading = f"Cited ({len(shown.citations)})" if shown.citations else "Best sentence"
    body = f'<h3 class="eyebrow">{heading}</h3><ol class="cited">{cards}</ol>' if cards else ""
    body += _also_read(shown, turn)
    return (
        f'<section class="turn-sources" data-turn="{turn}" data-count="{len(shown.citations)}" '
        f'aria-label="Sources of question {turn}">'
        f'<p class="sources-for" dir="auto">{escape(_shorten(shown.question, 90))}</p>'
        f"{body or no_sources()}</section>"
    )


def _source(cited: Citation, turn: int, number: int, context: Context | None) -> str:
    context = context or Context("", cited.quote, "")
    warning = {
        "found": "",
        "changed": '<p class="gone">The document has changed since; this is the sentence as it '
        "was cited.</p>",
        "removed": '<p class="gone">Source removed from the library; this is the sentence as it '
        "was cited.</p>",
    }[context.state]
    badge = str(number) if number else "¶"
    also = f" · also in {plural(len(cited.also), 'other document')}" if cited.also else ""
    return (
        f'<li class="source {context.state}" id="t{turn}-s{number}" data-n="{number}" '
        'tabindex="-1">'
        f'<header><span class="badge" aria-hidden="true">{badge}</span><div>'
        f'<h4 dir="auto">{escape(_name(cited))}</h4>'
        f'<p class="meta" dir="auto">{_meta(cited)}{also}</p></div></header>{warning}'
        f'<blockquote class="paragraph" dir="auto">{escape(context.before)}'
        f"<mark>{escape(context.quote)}</mark>{escape(context.after)}</blockquote></li>"
    )


def _also_read(shown: Answer, turn: int) -> str:
    if not shown.passages:
        return ""
    missing = _missing(shown)
    rows = "".join(
        f'<li class="source read" id="t{turn}-p{i}" tabindex="-1"><header><div>'
        f'<h4 dir="auto">{escape(_name(p))}</h4><p class="meta" dir="auto">{_meta(p)}</p></div>'
        f'</header><blockquote class="paragraph" dir="auto">{escape(p.text)}</blockquote></li>'
        for i, p in enumerate(shown.passages, start=1)
    )
    word = "Closest passages" if missing else "Also read"
    return (
        f'<details class="also"{" open" if missing else ""}><summary>{word} '
        f"({len(shown.passages)})</summary><ol>{rows}</ol></details>"
    )


# --- the library ----------------------------------------------------------------------------------


def masthead(documents: int, paragraphs: int) -> str:
    """The line at the top of the page."""
    count = f"{plural(documents, 'document')}, {plural(paragraphs, 'paragraph')}"
    count = f'<span class="aside">{count} · </span>' if documents else ""
    return (
        '<div class="masthead"><button type="button" class="icon-button" data-action="library" '
        'aria-controls="left" aria-expanded="true" aria-label="Library">'
        '<span aria-hidden="true">☰</span></button>'
        '<h1><span class="logo" aria-hidden="true">¶</span> Pilcrow</h1>'
        f'<p class="where-it-runs">{count}everything stays on this computer</p></div>'
    )


def library(records: Sequence[DocumentRecord]) -> str:
    """Every document with title, source, date and paragraphs."""
    rows = "".join(
        f'<li><span class="name" dir="auto" title="{escape(r.id)}">'
        f"{escape(r.title or title_from_id(r.id))}</span>"
        f'<span class="meta">{_outlet(r)}'
        f'<span class="count">{plural(r.paragraphs, "paragraph")}</span></span></li>'
        for r in records[:LISTED]
    )
    more = len(records) - LISTED
    rest = f'<p class="pane-empty">and {plural(more, "more document")}</p>' if more > 0 else ""
    body = (
        f'<ul class="documents">{rows}</ul>{rest}'
        if records
        else ('<p class="pane-empty">No documents yet.</p>')
    )
    return f'<h2 class="eyebrow">Library ({len(records)})</h2>{body}'


def _outlet(record: DocumentRecord) -> str:
    parts = []
    if record.source:
        source = escape(record.source)
        parts.append(f'<span class="outlet" dir="auto" title="{source}">{source}</span>')
    if record.date:
        parts.append(f"<span>{escape(record.date)}</span>")
    return "".join(parts)


def job(view: JobView | None) -> str:
    """The progress of work on the library, then what it changed; empty when there was none."""
    if view is None:
        return ""
    if view.running:
        bar = (
            f'<progress max="{view.total}" value="{min(view.done, view.total)}" '
            f'aria-label="{escape(view.title)}"></progress>'
            if view.total
            else f'<progress aria-label="{escape(view.title)}"></progress>'
        )
        body = f'{bar}<p class="pace">{escape(pace(view))}</p>'
    elif view.problem:
        body = f'<p class="problem" role="alert" dir="auto">{escape(view.problem)}</p>'
    else:
        body = f'<p class="summary" dir="auto">{escape(view.summary)}</p>'
    rows = "".join(
        f'<li data-state="{escape(r.state)}"><span class="name" dir="auto">'
        f'{escape(r.document_id)}</span> <span class="state" dir="auto">{escape(r.state)}'
        f"{': ' + escape(r.detail) if r.detail else ''}</span></li>"
        for r in view.rows
    )
    listing = (
        f"<details{' open' if view.running else ''}><summary>{plural(len(view.rows), 'file')}"
        f'</summary><ul class="files">{rows}</ul></details>'
        if rows
        else ""
    )
    state = ' data-running="true"' if view.running else ""
    return (
        f'<section class="job"{state} aria-label="Work on the library">'
        f"<h3>{escape(view.title)}</h3>{body}{listing}</section>"
    )


def pace(view: JobView) -> str:
    """`embedding 12/48 · 30/s · about 3 s left`."""
    parts = [f"{view.stage or 'starting'}"]
    if view.total:
        parts[0] += f" {view.done}/{view.total}"
    if view.rate is not None:
        parts.append(f"{view.rate:.0f}/s" if view.rate >= 1 else f"{view.rate:.1f}/s")
    if view.eta is not None:
        parts.append(f"about {_duration(view.eta)} left")
    return " · ".join(parts)


def summary(report: UpdateReport, paragraphs: int, *, only: Iterable[str] | None = None) -> str:
    """What an update changed, as one line of plain text (not yet escaped).

    Args:
        report: What the library says it did.
        paragraphs: How many paragraphs the library gained; negative when it lost some.
        only: File names whose failures matter; None for all of them.
    """
    names = None if only is None else set(only)
    failed = [
        f
        for f in report.failed
        if names is None or f.path.replace("\\", "/").split("/")[-1] in names
    ]
    touched = bool(report.added or report.updated or report.removed)
    parts = [f"{paragraphs:+d} {'paragraph' if abs(paragraphs) == 1 else 'paragraphs'}"]
    if not touched:
        parts = ["Nothing new"]
    if report.unchanged:
        parts.append(f"{plural(len(report.unchanged), 'document')} unchanged")
    if report.removed:
        parts.append(f"{plural(len(report.removed), 'document')} removed")
    if failed:
        reasons = "; ".join(f"{f.path.split('/')[-1]}: {f.reason}" for f in failed)
        parts.append(f"{len(failed)} failed: {reasons}")
    return "; ".join(parts)


# --- small words ----------------------------------------------------------------------------------


def plural(count: int, noun: str) -> str:
    """`1 document`, `12 documents`, `1,200 documents`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _name(place: Citation | PassageRead) -> str:
    return place.title or title_from_id(place.document_id)


def _meta(place: Citation | PassageRead) -> str:
    parts = [escape(place.source)] if place.source else []
    parts += [f'<span class="at">{escape(place.date)}</span>'] if place.date else []
    parts += [f'<span class="at">paragraph {place.paragraph}</span>']
    return " · ".join(parts)


def _same_place(one: Citation, other: Citation) -> bool:
    return (one.document_id, one.start, one.end) == (other.document_id, other.start, other.end)


def _shorten(text: str, limit: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
