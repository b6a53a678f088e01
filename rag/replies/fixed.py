"""What is answered without a document: small talk, and questions about the library itself.

Everything said here is a fixed sentence or a count over the library's own list; no model, no guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index import Library
from index.formats.registry import SUFFIXES_IN_WORDS
from index.tokenization import STOP_WORDS, words
from index.types import DocumentRecord, title_from_id
from rag.query.task import Request

_LISTED = 20
_OFTEN, _OFTEN_SHARE = 3, 0.25
"""A document is about a word that it has so often, or in this share of the document that has it
most; others mention it in passing."""

_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_FRAME = frozenset(
    "article articles document documents file files text texts source sources paper papers note "
    "notes piece pieces story stories report reports pdf pdfs doc docs title titles library "
    "collection archive total newest latest oldest published added dated written".split()
)
"""Words for what a library holds; they name no topic."""

_SMALL_TALK = {
    "thanks": "You're welcome. Ask on whenever you like.",
    "goodbye": "Goodbye. This conversation is kept, with its sources.",
    "reaction": "Glad to help where your articles can. What else would you like to know?",
}
_SENT = (
    "I am Pilcrow. Your articles and conversations are kept on this computer, but the language "
    "model was chosen at {host}: each question and the passages found for it are sent there. "
    "Without that model (`--no-model`, or another `--model`) nothing leaves this computer."
)
_ABOUT = {
    "privacy": (
        "I am Pilcrow, and everything stays on this computer: your articles, your questions and "
        "the answers. I look nowhere but in your articles, and nothing is learned from them. "
        "Each answer points at the sentences of yours that it rests on."
    ),
    "adding": (
        "Add files or folders with “Add documents” on the page, or with `pilcrow add PATH`; "
        f"I read {SUFFIXES_IN_WORDS}. What is there already is not read again."
    ),
    "removing": (
        "Choose the document in the library and “Remove”, which can be undone, or use "
        "`pilcrow remove DOCUMENT`. Your own file stays where it is."
    ),
    "checking": (
        "Every statement carries a number: a click on it shows the sentence it rests on, in its "
        "article. A statement that its sentence does not support is marked or left out, and what "
        "your articles do not say is not answered. Look at the source where much depends on it."
    ),
    "abilities": (
        "I am Pilcrow. I answer questions from your own documents and point every statement at "
        "the sentence it rests on: ask who, when, how many or why, for a summary, a comparison, a "
        "timeline or a list. What is not in them I do not answer."
    ),
}


def small_talk(request: Request, library: Library) -> str:
    """The reply to a message that asks nothing; empty for every question."""
    if request.task != "small_talk":
        return ""
    if request.intent != "greeting":
        return _SMALL_TALK.get(request.intent, _SMALL_TALK["reaction"])
    count = len(library.documents())
    holds = f"{count:,} article{'s' * (count != 1)}" if count else "no articles yet"
    return (
        "Hello! I answer questions from your own articles and show the sentences each answer "
        f"rests on. The library holds {holds}. What would you like to know?"
    )


def about_library(request: Request, library: Library, sends_to: str = "") -> str:
    """The answer to a question about the assistant or the collection; empty for every other.

    Args:
        request: what is asked.
        library: that is asked about.
        sends_to: another computer whose model reads the questions; empty where none does.
    """
    if request.task != "library":
        return ""
    records = library.documents()
    if not records and request.intent not in _ABOUT:
        return "The library is empty: add articles first."
    match request.intent:
        case "newest" | "oldest":
            return _extreme(records, newest=request.intent == "newest")
        case "count" | "documents":
            return _collection(request, records, library)
        case "abilities":
            return f"{_ABOUT['abilities']} {_size(records)}"
        case "privacy" if sends_to:
            return _SENT.format(host=sends_to)
        case intent:
            return _ABOUT[intent]


def _collection(request: Request, records: Sequence[DocumentRecord], library: Library) -> str:
    """How many documents there are, which, of which year, or about which topic."""
    wanted = [
        word for word in words(request.topic) if word not in STOP_WORDS and word not in _FRAME
    ]
    year = _YEAR.search(request.question)
    if year and not set(wanted) - {year[0]}:
        return _of_year(year[0], records)
    if wanted and request.topic != request.question:
        return _about([_as_typed(word, request.question) for word in wanted], records, library)
    newest = sorted(records, key=lambda record: record.date, reverse=True)
    return f"{_size(records)} The newest first: {_listed(newest)}."


def _size(records: Sequence[DocumentRecord]) -> str:
    """How much there is, in a sentence."""
    if not records:
        return "The library is empty: add articles first."
    paragraphs = sum(record.paragraphs for record in records)
    dated = sorted(record.date for record in records if record.date)
    span = f", dated {dated[0]}" if dated else ""
    if dated and dated[-1] != dated[0]:
        span += f" to {dated[-1]}"
    return (
        f"The library holds {len(records):,} document{'s' * (len(records) != 1)} with "
        f"{paragraphs:,} paragraph{'s' * (paragraphs != 1)}{span}."
    )


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
        return f"None of your {len(records):,} documents has a date."
    undated = len(records) - len(dated)
    rest = f" {undated:,} have no date." if undated else ""
    which = "newest" if newest else "oldest"
    return f"The {which} of your {len(records):,} articles is {_named(dated[0])}.{rest}"


def _of_year(year: str, records: Sequence[DocumentRecord]) -> str:
    dated = sorted((r for r in records if r.date.startswith(year)), key=lambda r: r.date)
    which = f": {_listed(dated)}" if dated else ""
    return f"{len(dated):,} of your {len(records):,} articles are dated {year}{which}."


def _about(wanted: Sequence[str], records: Sequence[DocumentRecord], library: Library) -> str:
    """Which documents have a topic in their title, or name it again and again."""
    searched = [word.lower() for word in wanted]
    counts = {record.id: _count(record, searched, library) for record in records}
    most = max(counts.values(), default=0)
    subject = " ".join(wanted)
    if not most:
        return f"None of your {len(records):,} articles mentions “{subject}”."
    enough = max(_OFTEN, _OFTEN_SHARE * most)
    ranked = sorted(records, key=lambda r: -counts[r.id])
    strong = [r for r in ranked if counts[r.id] >= min(enough, most)]
    passing = sum(0 < count < min(enough, most) for count in counts.values())
    rest = f" {passing:,} more mention{'s' * (passing == 1)} it in passing." if passing else ""
    return (
        f"{len(strong):,} of your {len(records):,} articles {'is' if len(strong) == 1 else 'are'} "
        f"about “{subject}”: "
        f"{_listed(strong)}.{rest}"
    )


def _as_typed(word: str, question: str) -> str:
    """A word with the capitals that it was typed with."""
    found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", question, re.IGNORECASE)
    return found[0] if found else word


def _count(record: DocumentRecord, wanted: Sequence[str], library: Library) -> int:
    """How often a document has the rarest of some words; in its title it counts a hundred times."""
    text = words(library.document(record.id).text)
    title = set(words(f"{record.title} {title_from_id(record.id)}"))
    often = min(
        sum(word == want or (len(want) > 3 and word.startswith(want)) for word in text)
        for want in wanted
    )
    return often + 100 * all(want in title for want in wanted) if often else 0
