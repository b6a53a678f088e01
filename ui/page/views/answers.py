"""Answers and their sources as HTML. Pure: values in, escaped strings out.

Questions, titles, file names, document text and the model's words are all hostile here: each passes
through `html.escape` on its way into a template. Citation markers are drawn from
`Statement.citations` and nowhere else, so a `[1]` inside somebody's text stays plain text.

Ids are minted per turn: `t3-s2` is source 2 of the third question, so every answer keeps its own
sources however many follow it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from rag.snapshots import DISAGREE
from rag.types import Answer, Citation, PassageRead, Progress, Statement
from ui.language.catalogue import (
    decimal,
    duration,
    gettext,
    gettext_noop,
    milliseconds,
    number,
    plural,
)
from ui.language.replies import retold_reply
from ui.page.views.html import render, render_macro
from ui.sections import Line, is_left_open, parts_of_reply, sections_of

Phase = Literal["running", "done", "stopped"]

ITEMS = 8
"""Items of a list that are shown before it is unfolded."""
CLOSEST = 3
"""How many passages stand beside "Not in your documents"."""
_WORD = re.compile(r"\w+")
_HEDGE = re.compile(
    r"(?<!\w)((?:(?:no|not) )?(?:more|less|fewer|longer|later|earlier) than|at (?:least|most)|up to"
    r"|about|around|nearly|almost|over|under|some|roughly|approximately|just (?:over|under)"
    r"|mehr als|weniger als|mindestens|höchstens|bis zu|etwa|rund|ungefähr|fast|knapp|gut"
    r"|plus de|moins de|au moins|environ|près de|presque) $",
    re.IGNORECASE,
)
"""Words before a number or a date that make it another one."""
HEADLINE = 0
"""The number under which the best sentence is known until it is cited."""

_STAGES = {
    "waiting": gettext_noop("Waiting"),
    "searching": gettext_noop("Searching your articles"),
    "reading": gettext_noop("Reading the evidence"),
    "writing": gettext_noop("Writing"),
}
_OUTCOMES = {
    "answered": gettext_noop("Answered in {time}"),
    "partial": gettext_noop("Partly answered in {time}"),
    "not_found": gettext_noop("Searched everything in {time}"),
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
    unread: int = 0
    """How many files were being read when it was asked, and could not be found yet."""
    verdict: str = ""
    """`up` or `down`, when the person has said so."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """When a person saw what, counted from the moment the question was sent."""

    total: float = 0.0
    """Until it was over, or until now."""
    evidence: float | None = None
    """Until the first evidence was on the screen; None while there is none."""


NO_META = TurnMeta()
NO_TIME = Seconds()
NO_DOCUMENTS: Mapping[str, str] = MappingProxyType({})


# --- the conversation -----------------------------------------------------------------------------


def waiting(question: str, turn: int, meta: TurnMeta = NO_META, seconds: float = 0.0) -> str:
    """A question that has been sent and is not being answered yet."""
    status = _status("waiting", seconds)
    return render("turn.html", question=question, turn=turn, meta=meta, running=True, **status)


def failure(question: str, turn: int, message: str, meta: TurnMeta = NO_META) -> str:
    """A question that could not be answered, with the reason and the way out."""
    return render(
        "failure.html", question=question, turn=turn, meta=meta, running=False, problem=message
    )


def answer(
    snapshot: Answer,
    turn: int,
    phase: Phase = "done",
    seconds: Seconds = NO_TIME,
    meta: TurnMeta = NO_META,
    documents: Mapping[str, str] = NO_DOCUMENTS,
) -> str:
    """One turn of the conversation.

    Args:
        snapshot: The snapshot to draw.
        turn: Number of the turn in its conversation, from 1.
        phase: Whether more snapshots follow, and whether the person cut them short.
        seconds: Times since the question was sent.
        meta: What the page's script needs to act on it.
        documents: The ids of the library's documents by name, for a reply that lists some.
    """
    headline = snapshot.headline
    if headline and _is_repeated(headline, snapshot.statements):
        headline = None
    sections = sections_of(snapshot)
    return render(
        "answer.html",
        question=snapshot.question,
        turn=turn,
        meta=meta,
        answer=snapshot,
        phase=phase,
        running=phase == "running",
        **_status(snapshot.stage, seconds.total, snapshot.ahead, snapshot.progress),
        outcome=_outcome(snapshot, phase, seconds, meta),
        missing=_is_missing(snapshot),
        unread=_unread(meta.unread),
        closest=_passages(snapshot)[:CLOSEST],
        headline=headline,
        short=_short_answer(snapshot),
        headline_number=_number_of(headline, snapshot.citations) if headline else HEADLINE,
        layout="claim" if is_left_open(snapshot) else _LAYOUTS.get(snapshot.form, "prose"),
        disagree=DISAGREE,
        sections=[(section, _runs(section.lines)) for section in sections],
        beside=[entry for section in sections for entry in _of_one_paragraph(section.lines)],
        folded=ITEMS if len(sections) > ITEMS + 1 else len(sections),
        labelled=any(section.label for section in sections),
        together=_tells_of_all([section.label for section in sections]),
        dated=any(section.label for section in sections)
        and all(section.date for section in sections),
        reply=parts_of_reply(retold_reply(snapshot), documents),
    )


_LAYOUTS = {"columns": "columns", "bullets": "items", "table": "table", "conflict": "conflict"}
"""How an answer is drawn, by its form."""


def _runs(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines in order; the source's own sentences one after the other are one passage."""
    runs: list[list[Line]] = []
    for line in lines:
        if runs and _quoted_document(line) == _quoted_document(runs[-1][-1]) != "":
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


