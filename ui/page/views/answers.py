"""Answers and their sources as HTML. Pure: values in, escaped strings out.

Questions, titles, file names, document text and the model's words are all hostile here: each passes
through `escape` exactly once, on its way into the markup. Citation markers are drawn from
`Statement.citations` and nowhere else, so a `[1]` inside somebody's text stays plain text.

Ids are minted per turn: `t3-s2` is source 2 of the third question, so every answer keeps its own
sources however many follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from index.types import DocumentRecord, title_from_id
from rag.types import Answer, Citation, PassageRead, Statement
from ui.page.views.html import button, escape, icon, milliseconds, plural, shorten, tool

Phase = Literal["running", "done", "stopped"]

CLOSEST = 3
"""How many passages stand beside "Not in your documents"."""
HEADLINE = 0
"""The number under which the best sentence is known until it is cited."""

_STAGES = {
    "waiting": "Waiting",
    "searching": "Searching your articles",
    "reading": "Reading the evidence",
    "writing": "Writing",
}
_DOUBT = "These sentences speak to the question, but may not answer it."
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
class TurnMeta:
    """What a turn carries for the page's script."""

    key: str = ""
    conversation: str = ""
    replaces: str = ""
    """The key of the turn that it takes the place of."""
    where: str = ""
    """Where it was allowed to look, in words; empty for everywhere."""
    verdict: str = ""
    """`up` or `down`, when the person has said so."""


NO_META = TurnMeta()


# --- the conversation -----------------------------------------------------------------------------


def waiting(question: str, turn: int, mark: TurnMeta = NO_META) -> str:
    """A question that has been sent and is not being answered yet."""
    return _article(turn, question, _status("waiting", 0.0), mark, running=True)


def underway(question: str, turn: int, mark: TurnMeta = NO_META) -> str:
    """A question that is being answered for a page that has been reloaded or is elsewhere."""
    body = '<p class="status"><span class="pulse" aria-hidden="true"></span>Being answered</p>'
    return _article(turn, question, body, mark, running=True)


def failure(question: str, turn: int, message: str, mark: TurnMeta = NO_META) -> str:
    """A question that could not be answered, with the reason and the way out."""
    return _article(
        turn,
        question,
        f'<p class="problem" role="alert" dir="auto">{escape(message)}</p>'
        f'<p class="next">{button("edit", "Edit the question")}{button("again", "Try again")}</p>',
        mark,
    )


def answer(
    shown: Answer, turn: int, phase: Phase = "done", seconds: float = 0.0, mark: TurnMeta = NO_META
) -> str:
    """One turn of the conversation.

    Args:
        shown: The snapshot to draw.
        turn: Number of the turn in its conversation, from 1.
        phase: Whether more snapshots follow, and whether the person cut them short.
        seconds: Time since the question was sent.
        mark: What the page's script needs to act on it.
    """
    running = phase == "running"
    parts = [
        _outcome(shown, phase, seconds, mark)
        if not running
        else _status(shown.stage, seconds, shown.ahead)
    ]
    parts += [f'<p class="note" dir="auto">{escape(note)}</p>' for note in shown.notes]
    if phase == "done" and _missing(shown):
        parts.append(_not_found(shown, turn, mark))
    else:
        if shown.complete and shown.state == "partial":
            parts.append(f'<p class="doubt">{_DOUBT}</p>')
        if shown.short:
            parts.append(f'<p class="short" dir="auto">{escape(shown.short)}</p>')
        if shown.headline and not _repeated(shown.headline, shown.statements):
            parts.append(_headline(shown, turn))
        parts += [_statement(s, shown.citations, turn) for s in shown.statements]
        if shown.complete and not shown.statements:  # said by the library, not by a document
            parts.append(f'<p class="statement" dir="auto">{escape(shown.text)}</p>')
    if not running:
        parts.append(_acts(shown, mark))
    return _article(turn, shown.question, "".join(parts), mark, running=running)


