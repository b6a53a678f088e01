"""What `rag` says of an answer, in the language that is spoken: known sentences and their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from string import Formatter
from types import MappingProxyType

from index.languages.detection import NAMES
from rag.replies import fixed
from rag.snapshots import DISAGREE, NOT_FOUND
from rag.types import Answer
from ui.language.catalogue import (
    ENGLISH,
    gettext,
    gettext_noop,
    language_name,
    number,
    plural,
    short_date,
    spoken,
)
from ui.sections import asked_back

_LONGEST = 10_000
"""Characters of a sentence that is looked at; a reply may name twenty documents."""
SENTENCES = (
    NOT_FOUND,
    gettext_noop("Your documents do not mention “{name}”."),
    gettext_noop("The closest passage, in “{title}”, does not mention {number}."),
    gettext_noop("The closest passage, in “{title}”, does not give the {form}."),
    gettext_noop(
        "They speak of “{subject}”, but the closest passages do not mention “{name}”. The closest "
        "passage is in “{title}”."
    ),
    gettext_noop(
        "They speak of “{subject}”, but the closest passages do not mention {number}. The closest "
        "passage is in “{title}”."
    ),
    gettext_noop(
        "They speak of “{subject}”, but the closest passages do not give the {form}. The closest "
        "passage is in “{title}”."
    ),
    gettext_noop(
        "They speak of “{subject}”, but the closest passages do not clearly say {asked_for}. The "
        "closest passage is in “{title}”."
    ),
    gettext_noop("The closest passage is in “{title}”."),
    gettext_noop("Searched for {changes}."),
    gettext_noop("From the library's own list, not from a document."),
    gettext_noop("Finished with quotes only: {reason}"),
    gettext_noop("Answered with quotes only: {reason}"),
    gettext_noop("Read without the trained reader: {reason}"),
    gettext_noop("the language model failed ({how}); it is started again for the next question"),
    gettext_noop(
        "the language model was not done after {seconds} s and was stopped; a smaller one is "
        "faster (--model)"
    ),
    gettext_noop(
        "the language model's process cannot be started ({how}): close other programs and ask again"
    ),
    gettext_noop("There is nothing to look in: the library or your choice of it is empty."),
    gettext_noop("Every passage was looked at."),
    gettext_noop("One more sentence belongs to this list. Ask for a part of it to read on."),
    gettext_noop("{n} more sentences belong to this list. Ask for a part of it to read on."),
    gettext_noop(
        "Your documents are quoted as they are written: a translation cannot be checked against "
        "its sources."
    ),
    gettext_noop(
        "Your documents are quoted as they are written: {wanted} would take a larger language "
        "model."
    ),
    gettext_noop(
        "The question is in {asked} and the closest documents are in {read}, and this library is "
        "read with English alone. To ask across languages: {command}"
    ),
    gettext_noop("What do you mean by “{pointer}”?"),
    gettext_noop("Which do you mean?"),
    DISAGREE,
    *fixed.SAID,
)
"""As `rag` composes them in English; what is not among them is shown as it is."""
_HELD = {
    "n": r"\d[\d,]{0,20}",
    "all": r"\d[\d,]{0,20}",
    "articles": r"\d[\d,]{0,20} articles?|no articles yet",
    "documents": r"\d[\d,]{0,20} documents?",
    "paragraphs": r"\d[\d,]{0,20} paragraphs?",
    "first": r"\d[\d-]{0,9}",
    "last": r"\d[\d-]{0,9}",
    "changes": r"“.*?”",
}
"""What may stand in a place; in all others anything."""
_CODES = {name: code for code, name in NAMES.items()}
_COUNTED = re.compile(r"(?P<count>[\d,]+) (?P<noun>article|document|paragraph)s?")
_CHANGE = re.compile(r"“(?P<meant>.*?)” for “(?P<typed>.*?)”(?:, |$)")
_MORE = re.compile(r"; and (?P<n>[\d,]+) more$")


def retold(sentence: str) -> str:
    """A sentence of `rag` in the language that is spoken; one that is not known as it is."""
    if spoken() == ENGLISH or len(sentence) > _LONGEST:
        return sentence
    for english in SENTENCES:
        if match := _pattern(english).fullmatch(sentence):
            named = match.groupdict()
            return gettext(english, **{name: _said(name, named[name]) for name in named})
    return sentence


def retold_reply(answer: Answer) -> str:
    """What an answer without statements says, in the language that is spoken.

    That nothing was found, and what is missing; a question back, without its options; or a word of
    the library on itself.
    """
    if answer.state == "not_found":
        return " ".join(map(retold, (NOT_FOUND, *answer.missing)))
    return retold(asked_back(answer))


def retold_text(answer: Answer) -> str:
    """The same as a text that stands alone: a question back with its options."""
    if spoken() == ENGLISH:
        return answer.text
    options = gettext(", ").join(f"“{option}”" for option in answer.options)
    return " ".join(filter(None, (retold_reply(answer), options)))


def _said(place: str, value: str) -> str:
    """The value of a place: what is no name in it is said in the language that is spoken."""
    say = _PLACES.get(place)
    return say(value) if say else value


def _language(value: str) -> str:
    return language_name(_CODES[value]) if value in _CODES else value


def _form(value: str) -> str:
    forms = {
        "amount of money": gettext("amount of money"),
        "age": gettext("age"),
        "measure": gettext("measure"),
        "head": gettext("head"),
    }
    return forms.get(value, value)


def _wanted(value: str) -> str:
    known = {
        "simpler words": gettext("simpler words"),
    }
    return known.get(value, value)


def _counted(value: str) -> str:
    if value == "no articles yet":
        return gettext("no articles yet")
    found = _COUNTED.fullmatch(value)
    if not found:
        return value
    count = int(found["count"].replace(",", ""))
    match found["noun"]:
        case "article":
            return plural(count, "article")
        case "document":
            return plural(count, "document")
        case _:
            return plural(count, "paragraph")


def _changes(value: str) -> str:
    said = [
        gettext("“{meant}” for “{typed}”", meant=change["meant"], typed=change["typed"])
        for change in _CHANGE.finditer(value)
    ]
    return gettext(", ").join(said) or value


def _listed(value: str) -> str:
    """Documents, whose names keep the signs around them by which they are told; and how many more.

    `parts_of_reply` makes them a list.
    """
    found = _MORE.search(value)
    if not found:
        return value
    return f"{value[: found.start()]}; {gettext('(and {n} more)', n=_number(found['n']))}"


def _number(value: str) -> str:
    return number(int(value.replace(",", "")))


_PLACES: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "asked": _language, "read": _language, "form": _form, "wanted": _wanted,
        "articles": _counted, "documents": _counted, "paragraphs": _counted,
        "changes": _changes, "listed": _listed, "said": retold, "reason": retold,
        "first": short_date, "last": short_date, "n": _number, "all": _number,
    }
)  # fmt: skip


@cache
def _pattern(english: str) -> re.Pattern[str]:
    """What an English sentence looks like with its places filled in."""
    parts = [
        re.escape(text) + (f"(?P<{place}>{_HELD.get(place, '.+?')})" if place else "")
        for text, place, _, _ in Formatter().parse(english)
    ]
    return re.compile("".join(parts))
