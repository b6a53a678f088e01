"""An answer on a terminal: as it grows, then in its parts, then its sources.

As in `ui.terminal`, everything shown is cleaned first. A terminal is told in the language that is
spoken; a pipe or file, which programs read, in English.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from index.types import title_from_id
from ui.language.catalogue import (
    ENGLISH,
    date_in_words,
    gettext,
    gettext_noop,
    number,
    short_date,
    speaking,
    spoken,
)
from ui.language.places import other_language, page_name, recognition
from ui.language.replies import retold, retold_reply
from ui.sections import Line, Section, is_left_open, sections_of
from ui.terminal import clean, indented

if TYPE_CHECKING:
    from rag.types import Answer, Citation, PassageRead

CLOSEST_SHOWN = 3
COLUMNS_FROM = 100
"""Characters of a line from which on the sides of a comparison stand beside each other."""


def show_answer(snapshots: Iterable[Answer], console: Console) -> Answer:
    """Show an answer and return its last snapshot.

    A terminal sees the best sentence first, then each statement as it comes; the finished answer
    takes their place, for checking may have changed them, and is drawn in its parts. A pipe or file
    gets the finished text only. Both end with the numbered sources.
    """
    with speaking(spoken() if console.is_terminal else ENGLISH):
        return _show(snapshots, console)


def _show(snapshots: Iterable[Answer], console: Console) -> Answer:
    answer = None
    with Live(console=console, transient=True, auto_refresh=False) as live:
        for answer in snapshots:
            if console.is_terminal:
                live.update(_growing(answer), refresh=True)
    if answer is None:
        raise ValueError("a stream of answers has at least one snapshot")
    if answer.short:
        console.print(Text(clean(answer.short), style="bold"))
    parts = _in_parts(answer, console.width) if console.is_terminal else []
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))
    if not parts:
        for line in _text_of(answer).splitlines():
            console.print(clean(line))
    if answer.state != "not_found":  # there the text says so itself
        for sentence in answer.missing:
            console.print(clean(retold(sentence)))
    _show_sources(answer, console)
    return answer


_STAGES = {
    "searching": gettext_noop("Searching your articles"),
    "reading": gettext_noop("Reading the evidence"),
    "writing": gettext_noop("Writing"),
}


def _text_of(answer: Answer) -> str:
    """The text of an answer; where it quotes nothing, in the language that is spoken."""
    return answer.text if answer.statements else retold_reply(answer)


def _growing(answer: Answer) -> Text:
    """A snapshot: the best sentence, then the statements so far."""
    shown = Text(no_wrap=False, overflow="fold")  # the console itself leaves lines long, for pipes
    if answer.short:
        shown.append(f"{clean(answer.short)}\n", style="bold")
    if answer.headline:
        shown.append(f"“{clean(answer.headline.quote)}”\n", style="dim")
        shown.append(f"{_place(answer.headline)}\n\n", style="bold")
    for statement in answer.statements:
        markers = "".join(f" [{number}]" for number in statement.citations)
        shown.append(f"{clean(statement.text)}{markers}\n")
    stage = gettext(_STAGES.get(answer.stage, clean(answer.stage)))
    if answer.progress:
        part, total = number(answer.progress.done + 1), number(answer.progress.total)
        stage = gettext("Reading part {n} of {total}", n=part, total=total)
    return shown.append(f"{stage} …" if stage else "", style="dim")


# --- an answer in parts --------------------------------------------------------------------------


def _in_parts(answer: Answer, width: int) -> list[RenderableType]:
    """The finished answer as it is drawn in `width` characters; empty for plain text."""
    sections = sections_of(answer)
    if answer.options:
        options = (Text(f"  • {clean(option)}") for option in answer.options)
        return [Text(clean(retold_reply(answer))), *options]
    if is_left_open(answer):
        said = [Section("", (line,)) for section in sections for line in section.lines]
        return [Text(gettext("What your documents say about it"), style="bold"), _list(said)]
    match answer.form:
        case "table":
            return [_table(sections)]
        case "bullets" | "conflict":
            return [_list(sections)]
        case "columns":
            labelled = [section for section in sections if section.label]
            beside = width >= COLUMNS_FROM and len(labelled) > 1
            rest = [_said(section) for section in sections if not section.label]
            return [*rest, *([_columns(labelled)] if beside else _headed(labelled))]
        case _:
            return []


def _columns(sections: Sequence[Section]) -> Table:
    """One section beside the other."""
    grid = Table.grid(padding=(0, 3), expand=True)
    for _ in sections:
        grid.add_column(ratio=1)
    grid.add_row(*(Text(_title(section), style="bold") for section in sections))
    grid.add_row(*(_said(section) for section in sections))
    return grid


def _headed(sections: Sequence[Section]) -> list[RenderableType]:
    """One section below the other, each under its label."""
    parts: list[RenderableType] = []
    for section in sections:
        if parts:
            parts.append(Text(""))
        parts += [Text(_title(section), style="bold"), _said(section)]
    return parts


def _list(sections: Sequence[Section]) -> Table:
    """An entry for each section: its label, if there are any, beside what is said."""
    labelled = any(section.label for section in sections)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(max_width=24 if labelled else 1, style="bold" if labelled else "")
    grid.add_column(ratio=1)
    for section in sections:
        grid.add_row(Text(_title(section) if labelled else "•"), _said(section))
    return grid


def _table(sections: Sequence[Section]) -> Table:
    """A row for each statement: its label, if there are any, what is said, and where."""
    labelled = any(section.label for section in sections)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), expand=True)
    if labelled:
        table.add_column("", max_width=24)
    table.add_column(gettext("What the source says"), ratio=2)
    table.add_column(gettext("Source"), ratio=1)
    for section in sections:
        for line in section.lines:
            source = line.citations[0] if line.citations else None
            cells = [Text(_title(section), style="bold")] if labelled else []
            cells += [Text(_marked(line)), Text(_origin(source) if source else "", style="dim")]
            table.add_row(*cells)
    return table


def _title(section: Section) -> str:
    """The label of a section as it is read: a date in words, else itself."""
    return clean(date_in_words(section.label) or section.label)


def _said(section: Section) -> Text:
    """What a section says, each statement on a line of its own."""
    return Text("\n".join(_marked(line) for line in section.lines))


def _marked(line: Line) -> str:
    """A statement with the numbers of its sources."""
    markers = "".join(f" [{number}]" for number in line.statement.citations)
    return clean(line.statement.text) + markers


# --- sources -------------------------------------------------------------------------------------


def _show_sources(answer: Answer, console: Console) -> None:
    """The numbered citations, or the closest passages when nothing was found."""
    for citation in answer.citations:
        read = other_language(citation.quote) if console.is_terminal else ""
        where = _joined(_place(citation), read)
        console.print(Text(f"\n[{citation.number}] {where}", style="bold"))
        console.print(indented(f"“{citation.quote}”"))
    if answer.state != "not_found" or not answer.passages:
        return
    console.print(f"\n{gettext('Closest passages')}")
    for passage in answer.passages[:CLOSEST_SHOWN]:
        console.print(Text(f"· {_place(passage)}", style="bold"))
        console.print(indented(textwrap.shorten(clean(passage.text), 300, placeholder=" …")))


def _place(at: Citation | PassageRead) -> str:
    """`Title · source · date · page 3 · Methods · paragraph 7`, without what is not known."""
    return _joined(
        at.title or title_from_id(at.document_id), at.source, short_date(at.date), page_name(at),
        at.location.section, recognition(at),
        gettext("paragraph {n}", n=at.paragraph) if at.paragraph else "",
    )  # fmt: skip


def _origin(citation: Citation) -> str:
    title = citation.title or title_from_id(citation.document_id)
    return _joined(title, short_date(citation.date), page_name(citation), recognition(citation))


def _joined(*known: str) -> str:
    return " · ".join(clean(part) for part in known if part)
