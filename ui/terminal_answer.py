"""An answer on a terminal: as it grows, then in its parts, then its sources.

As in `ui.terminal`, everything shown is cleaned first.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ui.sections import Line, Section, asked_back, is_left_open, sections_of
from ui.terminal import about, clean, indented

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
        for line in answer.text.splitlines():
            console.print(clean(line))
    if answer.state != "not_found":  # there the text says so itself
        for sentence in answer.missing:
            console.print(clean(sentence))
    _show_sources(answer, console)
    return answer


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
    stage = clean(answer.stage)
    if answer.progress:
        stage = f"reading part {answer.progress.done + 1} of {answer.progress.total}"
    return shown.append(f"{stage} …" if stage else "", style="dim")


# --- an answer in parts --------------------------------------------------------------------------


def _in_parts(answer: Answer, width: int) -> list[RenderableType]:
    """The finished answer as it is drawn in `width` characters; empty for plain text."""
    sections = sections_of(answer)
    if answer.options:
        options = (Text(f"  • {clean(option)}") for option in answer.options)
        return [Text(clean(asked_back(answer))), *options]
    if is_left_open(answer):
        said = [Section("", (line,)) for section in sections for line in section.lines]
        return [Text("What your documents say about it:", style="bold"), _list(said)]
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
    grid.add_row(*(Text(clean(section.title), style="bold") for section in sections))
    grid.add_row(*(_said(section) for section in sections))
    return grid


def _headed(sections: Sequence[Section]) -> list[RenderableType]:
    """One section below the other, each under its label."""
    parts: list[RenderableType] = []
    for section in sections:
        if parts:
            parts.append(Text(""))
        parts += [Text(clean(section.title), style="bold"), _said(section)]
    return parts


def _list(sections: Sequence[Section]) -> Table:
    """An entry for each section: its label, if there are any, beside what is said."""
    labelled = any(section.label for section in sections)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(max_width=24 if labelled else 1, style="bold" if labelled else "")
    grid.add_column(ratio=1)
    for section in sections:
        grid.add_row(Text(clean(section.title) if labelled else "•"), _said(section))
    return grid


def _table(sections: Sequence[Section]) -> Table:
    """A row for each statement: its label, if there are any, what is said, and where."""
    labelled = any(section.label for section in sections)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), expand=True)
    if labelled:
        table.add_column("", max_width=24)
    table.add_column("What the source says", ratio=2)
    table.add_column("Source", ratio=1)
    for section in sections:
        for line in section.lines:
            source = line.citations[0] if line.citations else None
            cells = [Text(clean(section.title), style="bold")] if labelled else []
            cells += [Text(_marked(line)), Text(_origin(source) if source else "", style="dim")]
            table.add_row(*cells)
    return table


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
        console.print(Text(f"\n[{citation.number}] {_place(citation)}", style="bold"))
        console.print(indented(f"“{citation.quote}”"))
    if answer.state != "not_found" or not answer.passages:
        return
    console.print("\nClosest in your documents:")
    for passage in answer.passages[:CLOSEST_SHOWN]:
        console.print(Text(f"· {_place(passage)}", style="bold"))
        console.print(indented(textwrap.shorten(clean(passage.text), 300, placeholder=" …")))


def _place(at: Citation | PassageRead) -> str:
    return about(at.document_id, at.title, at.source, at.date, at.paragraph, at.location)


def _origin(citation: Citation) -> str:
    page = replace(citation.location, section="")
    return about(citation.document_id, citation.title, "", citation.date, location=page)