def _of_one_paragraph(lines: Iterable[Line]) -> list[list[Line]]:
    """The lines in order; what one paragraph says after the other stands together."""
    entries: list[list[Line]] = []
    for line in lines:
        before = entries[-1][-1].citations if entries else ()
        same = [_paragraph(c) for c in before] == [_paragraph(c) for c in line.citations]
        if entries and same and all(
            a.end <= b.start for a, b in zip(before, line.citations, strict=True)
        ):  # fmt: skip
            entries[-1].append(line)
        else:
            entries.append([line])
    return entries


def _paragraph(citation: Citation) -> tuple[str, int]:
    return citation.document_id, citation.paragraph


def _quoted_document(line: Line) -> str:
    """The document whose own words a line is; empty when it is nobody's."""
    quoted = line.statement.quoted and line.statement.support == "supported" and line.citations
    return line.citations[0].document_id if quoted else ""


def _status(
    stage: str, seconds: float, ahead: int = 0, progress: Progress | None = None
) -> dict[str, str]:
    """What is being done for a question, and for how long."""
    words = gettext(_STAGES.get(stage, stage.capitalize() or gettext_noop("Working")))
    if progress:
        words = _part(progress, seconds)
    if ahead:
        words = plural(ahead, "answer")
        words = gettext("{answers} to be written before this one", answers=words)
    shown = decimal(seconds, 1)
    return {"stage": stage, "status": words, "seconds": f"{seconds:.1f}", "shown_seconds": shown}


def _part(progress: Progress, seconds: float) -> str:
    """Which part of a long document is read, and how long that will take yet."""
    n, total = number(progress.done + 1), number(progress.total)
    if not progress.done:
        return gettext("Reading part {n} of {total}", n=n, total=total)
    left = duration(seconds / progress.done * (progress.total - progress.done))
    return gettext("Reading part {n} of {total}, about {time} left", n=n, total=total, time=left)


def _outcome(snapshot: Answer, phase: Phase, seconds: Seconds, meta: TurnMeta) -> str:
    """`Answered in 1.4 s · evidence after 38 ms · SmolLM2`: as it was seen, drawing included."""
    words = _OUTCOMES[snapshot.state]
    if snapshot.options:
        words = gettext_noop("Asked back in {time}")
    if meta.where and _is_missing(snapshot):
        words = gettext_noop("Searched there in {time}")
    if phase == "stopped":
        words = gettext_noop("Stopped after {time}")
    parts = [gettext(words, time=milliseconds(seconds.total * 1000))]
    if seconds.evidence is not None and not _is_missing(snapshot):
        time = milliseconds(seconds.evidence * 1000)
        parts.append(gettext("evidence after {time}", time=time))
    if _is_missing(snapshot) or not (snapshot.citations or snapshot.headline):
        pass  # no model was asked, and nothing is quoted
    elif snapshot.model == "none":
        parts.append(gettext("in the sources’ own words"))
    elif snapshot.model:
        parts.append(snapshot.model)
    return " · ".join(parts)


