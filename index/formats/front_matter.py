"""What a text says about itself: title, source, author, date, and which parts are not prose.

Pure and strict. A line becomes furniture only when its form leaves no doubt, because furniture
is never found by a question: a headline kept as prose costs little, a paragraph taken for a
headline is lost. Headlines, bylines and date lines are looked for at the top of the file only,
boilerplate at the end only; photo captions and headings anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from index.formats import markup
from index.formats.bylines import (
    CREDIT,
    clean,
    credit,
    date_line,
    dateline,
    ends_sentence,
    normalize,
    parse_metadata_line,
)
from index.formats.dates import LINE_LIMIT
from index.languages.detection import text_language
from index.types import Heading, Span

_HEAD_LINES = 16
_TAIL_LINES = 24


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What was stated, empty where nothing was; `boilerplate` is sorted and does not overlap."""

    title: str = ""
    source: str = ""
    author: str = ""
    date: str = ""
    boilerplate: tuple[Span, ...] = ()
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    description: str = ""
    headings: tuple[Heading, ...] = ()
    """But for the title itself."""
    written_in: str = ""
    """Where it was written, as its dateline says."""


def read(
    text: str, *, markdown: bool = False, title: str = "", boilerplate: Iterable[Span] = ()
) -> FrontMatter:
    """The front matter of a text and the furniture in it.

    Args:
        text: canonical text, with line feeds as line ends.
        markdown: read YAML front matter, `#` headings and image lines as well.
        title: the title when the format has told it already; then no headline is guessed.
        boilerplate: spans the format knows to be headings.

    Returns:
        Values as one line each, the date as ISO 8601. When nothing but furniture would be left,
        there is no furniture and no guessed title: such a text is all body.
    """
    spans = list(boilerplate)
    facts: dict[str, str] = {"title": title} if title else {}
    block = markup.yaml(text) if markdown else markup.NO_YAML
    start = block.end
    if markdown:
        facts = {**block.facts, **facts}
        heading, marks, sections = markup.markdown(text, start)
        spans += [markup.trimmed(text, 0, start)] if start else []
    else:
        heading, marks, sections = markup.wiki(text)
    if heading:
        facts.setdefault("title", heading)
    spans += marks
    start = _head(text, start, facts, spans)
    captions = _captions(text)
    spans += captions + _tail(text, start) + _datelines(text, start)
    if not facts.get("source"):
        facts["source"] = _source_of_captions(text, captions)
    merged = _merged(spans)
    if not _has_body(text, merged):
        merged, facts["title"] = (), title
    return FrontMatter(
        title=clean(facts.get("title", "")),
        source=clean(facts["source"]),
        author=clean(facts.get("author", "")).strip("?,; "),
        date=facts.get("date", ""),
        boilerplate=merged,
        tags=block.tags,
        aliases=block.aliases,
        description=block.description,
        headings=tuple(h for h in sections if h.text != clean(facts.get("title", ""))),
        written_in=clean(facts.get("written_in", "")),
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with text in it, trimmed: `text[start:end]`."""

    start: int
    end: int
    shape: str
    """The line as it is matched; empty when it is too long to be anything but prose."""
    blank_after: bool
    day_first: bool = False
    """What `04/09/2024` means here, see `dates.find_dates`."""

    def stated(self) -> dict[str, str] | None:
        """What it states of title, source, author and date; None where it is no such line."""
        return parse_metadata_line(self.shape, day_first=self.day_first)

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


_LINE = re.compile(r"[^\n]+")
_BLANK_AFTER = re.compile(r"\n[^\S\n]*(?:\n|\Z)|\Z")


def _lines(text: str, start: int, end: int | None = None) -> Iterator[_Line]:
    for match in _LINE.finditer(text, start, len(text) if end is None else end):
        if (line := _line(text, *match.span())) is not None:
            yield line


def _lines_upwards(text: str, start: int) -> Iterator[_Line]:
    end = len(text)
    while end > start:
        begin = text.rfind("\n", start, end) + 1 or start
        if (line := _line(text, begin, end)) is not None:
            yield line
        end = begin - 1


def _line(text: str, start: int, end: int) -> _Line | None:
    span = markup.trimmed(text, start, end)
    if span.start >= span.end:
        return None
    short = span.end - span.start <= LINE_LIMIT
    form = normalize(text[span.start : span.end]) if short else ""
    return _Line(span.start, span.end, form, _BLANK_AFTER.match(text, end) is not None)


# ---------------------------------------------------------------- the head


_NUMERIC_DATE = re.compile(r"\d{1,2}[/.]\d{1,2}[/.]\d{4}")


def _head(text: str, start: int, facts: dict[str, str], spans: list[Span]) -> int:
    """Reads the lines above the body into `facts` and `spans`; returns where the body begins."""
    marked = _merged(spans)[: 2 * _HEAD_LINES]
    lines = list(islice(_lines(text, start), _HEAD_LINES))
    if any(_NUMERIC_DATE.search(line.shape) for line in lines) and text_language(text) != "en":
        lines = [replace(line, day_first=True) for line in lines]
    rest_of_title = _letters(facts.get("title", ""))
    summary = False
    for number, line in enumerate(lines):
        if any(span.start <= line.start < span.end for span in marked):
            continue
        rest = lines[number + 1 :]
        settled = "title" in facts
        found = line.stated()
        if found is not None and (number or settled or _is_certain(line, rest)):
            facts |= {name: value for name, value in found.items() if not facts.get(name)}
        elif (part := _letters(line.shape)) and rest_of_title.startswith(part):
            rest_of_title = rest_of_title[len(part) :]
        elif not settled and _is_headline(line, rest):
            facts["title"] = line.shape.lstrip("# ")
        elif settled and not ends_sentence(line.shape) and _above_metadata(line, rest):
            pass  # a second headline line
        elif not summary and _above_metadata(line, rest):
            summary = True  # a sentence above the byline is prose: it stays
            continue
        elif settled or not _is_section(line, rest):
            if found_line := dateline(text[line.start : line.end], text):
                hints = {"source": found_line.source, "date": found_line.date}
                facts |= {name: value for name, value in hints.items() if not facts.get(name)}
                facts["written_in"] = found_line.place
                spans.append(Span(line.start, line.start + found_line.length))
            return line.start
        spans.append(line.span)
    return lines[-1].end if lines else start


def _letters(value: str) -> str:
    return "".join(char for char in clean(value).casefold() if char.isalnum())


def _is_certain(line: _Line, rest: list[_Line]) -> bool:
    """Whether a metadata line in the very first place is one: its form or the next line tells."""
    if line.blank_after and (":" in line.shape or date_line(line.shape, line.day_first)):
        return True
    return bool(rest) and (rest[0].stated() is not None or _is_headline(rest[0], rest[1:]))


_SECTION = re.compile(
    r"[A-Z][A-Z &'-]*(?: [/|>»] [A-Z][A-Z &'-]*)+|\w[\w &'-]*(?: [>»] \w[\w &'-]*)+|OPINION|"
    r"ANALYSIS|EDITORIAL|FEATURE|EXCLUSIVE|BREAKING(?: NEWS)?|COMMENT(?:ARY)?|INTERVIEW|EXPLAINER|"
    r"WORLD|BUSINESS|TECHNOLOGY|POLITICS|SCIENCE|SPORTS?|CULTURE|NEWS"
)


def _is_section(line: _Line, rest: list[_Line]) -> bool:
    """`CHINA / SOCIETY` above a headline."""
    if not rest or len(line.shape) > 60 or not _SECTION.fullmatch(line.shape):
        return False
    return _is_headline(rest[0], rest[1:])


_LISTED = re.compile(r"[-*•·–—+]\s|\(?\d{1,3}[.)]\s|\(?[a-z][.)]\s|https?:|www\.|[<{|]")
_SPEAKER = re.compile(r"[^\s:]{1,20}(?: [^\s:]{1,20})?:\s")
_OPEN_ENDS = (",", ";", ":", "\N{FULLWIDTH COLON}", "\N{FULLWIDTH COMMA}", "、", "-", "–", "—")


def _is_headline(line: _Line, rest: list[_Line]) -> bool:
    """Whether a first line is a title: it looks like one and what follows it confirms it."""
    form = line.shape.lstrip("# ")
    first = form.lstrip("\"'“‘«([¿¡「『 ")[:2]
    if not rest or not 2 <= len(form) <= 300 or not any(char.isalpha() for char in form):
        return False
    if first[:1].islower() and not first[1:].isupper():  # iPhone and eBay may begin a title
        return False
    if _LISTED.match(form) or form.endswith(_OPEN_ENDS):
        return False
    if _SPEAKER.match(form) and _SPEAKER.match(rest[0].shape):
        return False  # a transcript: every line begins with a name
    if _SECTION.fullmatch(form) and _is_section(line, rest):
        return False
    below = rest[0].stated()
    if ends_sentence(form):
        # Some headlines end in a full stop; an outlet and its date never stand below prose.
        return below is not None and {"source", "date"} <= set(below) and line.blank_after
    if below or len(form) > 200:
        return bool(below)
    if below is not None or _above_metadata(rest[0], rest[1:]):
        return True
    if line.blank_after:
        return any(ends_sentence(later.shape) or later.end - later.start >= 120 for later in rest)
    # No blank line between: only where every line is a whole paragraph, never in wrapped text.
    length = rest[0].end - rest[0].start
    return length >= 200 and length >= 2 * len(form)


def _above_metadata(line: _Line, rest: list[_Line]) -> bool:
    """Whether a byline, date or source line comes right below a short line."""
    return 0 < len(line.shape) <= 300 and bool(rest and rest[0].stated())


# ---------------------------------------------------------------- captions

# Photo, image, picture, credit, illustration, graphic: a set of letters is looked for quickly.
_IMAGE_WORD = re.compile(r"[pPiIcCgG](?i:hoto|mage|icture|redit|llustration|raphic)")


def _captions(text: str) -> list[Span]:
    """Every photo caption; also a line that repeats one without its credit."""
    captions: list[_Line] = []
    end = -1
    for match in _IMAGE_WORD.finditer(text):
        if match.start() < end:
            continue
        start = text.rfind("\n", 0, match.start()) + 1
        end = text.find("\n", match.start())
        end = len(text) if end < 0 else end
        captions += [line for line in _lines(text, start, end) if credit(line.shape) is not None]
    spans = [line.span for line in captions]
    bodies = {CREDIT.sub("", line.shape).strip(" .") for line in captions}
    bodies = {body for body in bodies if len(body) >= 20}
    for match in _LINE.finditer(text) if bodies else ():
        if match[0].strip().strip(" .") in bodies:
            spans.append(markup.trimmed(text, *match.span()))
    return spans


_CAPITALS = re.compile(r"\n[^\S\n]*\n(?=[^\W\d_a-z]{2})")


def _datelines(text: str, start: int) -> list[Span]:
    """What later reports of a text that holds several begin with, where it names a day."""
    spans = []
    for match in _CAPITALS.finditer(text, start):
        found = dateline(text[match.end() : match.end() + 200])
        if found and found.has_day:
            spans.append(Span(match.end(), match.end() + found.length))
    return spans


_TOLD = re.compile(r"\b(?:told|tells|informed) (?:the )?((?:[A-Z][\w&'-]*)(?: [A-Z][\w&'-]*){0,4})")


def _source_of_captions(text: str, captions: list[Span]) -> str:
    """The outlet that a staff photo's credit abbreviates, if the text names it as who was told.

    `Photo: Liu Caiyu/GT` and `told the Global Times` together say `Global Times`; either alone
    could as well be a picture agency or a rival.
    """
    credits = [credit(normalize(text[span.start : span.end])) or "" for span in captions]
    outlets = {name.rsplit("/", 1)[1].strip() for name in credits if "/" in name}
    for match in _TOLD.finditer(text) if outlets else ():
        name = match[1]
        if name in outlets or "".join(word[0] for word in name.split()) in outlets:
            return name
    return ""


# ---------------------------------------------------------------- the tail

_BOILERPLATE = re.compile(
    r"(?:©|\(c\)|copyright\b.{0,20}(?:©|\(c\)|\b(?:19|20)\d\d\b)).{0,200}"
    r"|(?:.{0,80}\W)?all rights reserved\.?"
    r"|share (?:this(?: article| story| page| post)?|on .{1,60})|follow us on .{1,60}"
    r"|(?:subscribe|sign up) (?:to|for) .{0,60}\b(?:newsletters?|channel|podcast|updates|alerts"
    r"|digest|magazine|e-?mails?|briefing)\b.{0,40}"
    r"|(?:print|comments?(?: \(\d+\))?|advertisement|back to top|read more|subscribe(?: now)?)[.:]?"
    r"|(?:tags|topics|filed under|keywords)\s*:.{1,150}|editor\s*:.{1,60}",
    re.IGNORECASE,
)
_RELATED = re.compile(
    r"(?:related (?:articles?|stories|content|news|topics|posts|links|reading)|read (?:also|next)"
    r"|more (?:stories|on this(?: story)?|from .{1,40})|you may also like|recommended(?: for you)?)"
    r"\W*",
    re.IGNORECASE,
)


def _tail(text: str, start: int) -> list[Span]:
    """Boilerplate lines at the very end, and `Related articles` with its list of headlines."""
    spans: list[Span] = []
    listed: list[Span] = []  # headlines whose heading may still come: we read upwards
    for line in islice(_lines_upwards(text, start), _TAIL_LINES):
        if _RELATED.fullmatch(line.shape):
            spans += [*listed, line.span]
            listed = []
        elif not listed and _BOILERPLATE.fullmatch(line.shape):
            spans.append(line.span)
        elif 0 < len(line.shape) <= 120 and not ends_sentence(line.shape):
            listed.append(line.span)
        else:
            break
    return spans


# ---------------------------------------------------------------- spans


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if merged and span.start < merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        elif span.start < span.end:
            merged.append(span)
    return tuple(merged)


def _has_body(text: str, boilerplate: tuple[Span, ...]) -> bool:
    end = 0
    for span in (*boilerplate, Span(len(text), len(text))):
        if any(char.isalnum() for char in text[end : span.start]):
            return True
        end = span.end
    return False