def _article(turn: int, question: str, body: str, mark: TurnMeta, *, running: bool = False) -> str:
    state = ' data-running="true"' if running else ""
    where = (
        f'<p class="where-asked" dir="auto">Asked only in: {escape(mark.where)}</p>'
        if mark.where
        else ""
    )
    return (
        f'<article class="turn" id="t{turn}" data-turn="{turn}" data-key="{escape(mark.key)}" '
        f'data-conversation="{escape(mark.conversation)}" '
        f'data-replaces="{escape(mark.replaces)}"{state} '
        f'aria-labelledby="t{turn}-q">'
        f'<h2 class="question" id="t{turn}-q" dir="auto">{escape(question)}</h2>{where}{body}'
        "</article>"
    )


def _acts(shown: Answer, mark: TurnMeta) -> str:
    """What can be done with a finished answer, and the folds that are filled when opened."""
    thumbs = _thumb("up", "Good answer", mark) + _thumb("down", "Wrong answer", mark)
    exports = button("export", "Web page", ' data-kind="html"')
    exports += button("export", "JSON", ' data-kind="json"')
    save = (
        f'<details class="save"><summary class="tool" aria-label="Export" title="Export">'
        f'{icon("export")}</summary><div class="menu">{exports}</div></details>'
    )
    copy = tool("copy", "Copy with citations", "copy") if not _missing(shown) else ""
    again, edit = tool("again", "Ask again", "again"), tool("edit", "Edit the question", "edit")
    return (
        f'<div class="acts">{thumbs}{copy}{again}{edit}{save}</div>'
        '<details class="why"><summary>Why this answer?</summary><div class="why-body"></div>'
        '</details><div class="follow-ups"></div>'
    )


def _thumb(way: str, label: str, mark: TurnMeta) -> str:
    pressed = "true" if mark.verdict == way else "false"
    return tool("judge", label, way, f' data-way="{way}" aria-pressed="{pressed}"')


def _status(stage: str, seconds: float, ahead: int = 0) -> str:
    words = _STAGES.get(stage, stage.capitalize() or "Working")
    if ahead:
        words = f"{plural(ahead, 'answer')} to be written before this one"
    clock = f'<span class="clock" data-seconds="{seconds:.1f}">{seconds:.1f} s</span>'
    return (
        f'<p class="status" data-stage="{escape(stage)}"><span class="pulse" aria-hidden="true">'
        f"</span>{escape(words)} · {clock}</p>"
    )


