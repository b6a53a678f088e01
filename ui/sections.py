"""An answer in the parts that a person sees, for the page and the terminal alike. Pure.

What an answer says stands in its statements and groups; here they become sections to be drawn:
sides of a comparison, entries of a timeline, items of a list, rows of a table, what disagrees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from rag.types import Answer, Citation, Statement

_ISO_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_NAMED = re.compile(r"“([^“”]+)”(?: \(([^()]*)\))?[;.]?\s*")
_APART = ("bullets", "table")
"""Forms in which statements without a group stand each for itself."""
_VERDICT = re.compile(r"(Yes|No)[,:] (?=\S)")
"""At the head of what a language model says to a question for a yes or a no."""


@dataclass(frozen=True, slots=True)
class Line:
    """A statement with the citations that it rests on."""

    statement: Statement
    citations: tuple[Citation, ...]

    @property
    def verbatim(self) -> str:
        """The statement; a quotation with the line breaks of its source, as a table has them."""
        said = self.statement.text
        for citation in self.citations:
            if " ".join(citation.quote.split()) == said:
                return citation.quote
        return said

    @property
    def verdict(self) -> str:
        """The `Yes` or `No` that a model's checked statement begins with; else empty.

        A source's own "No" may answer another question than the one that was asked.
        """
        stands = self.statement.support == "supported" and not self.statement.quoted
        found = _VERDICT.match(self.statement.text) if stands else None
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under one label; the label is empty where an answer has no parts."""

    label: str
    lines: tuple[Line, ...]

    @property
    def date(self) -> str:
        """The label when it is a date, `2023`, `2023-12` or `2023-12-08`; else empty."""
        return self.label if date_in_words(self.label) else ""

    @property
    def title(self) -> str:
        """The label as it is read: a date in words, else itself."""
        return date_in_words(self.label) or self.label


def sections_of(answer: Answer) -> tuple[Section, ...]:
    """The statements of an answer under their labels: each stands in one section, and once."""
    labels: dict[int, int] = {}
    for position, group in enumerate(answer.groups):
        for number in group.statements:
            labels.setdefault(number, position)
    cited = {citation.number: citation for citation in answer.citations}
    members: dict[tuple[int, int], list[Line]] = {}
    for number, statement in enumerate(answer.statements, start=1):
        line = Line(statement, tuple(cited[n] for n in statement.citations if n in cited))
        apart = number if number not in labels and answer.form in _APART else 0
        members.setdefault((labels.get(number, -1), apart), []).append(line)
    ordered = sorted(members.items(), key=lambda member: member[0])
    if answer.form == "conflict":  # what disagrees first, then what else there is
        ordered.sort(key=lambda member: member[0][0] < 0)
    return tuple(
        Section(answer.groups[position].label if position >= 0 else "", tuple(lines))
        for (position, _), lines in ordered
    )


def is_left_open(answer: Answer) -> bool:
    """Whether a yes or a no is asked for, and sentences are quoted that nobody has weighed."""
    asked = answer.task == "yes_no" and answer.form == "prose" and bool(answer.statements)
    return asked and all(statement.quoted for statement in answer.statements)


def date_in_words(label: str) -> str:
    """`8 December 2023`, `December 2023`, `2023`; empty for what is no such date."""
    match = _ISO_DATE.fullmatch(label)
    if not match:
        return ""
    year, month, day = match.groups()
    try:
        when = date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return ""
    parts = (f"{when.day}" if day else "", f"{when:%B}" if month else "", year)
    return " ".join(filter(None, parts))


def dates_of(answer: Answer, in_words: Callable[[str], str] = date_in_words) -> dict[int, str]:
    """Where documents disagree: of when each statement is, by its number; else nothing.

    Args:
        answer: a finished one.
        in_words: says a date in ISO form; empty for what is none.
    """
    groups = answer.groups if answer.form == "conflict" else ()
    return {n: in_words(g.label) or g.label for g in groups for n in g.statements}


def asked_back(answer: Answer) -> str:
    """The question that an answer asks back, without its options where they are drawn below it."""
    head, colon, _ = answer.text.partition(f": “{answer.options[0]}”" if answer.options else "\0")
    return f"{head}?" if colon else answer.text


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document that a reply about the library names."""

    id: str
    name: str
    details: str
    """What stands in brackets behind its name: outlet, date."""


def parts_of_reply(
    text: str, documents: Mapping[str, str]
) -> tuple[str | tuple[ListedDocument, ...], ...]:
    """A reply about the library, cut into sentences and lists of the documents it names.

    Args:
        text: the reply; it names documents as `“Name” (details)`.
        documents: the ids of the library's documents by their names.
    """
    parts: list[str | tuple[ListedDocument, ...]] = []
    done = 0
    for match in _NAMED.finditer(text):
        name, details = match[1], match[2] or ""
        if name not in documents:
            continue
        document = ListedDocument(documents[name], name, details)
        between = text[done : match.start()].strip()
        if between or not parts or isinstance(parts[-1], str):
            parts += [between, (document,)]
        else:
            parts[-1] = (*parts[-1], document)
        done = match.end()
    parts.append(text[done:].strip())
    return tuple(part for part in parts if part)
