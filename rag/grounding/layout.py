"""Statements → text in the form that was asked for: prose, bullets, a table, columns. Pure.

The text follows from the statements, the form and the groups alone, so that an exported answer can
be checked against them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from index.types import Span
from rag.grounding.citations import text_of
from rag.query.task import Request
from rag.types import Answer, Group, SourcedStatement, Statement


def form_of(request: Request, groups: Sequence[Group]) -> str:
    """How the answer to a request is laid out."""
    if request.form != "prose":
        return request.form
    if request.task in ("list", "timeline", "which_first") or (
        request.task == "overview" and groups
    ):
        return "bullets"
    return "columns" if groups else "prose"


def groups_of(told: Sequence[SourcedStatement]) -> tuple[Group, ...]:
    """What is told under its labels, in the order of the labels; none without labels."""
    members: dict[str, list[int]] = {}
    for number, one in enumerate(told, start=1):
        if one.label:
            members.setdefault(one.label, []).append(number)
    return tuple(Group(label, tuple(numbers)) for label, numbers in members.items())


def lay_out(statements: Sequence[Statement], form: str, groups: Sequence[Group] = ()) -> str:
    """The statements with their markers, in this form."""
    labels = {number: group.label for group in groups for number in group.statements}
    lines = [
        (labels.get(number, ""), text_of([statement]))
        for number, statement in enumerate(statements, start=1)
    ]
    match form:
        case "table":
            rows = [f"| {_cell(label)} | {_cell(text)} |" for label, text in lines]
            return "\n".join(["| | |", "|---|---|", *rows])
        case "bullets":
            return "\n".join(f"- {label + ': ' if label else ''}{text}" for label, text in lines)
        case "columns":
            return "\n\n".join(
                f"{group.label}: {text_of([statements[n - 1] for n in group.statements])}"
                for group in groups
            )
        case _:
            return text_of(statements)


def statement_spans(answer: Answer) -> dict[int, Span]:
    """Where each statement stands in the answer's text, by its number from 1; no marker is in it.

    A statement that the form leaves out has none.
    """
    order: Iterable[int] = range(1, len(answer.statements) + 1)
    if answer.form == "columns":
        order = (number for group in answer.groups for number in group.statements)
    spans, begin = {}, 0
    for number in order:
        said = text_of([replace(answer.statements[number - 1], citations=())])
        said = _cell(said) if answer.form == "table" else said
        start = answer.text.find(said, begin)
        if said and start >= 0:
            begin = start + len(said)
            spans[number] = Span(start, begin)
    return spans


def _cell(text: str) -> str:
    return text.replace("|", "/")
