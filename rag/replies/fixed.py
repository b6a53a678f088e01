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
_GREETING = (
    "Hello! I answer questions from your own articles and show the sentences each answer rests "
    "on. The library holds {articles}. What would you like to know?"
)
_SENT = (
    "I am Pilcrow. Your articles and conversations are kept on this computer, but the language "
    "model was chosen at {host}: each question and the passages found for it are sent there. "
    "Without that model (`--no-model`, or another `--model`) nothing leaves this computer."
)
_KEPT = (
    "I am Pilcrow. Your articles, conversations and answers are kept with your library, on "
    "{place}; nothing is sent anywhere else. I look nowhere but in your articles, and nothing is "
    "learned from them. Each answer points at the sentences of yours that it rests on."
)
_KEPT_AND_SENT = (
    "I am Pilcrow. Your articles and conversations are kept with your library, on {place}, and the "
    "language model was chosen at {host}: each question and the passages found for it are sent "
    "there. Without that model (`--no-model`, or another `--model`) nothing is sent anywhere else."
)
_ABOUT = {
    "privacy": (
        "I am Pilcrow, and everything stays on this computer: your articles, your questions and "
        "the answers. I look nowhere but in your articles, and nothing is learned from them. "
        "Each answer points at the sentences of yours that it rests on."
    ),
    "adding": (
        "Add files or folders with “Add documents” on the page, or with `pilcrow add PATH`; "
        "I read {kinds}. What is there already is not read again."
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
        "timeline or a list. What is not in them I do not answer. {said}"
    ),
}
_EMPTY = "The library is empty: add articles first."
_UNDATED = "The library holds {documents} with {paragraphs}."
_DATED = "The library holds {documents} with {paragraphs}, dated {first}."
_FROM_TO = "The library holds {documents} with {paragraphs}, dated {first} to {last}."
_NEWEST_FIRST = "{said} The newest first: {listed}."
_NO_DATES = "None of your {all} documents has a date."
_EXTREMES = {
    "newest": "The newest of your {all} articles is {listed}.",
    "oldest": "The oldest of your {all} articles is {listed}.",
}
_OTHERS_UNDATED = "{said} {n} have no date."
_NONE_OF_YEAR = "0 of your {all} articles are dated {year}."
_OF_YEAR = "{n} of your {all} articles are dated {year}: {listed}."
_NONE_ABOUT = "None of your {all} articles mentions “{subject}”."
_ONE_ABOUT = "1 of your {all} articles is about “{subject}”: {listed}."
_SOME_ABOUT = "{n} of your {all} articles are about “{subject}”: {listed}."
_ONE_IN_PASSING = "{said} 1 more mentions it in passing."
_SOME_IN_PASSING = "{said} {n} more mention it in passing."

SAID = (
    *_SMALL_TALK.values(), _GREETING, _SENT, _KEPT, _KEPT_AND_SENT, *_ABOUT.values(), _EMPTY,
    _UNDATED, _DATED, _FROM_TO, _NEWEST_FIRST, _NO_DATES, *_EXTREMES.values(), _OTHERS_UNDATED,
    _NONE_OF_YEAR, _OF_YEAR, _NONE_ABOUT, _ONE_ABOUT, _SOME_ABOUT, _ONE_IN_PASSING,
    _SOME_IN_PASSING,
)  # fmt: skip
"""All that is said here, with the places of what is counted or named: `said` is another one of
them, `listed` are documents (`“Title” (date); “Title”`), `n` and `all` numbers. A page knows them
by these and says them in its own language."""


def small_talk(request: Request, library: Library) -> str:
    """The reply to a message that asks nothing; empty for every question."""
    if request.task != "small_talk":
        return ""
    if request.intent != "greeting":
        return _SMALL_TALK.get(request.intent, _SMALL_TALK["reaction"])
    count = len(library.documents())
    return _GREETING.format(articles=_counted(count, "article") if count else "no articles yet")


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
        return _EMPTY
    match request.intent:
        case "newest" | "oldest":
            return _extreme(records, newest=request.intent == "newest")
        case "count" | "documents":
            return _collection(request, records, library)
        case "abilities":
            return _ABOUT["abilities"].format(said=_size(records))
        case "privacy" if sends_to or library.elsewhere:
            return _about_privacy(library.elsewhere, sends_to)
        case intent:
            return _ABOUT[intent].format(kinds=SUFFIXES_IN_WORDS)


def _about_privacy(place: str, host: str) -> str:
    """Where everything is kept, and who reads along, if not this computer alone."""
    if not place:
        return _SENT.format(host=host)
    return (_KEPT_AND_SENT if host else _KEPT).format(place=place, host=host)


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
    return _NEWEST_FIRST.format(said=_size(records), listed=_listed(newest))


def _size(records: Sequence[DocumentRecord]) -> str:
    """How much there is, in a sentence."""
    if not records:
        return _EMPTY
    paragraphs = sum(record.paragraphs for record in records)
    dated = sorted(record.date for record in records if record.date)
    form = _UNDATED if not dated else _DATED if dated[0] == dated[-1] else _FROM_TO
    return form.format(
        documents=_counted(len(records), "document"),
        paragraphs=_counted(paragraphs, "paragraph"),
        first=dated[0] if dated else "",
        last=dated[-1] if dated else "",
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


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
        return _NO_DATES.format(all=f"{len(records):,}")
    undated = len(records) - len(dated)
    said = _EXTREMES["newest" if newest else "oldest"].format(
        all=f"{len(records):,}", listed=_named(dated[0])
    )
    return _OTHERS_UNDATED.format(said=said, n=f"{undated:,}") if undated else said


def _of_year(year: str, records: Sequence[DocumentRecord]) -> str:
    dated = sorted((r for r in records if r.date.startswith(year)), key=lambda r: r.date)
    form = _OF_YEAR if dated else _NONE_OF_YEAR
    return form.format(
        n=f"{len(dated):,}", all=f"{len(records):,}", year=year, listed=_listed(dated)
    )


def _about(wanted: Sequence[str], records: Sequence[DocumentRecord], library: Library) -> str:
    """Which documents have a topic in their title, or name it again and again."""
    searched = [word.lower() for word in wanted]
    counts = {record.id: _count(record, searched, library) for record in records}
    most = max(counts.values(), default=0)
    subject = " ".join(wanted)
    if not most:
        return _NONE_ABOUT.format(all=f"{len(records):,}", subject=subject)
    enough = max(_OFTEN, _OFTEN_SHARE * most)
    ranked = sorted(records, key=lambda r: -counts[r.id])
    strong = [r for r in ranked if counts[r.id] >= min(enough, most)]
    passing = sum(0 < count < min(enough, most) for count in counts.values())
    said = (_ONE_ABOUT if len(strong) == 1 else _SOME_ABOUT).format(
        n=f"{len(strong):,}", all=f"{len(records):,}", subject=subject, listed=_listed(strong)
    )
    if not passing:
        return said
    return (_ONE_IN_PASSING if passing == 1 else _SOME_IN_PASSING).format(
        said=said, n=f"{passing:,}"
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