def _unread(files: int) -> str:
    """The sentence that so many files could not be found yet; empty for none."""
    if files == 1:
        return gettext("{files} was still being read when this was asked.", files=plural(1, "file"))
    words = gettext_noop("{files} were still being read when this was asked.")
    return gettext(words, files=plural(files, "file")) if files else ""


def _passages(snapshot: Answer) -> list[tuple[PassageRead, Context | None]]:
    """The passages that were read; the one with the sentence that may answer is cut around it."""
    return [(passage, _around_closest(passage, snapshot.closest)) for passage in snapshot.passages]


def _around_closest(passage: PassageRead, closest: Citation | None) -> Context | None:
    if closest is None or closest.document_id != passage.document_id:
        return None
    start, end = closest.start - passage.start, closest.end - passage.start
    if start < 0 or passage.text[start:end] != closest.quote:
        return None
    return Context(passage.text[:start], closest.quote, passage.text[end:])


def _tells_of_all(labels: Sequence[str]) -> bool:
    """Whether the first part of a comparison tells of all the things that the others are on."""
    first, *others = labels or [""]
    return bool(others) and first == " and ".join(others)


def _number_of(headline: Citation, citations: Iterable[Citation]) -> int:
    """The number under which the best sentence is cited, else `HEADLINE`."""
    return next((c.number for c in citations if _is_same_place(c, headline)), HEADLINE)


def _is_missing(snapshot: Answer) -> bool:
    """True once it is settled that the documents hold no answer."""
    return snapshot.complete and snapshot.state == "not_found"


def _is_repeated(headline: Citation, statements: Iterable[Statement]) -> bool:
    """True when a statement says the headline's words, so that showing both would say it twice."""
    quote = _words(headline.quote)
    return any(quote in _words(s.text) for s in statements if s.support == "supported")


def _words(text: str) -> str:
    """A text's words alone, to be compared whatever stands between them."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


@dataclass(frozen=True, slots=True)
class _ShortAnswer:
    """The few words that answer, with what the source says before them, and where they stand."""

    words: str
    citation: Citation
    number: int


def _short_answer(snapshot: Answer) -> _ShortAnswer | None:
    """The short answer as its source gives it: "more than 9,000" is not 9,000.

    None when no sentence on the screen holds it: such words would stand there for nothing.
    """
    short = snapshot.short
    if not short:
        return None
    headline = (snapshot.headline,) if snapshot.headline else ()
    for citation in (*snapshot.citations, *headline):
        if (at := citation.quote.find(short)) >= 0:
            hedge = _HEDGE.search(citation.quote[:at])
            words = f"{hedge[1]} {short}" if hedge else short
            return _ShortAnswer(words, citation, _number_of(citation, snapshot.citations))
    return None


def _is_same_place(first: Citation, second: Citation) -> bool:
    return (first.document_id, first.start, first.end) == (
        second.document_id, second.start, second.end
    )  # fmt: skip


# --- sources --------------------------------------------------------------------------------------


def no_sources() -> str:
    """The sources pane before the first answer."""
    return render_macro("frame.html", "no_sources")


def sources(snapshot: Answer, turn: int, contexts: Mapping[int, Context], key: str = "") -> str:
    """The sources of one turn: cited ones in citation order, then what else was read, folded.

    Args:
        snapshot: The snapshot whose sources are drawn.
        turn: Number of the turn.
        contexts: The paragraph of each citation by its number; `HEADLINE` for the best sentence
            while nothing is cited yet.
        key: The turn's key.
    """
    cited: Sequence[tuple[int, Citation]] = [(c.number, c) for c in snapshot.citations]
    if not cited and snapshot.headline and not _is_missing(snapshot):
        cited = [(HEADLINE, snapshot.headline)]
    return render(
        "sources.html",
        answer=snapshot,
        turn=turn,
        key=key,
        missing=_is_missing(snapshot),
        passages=_passages(snapshot),
        cited=[(c, n, contexts.get(n) or Context("", c.quote, "")) for n, c in cited],
    )
