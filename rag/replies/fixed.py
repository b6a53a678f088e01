"""What is answered without a document: small talk, and questions about the library itself.

Everything said here is a fixed sentence or a count over the library's own list; no model, no guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index import Library
from index.tokenization import STOP_WORDS, words
from index.types import DocumentRecord, title_from_id
from rag.query import meta_questions
from rag.query.task import small_talk as kind_of_small_talk

_THINGS = (
    r"(?:documents?|articles?|files?|texts?|sources?|papers?|notes|pieces?|stories|reports?|pdfs?"
    r"|ones?)"
)
_HERE = (
    r"(?:do (?:you|i|we) have|have (?:you|i|we)(?: got)?|i['’]ve got"
    r"|(?:are|is) (?:there|in (?:here|the library|it|my library|your library|there))"
    r"|(?:did|have) (?:i|we) (?:add|upload)\w*"
    r"|in (?:here|the library|my library|your library|there|total|all|it))"
)
_COUNT = re.compile(
    rf"^\W*(?:so |and )?how many (?:different |of (?:the|my|your|these) )?{_THINGS}\b(?P<rest>.*)$",
    re.IGNORECASE,
)
_WHICH = re.compile(
    rf"^\W*(?:which|what|list|show|any|are there|do i have|have i got|name)\b(?: me)?(?: all)?"
    rf"(?: of)?(?: the| my| your| these)? {_THINGS}"
    r"(?: that)?(?: (?:i have|do i have|have i got|are there|in here))?"
    r" (?:are |is |deal with |cover(?:s|ed)? |mention(?:s|ed)? |talk(?:s)? |speak(?:s)? "
    r"|discuss(?:es)? |say anything )?(?:about |on |of |with |cover(?:s|ing)? |mention(?:s|ing)? )?"
    r"(?P<topic>[^?]+)",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"\b(?:about|on|mention\w*|cover\w*|deal\w* with|discuss\w*|talk\w* about"
    r"|name)\s+(?P<topic>.+)$",
    re.IGNORECASE,
)
_NEWEST = re.compile(r"\b(?:newest|latest|most recent|youngest|last)\b", re.IGNORECASE)
_OLDEST = re.compile(r"\b(?:oldest|earliest|first)\b", re.IGNORECASE)
_A_DOCUMENT = re.compile(rf"\b{_THINGS}\b|\bwhich (?:one )?(?:is|was)\b", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:in|from|of|dated|during) ((?:19|20)\d\d)\b")
_PRIVACY = re.compile(
    r"\bwhere (?:does|do|is|are|will) (?:my|the|our|this) (?:data|documents?|files?|articles?"
    r"|questions?)\b|\bis (?:my|this|the) (?:data )?(?:private|safe|secure|local|offline)\b"
    r"|\bdo(?:es)? (?:you|this|it) (?:send|upload|share|store)\b|\bwho (?:can )?sees? my\b",
    re.IGNORECASE,
)
_FRAME = frozenset(
    "newest latest most recent youngest oldest earliest first last one ones article articles "
    "document documents file files got ve have there here library published added dated written "
    "from".split()
)
_LISTED = 20
_OFTEN, _OFTEN_SHARE = 3, 0.25
"""A document is about a word that it has so often, or in this share of the document that has it
most; others mention it in passing."""

_SMALL_TALK = {
    "thanks": "You're welcome. Ask on whenever you like.",
    "goodbye": "Goodbye. This conversation is kept, with its sources.",
    "reaction": "Glad to help where your articles can. What else would you like to know?",
}


def small_talk(message: str, library: Library) -> str:
    """The reply to a message that asks nothing; empty for every question."""
    kind = kind_of_small_talk(message)
    if kind != "greeting":
        return _SMALL_TALK[kind] if kind else ""
    count = len(library.documents())
    holds = f"{count:,} article{'s' * (count != 1)}" if count else "no articles yet"
    return (
        "Hello! I answer questions from your own articles and show the sentences each answer "
        f"rests on. The library holds {holds}. What would you like to know?"
    )


def about_library(question: str, library: Library) -> str:
    """The answer to a question about the assistant or the collection; empty for every other."""
    plain = " ".join(question.split())
    if _PRIVACY.search(plain):
        return (
            "I am Pilcrow, and everything stays on this computer: your articles, your questions "
            "and the answers. Each answer points at the sentences of yours that it rests on."
        )
    if topic := meta_questions.topic_of(plain):
        return meta_questions.reply(topic, library)
    newest = _NEWEST.search(plain) is not None
    extreme = (
        (newest or _OLDEST.search(plain)) and _A_DOCUMENT.search(plain) and not _content(plain)
    )
    counted, which = _COUNT.match(plain), _WHICH.match(plain)
    if not (extreme or counted or which):
        return ""  # a library of many documents is not listed for every question
    records = library.documents()
    if extreme and records:
        return _extreme(records, newest=newest)
    if counted and records:
        return _counted(counted["rest"], records, library)
    return _about(which["topic"], records, library) if which and records else ""


def _content(text: str) -> list[str]:
    """The words of a text that name something other than the collection itself."""
    return [word for word in words(text) if word not in STOP_WORDS and word not in _FRAME]


def _named(record: DocumentRecord) -> str:
    name = record.title or title_from_id(record.id)
    return f"“{name}”" + (f" ({record.date})" if record.date else "")


def _listed(records: Sequence[DocumentRecord]) -> str:
    more = len(records) - _LISTED
    shown = "; ".join(map(_named, records[:_LISTED]))
    return shown + (f"; and {more:,} more" if more > 0 else "")


def _extreme(records: Sequence[DocumentRecord], *, newest: bool) -> str:
    dated = sorted((r for r in records if r.date), key=lambda r: r.date, reverse=newest)
    if not dated:
        return ""
    undated = len(records) - len(dated)
    rest = f" {undated:,} have no date." if undated else ""
    which = "newest" if newest else "oldest"
    return f"The {which} of your {len(records):,} articles is {_named(dated[0])}.{rest}"


def _counted(rest: str, records: Sequence[DocumentRecord], library: Library) -> str:
    """How many documents there are, are of a year, or are about a topic."""
    if year := _YEAR.search(rest):
        return _of_year(year[1], records)
    if not _content(re.sub(_HERE, " ", rest, flags=re.IGNORECASE)):
        newest = sorted(records, key=lambda r: r.date, reverse=True)
        return f"There are {len(records):,} articles in the library: {_listed(newest)}."
    topic = _ABOUT.search(rest)
    return _about(topic["topic"], records, library) if topic else ""


def _of_year(year: str, records: Sequence[DocumentRecord]) -> str:
    found = sorted((r for r in records if r.date.startswith(year)), key=lambda r: r.date)
    told = f": {_listed(found)}" if found else ""
    return f"{len(found):,} of your {len(records):,} articles are dated {year}{told}."


def _about(topic: str, records: Sequence[DocumentRecord], library: Library) -> str:
    """Which documents have a topic in their title, or name it again and again."""
    wanted = _content(re.sub(_HERE, " ", topic, flags=re.IGNORECASE))
    if (year := _YEAR.search(f"in {topic}")) and wanted == [year[1]]:
        return _of_year(year[1], records)
    counts = {record.id: _count(record, wanted, library) for record in records} if wanted else {}
    most = max(counts.values(), default=0)
    if not most:
        return ""
    enough = max(_OFTEN, _OFTEN_SHARE * most)
    ranked = sorted(records, key=lambda r: -counts[r.id])
    strong = [r for r in ranked if counts[r.id] >= min(enough, most)]
    passing = sum(0 < count < min(enough, most) for count in counts.values())
    rest = f" {passing:,} more mention it in passing." if passing else ""
    subject = " ".join(wanted)
    return (
        f"{len(strong):,} of your {len(records):,} articles are about “{subject}”: "
        f"{_listed(strong)}.{rest}"
    )


def _count(record: DocumentRecord, wanted: Sequence[str], library: Library) -> int:
    """How often a document has the rarest of some words; in its title it counts a hundred times."""
    text = words(library.document(record.id).text)
    title = set(words(f"{record.title} {title_from_id(record.id)}"))
    often = min(
        sum(word == want or (len(want) > 3 and word.startswith(want)) for word in text)
        for want in wanted
    )
    return often + 100 * all(want in title for want in wanted) if often else 0
