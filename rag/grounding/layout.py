"""Statements → text in the form that was asked for: prose, bullets, a table, columns. Pure.

The text follows from the statements, the form and the groups alone, so that an exported answer can
be checked against them.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.grounding.citations import text_of
from rag.query.task import Request
from rag.types import Group, Statement, Told


def form_of(request: Request, groups: Sequence[Group]) -> str:
    """How the answer to a request is laid out."""
    if request.form != "prose":
        return request.form
    if request.task in ("list", "timeline", "which_first") or (
        request.task == "overview" and groups
    ):
        return "bullets"
    return "columns" if groups else "prose"


def groups_of(told: Sequence[Told]) -> tuple[Group, ...]:
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


def _cell(text: str) -> str:
    return text.replace("|", "/")