def _outcome(shown: Answer, phase: Phase, seconds: float, mark: TurnMeta) -> str:
    total = shown.timings.total_ms
    taken = seconds if total is None or phase == "stopped" else total / 1000
    word = "Stopped" if phase == "stopped" else _OUTCOMES[shown.state]
    if mark.where and _missing(shown):
        word = "Searched there"
    parts = [f"{word} {'after' if phase == 'stopped' else 'in'} {taken:.1f} s"]
    if shown.timings.evidence_ms is not None:
        parts.append(f"evidence after {milliseconds(shown.timings.evidence_ms)}")
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
    date = f' · <span class="at">{escape(cited.date)}</span>' if cited.date else ""
    return (
        f'<figure class="{kind}"><figcaption class="eyebrow">{words}</figcaption>'
        f'<blockquote dir="auto">{escape(quote)}</blockquote>'
        f'<p class="from"><bdi>{escape(_name(cited))}</bdi>{date} · <span class="at">paragraph '
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


def _not_found(shown: Answer, turn: int, mark: TurnMeta) -> str:
    rows = "".join(
        f'<li><a class="closest" href="#t{turn}-p{i}" data-turn="{turn}" data-p="{i}">'
        f'<b dir="auto">{escape(_name(p))}</b> <span class="where">paragraph {p.paragraph}</span>'
        f'<span class="excerpt" dir="auto">{escape(shorten(p.text, 180))}</span></a></li>'
        for i, p in enumerate(shown.passages[:CLOSEST], start=1)
    )
    closest = f'<p class="eyebrow">The closest passages</p><ol class="near">{rows}</ol>'
    return (
        '<section class="not-found"><h3>Not in your documents</h3>'
        f"<p>{'Nothing there' if mark.where else 'No passage'} answers this, so nothing is "
        "claimed.</p>"
        f"{closest if rows else ''}"
        f'<p class="next">{button("edit", "Rephrase the question")}'
        f"{button('widen', 'Search everything') if mark.where else ''}"
        f"{button('add', 'Add a document that covers it')}</p></section>"
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


def sources(shown: Answer, turn: int, contexts: Mapping[int, Context], key: str = "") -> str:
    """The sources of one turn: cited ones in citation order, then what else was read, folded.

    Args:
        shown: The snapshot whose sources are drawn.
        turn: Number of the turn.
        contexts: The paragraph of each citation by its number; `HEADLINE` for the best sentence
            while nothing is cited yet.
        key: The turn's key.
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
        f'data-key="{escape(key)}" '
        f'aria-label="Sources of question {turn}">'
        f'<p class="sources-for" dir="auto">{escape(shorten(shown.question, 90))}</p>'
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
    also = [f"also in {plural(len(cited.also), 'other document')}"] if cited.also else []
    return (
        f'<li class="source {context.state}" id="t{turn}-s{number}" data-n="{number}" '
        'tabindex="-1">'
        f'<header><span class="badge" aria-hidden="true">{badge}</span><div>'
        f'<h4 dir="auto">{escape(_name(cited))}</h4>'
        f'<p class="meta" dir="auto">{_meta(cited, also)}</p></div></header>{warning}'
        f'<blockquote class="paragraph" dir="auto">{escape(context.before)}'
        f"<mark>{escape(context.quote)}</mark>{escape(context.after)}</blockquote>"
        f"{_show_all(cited.document_id, cited.start) if context.state != 'removed' else ''}</li>"
    )


def _show_all(document_id: str, start: int) -> str:
    data = f' data-document="{escape(document_id)}" data-start="{start}"'
    return (
        f'<button type="button" class="show-all" data-action="read"{data}>'
        f"{icon('read')} Show in the article</button>"
    )


def _also_read(shown: Answer, turn: int) -> str:
    if not shown.passages:
        return ""
    missing = _missing(shown)
    rows = "".join(
        f'<li class="source read" id="t{turn}-p{i}" tabindex="-1"><header><div>'
        f'<h4 dir="auto">{escape(_name(p))}</h4><p class="meta" dir="auto">{_meta(p)}</p></div>'
        f'</header><blockquote class="paragraph" dir="auto">{escape(p.text)}</blockquote>'
        f"{_show_all(p.document_id, p.start)}</li>"
        for i, p in enumerate(shown.passages, start=1)
    )
    word = "Closest passages" if missing else "Also read"
    return (
        f'<details class="also"{" open" if missing else ""}><summary>{word} '
        f"({len(shown.passages)})</summary><ol>{rows}</ol></details>"
    )


# --- small words ----------------------------------------------------------------------------------


def name_of(record: DocumentRecord) -> str:
    """What to call a document in a list."""
    return record.title or title_from_id(record.id)


def _name(place: Citation | PassageRead) -> str:
    return place.title or title_from_id(place.document_id)


def _meta(place: Citation | PassageRead, more: Sequence[str] = ()) -> str:
    """Where a paragraph stands: outlet, date, number. The stylesheet draws the dots between."""
    parts = [place.source, place.date, f"paragraph {place.paragraph}", *more]
    return " ".join(f"<span>{escape(part)}</span>" for part in parts if part)


def _same_place(one: Citation, other: Citation) -> bool:
    return (one.document_id, one.start, one.end) == (other.document_id, other.start, other.end)
