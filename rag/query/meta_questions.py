"""Questions about the assistant itself, answered from the library's own facts; no model, no guess.

Only whole questions of a known form count ("What can you do?", "What documents do you have?"), so
that a question about what somebody in an article can do is never taken for one.
"""

from __future__ import annotations

import re
from typing import Literal

from index import Library
from index.types import DocumentRecord, title_from_id

Topic = Literal["abilities", "documents", "count"]

_SHOWN = 6
_THINGS = r"(?:documents?|articles?|files?|texts?|sources?|papers?)"
_OURS = (
    r"(?:do you (?:have|know|hold|contain|cover)|have you (?:got|read|indexed)"
    r"|are (?:there|you using|indexed|loaded|in (?:here|the library|your library))"
    r"|can you (?:see|search|read)"
    r"|did i (?:add|upload)|have i (?:added|uploaded))"
)
_FORMS: dict[Topic, str] = {
    "count": rf"how many (?:different )?{_THINGS} {_OURS}(?: in (?:here|the library))?",
    "documents": rf"(?:what|which) {_THINGS} {_OURS}(?: in (?:here|the library))?"
    rf"|(?:list|show)(?: me)?(?: all)?(?: of)?(?: your| my| the| available)* {_THINGS}"
    r"|what(?: is|['’]s) in (?:your|my|the|this) library"
    rf"|what are (?:your|my|these|the) {_THINGS}(?: about)?"
    r"|what (?:do you know(?: about)?|topics? (?:do you|can you) (?:know|cover))",
    "abilities": r"what (?:can|do) you do(?: here| for me)?|(?:who|what) are you|help(?: me)?"
    r"|what (?:can i ask(?: you)?|is (?:this|pilcrow))|how do(?:es)? (?:you|this|it) work"
    r"|what are you (?:for|able to do)|introduce yourself",
}
_WHOLE = {
    topic: re.compile(rf"(?:please )?(?:{form})(?: please)?[\s?.!]*", re.IGNORECASE)
    for topic, form in _FORMS.items()
}


def topic_of(question: str) -> Topic | None:
    """What a question wants to know of the assistant; None for every other question."""
    plain = " ".join(question.split())
    return next((topic for topic, form in _WHOLE.items() if form.fullmatch(plain)), None)


def reply(topic: Topic, library: Library) -> str:
    """The answer, in plain sentences, from what the library holds at this moment."""
    records = library.documents()
    match topic:
        case "abilities":
            return (
                "I answer questions from your own documents and point every statement at the "
                "sentence it rests on. What is not in them I do not answer. " + _count(records)
            )
        case "count":
            return _count(records)
        case _:
            return " ".join([_count(records), *_listed(records)])


def _count(records: list[DocumentRecord]) -> str:
    if not records:
        return "The library is empty: add articles first."
    paragraphs = sum(record.paragraphs for record in records)
    return (
        f"The library holds {len(records):,} document{'s' * (len(records) != 1)} with "
        f"{paragraphs:,} paragraph{'s' * (paragraphs != 1)}{_span(records)}."
    )


def _span(records: list[DocumentRecord]) -> str:
    dated = sorted(record.date for record in records if record.date)
    if not dated:
        return ""
    return f", dated {dated[0]}" + (f" to {dated[-1]}" if dated[-1] != dated[0] else "")


def _listed(records: list[DocumentRecord]) -> list[str]:
    newest = sorted(records, key=lambda record: record.date, reverse=True)[:_SHOWN]
    lines = []
    for record in newest:
        known = ", ".join(part for part in (record.source, record.date) if part)
        name = record.title or title_from_id(record.id)
        lines.append(f"“{name}”{f' ({known})' if known else ''};")
    if not lines:
        return []
    more = len(records) - len(lines)
    lines[-1] = lines[-1].removesuffix(";") + (f"; and {more:,} more." if more else ".")
    return ["They are:" if not more else "Among them:", *lines]
