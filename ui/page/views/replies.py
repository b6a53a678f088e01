"""What `rag` says of an answer, in the language of the page: known sentences around their names."""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

from index.languages.detection import NAMES
from rag.snapshots import DISAGREE
from ui.language.catalogue import ENGLISH, gettext, gettext_noop, language_name, spoken

_LONGEST = 1_000
"""Characters of a sentence that is looked at."""
SENTENCES = (
    gettext_noop("Your documents do not mention “{name}”."),
    gettext_noop("The closest passage, in “{title}”, does not mention {number}."),
    gettext_noop(
        "They speak of “{subject}”, but the closest passages do not mention “{name}”. The closest "
        "passage is in “{title}”."
    ),
    gettext_noop(
        "They speak of “{subject}”, but the closest passages do not mention {number}. The closest "
        "passage is in “{title}”."
    ),
    gettext_noop("The closest passage is in “{title}”."),
    gettext_noop("Searched for “{meant}” for “{typed}”."),
    gettext_noop("From the library's own list, not from a document."),
    gettext_noop("Finished with quotes only: {reason}"),
    gettext_noop("Answered with quotes only: {reason}"),
    gettext_noop(
        "The question is in {asked} and the closest documents are in {read}, and this library is "
        "read with English alone. To ask across languages: {command}"
    ),
    DISAGREE,
)
"""As `rag` composes them in English; what is not among them is shown as it is."""
_CODES = {name: code for code, name in NAMES.items()}


def retold(sentence: str) -> str:
    """A sentence of `rag` in the language that is spoken; one that is not known as it is."""
    if spoken() == ENGLISH or len(sentence) > _LONGEST:
        return sentence
    for english in SENTENCES:
        if match := _pattern(english).fullmatch(sentence):
            named = match.groupdict()
            return gettext(english, **{name: _said(name, named[name]) for name in named})
    return sentence


def _said(place: str, value: str) -> str:
    """The value of a place; a language by the name it has in the one that is spoken."""
    is_language = place in ("asked", "read") and value in _CODES
    return language_name(_CODES[value]) if is_language else value


@cache
def _pattern(english: str) -> re.Pattern[str]:
    """What an English sentence looks like with its places filled in."""
    parts = [
        re.escape(text) + (f"(?P<{place}>.+?)" if place else "")
        for text, place, _, _ in Formatter().parse(english)
    ]
    return re.compile("".join(parts))
