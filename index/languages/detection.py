"""Is a text English? By its letters, and by the small words of the most written languages.

What an encoder made for English says of other languages is worth little
(`index.search.ranking`), so it has to be known what they are. A text that shows nothing either
way, such as a table of numbers and names, counts as English: then everything stays as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Literal

from index.languages.word_lists import load
from index.tokenization import STOP_WORDS, words_once

LanguageGroup = Literal["english", "latin", "other"]

BEGINNING = 4_000
"""Characters of a text that are looked at."""
_LEAST = 0.05
"""Share of a text's words that are small words of one language, at least, in running text of it;
the 29 articles of XQuAD-de have .20 and more."""
_TELLING = 2
"""Words of a language from which on a question in Latin letters is in it: "AI summits" is English,
though Vietnamese asks with "ai"."""
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[A-Za-z\u00aa-\u024f\u1e00-\u1eff]")

_SCRIPTS = {
    "ja": re.compile("[\u3040-\u30ff]"),
    "zh": re.compile("[\u3400-\u9fff]"),
    "ko": re.compile("[\uac00-\ud7af]"),
    "ru": re.compile("[\u0400-\u04ff]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "el": re.compile("[\u0370-\u03ff]"),
    "hi": re.compile("[\u0900-\u097f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}
"""What tells a language that is not written with Latin letters; the first that is met counts."""
NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian",
    "pt": "Portuguese", "nl": "Dutch", "sv": "Swedish", "da": "Danish", "pl": "Polish",
    "cs": "Czech", "tr": "Turkish", "vi": "Vietnamese", "id": "Indonesian", "fi": "Finnish",
    "hu": "Hungarian", "ro": "Romanian", "ja": "Japanese", "zh": "Chinese", "ko": "Korean",
    "ru": "Russian", "ar": "Arabic", "he": "Hebrew", "el": "Greek", "hi": "Hindi", "th": "Thai",
}  # fmt: skip
"""What a language is called, by its code."""


def language_group(text: str) -> LanguageGroup:
    """`english`, or `latin` and `other` for what is surely in another language, by its letters."""
    text = text[:BEGINNING]
    letters = len(_LETTER.findall(text))
    if 2 * len(_LATIN.findall(text)) < letters:
        return "other"
    every = words_once(text)
    english = sum(word in STOP_WORDS for word in every)
    counts = Counter(code for word in every for code in _codes_of_small_words().get(word, ()))
    foreign = max(counts.values(), default=0)
    return "latin" if foreign > english and foreign >= _LEAST * len(every) else "english"


def language(question: str) -> str:
    """The code of the language that a question is in: `de`, `zh`; `en` where nothing tells.

    Of scripts that several languages share the one most written; empty for a script of others.
    """
    letters = [] if question.isascii() else _LETTER.findall(question)
    signs = [letter for letter in letters if not _LATIN.match(letter)]
    # a name in Latin letters has more of them than a Chinese question may have signs
    if 3 * len(signs) > len(letters):
        written = "".join(signs)
        return next((code for code, script in _SCRIPTS.items() if script.search(written)), "")
    every = words_once(question)
    known = Counter(code for word in every for code in _codes_of_words().get(word, ()))
    best = max(_question_words(), key=lambda code: known[code])
    english = sum(word in STOP_WORDS for word in every)
    words = question.split()
    asks = question.rstrip().endswith("?") and words[0].lower() in _question_words()[best]
    return best if known[best] + asks >= _TELLING and known[best] > english else "en"


def text_language(text: str) -> str:
    """The code of the language that a whole text is in, by its beginning; `en` if nothing tells."""
    beginning = text[:BEGINNING]
    return "en" if language_group(beginning) == "english" else language(beginning)


def is_latin(code: str) -> bool:
    """Whether a language is written with Latin letters."""
    return code == "en" or code in _small_words()


@cache
def _question_words() -> dict[str, frozenset[str]]:
    """Words that ask, by the code of their language; none that English has too."""
    return _by_language("asking")


@cache
def _small_words() -> dict[str, frozenset[str]]:
    """Words that only join others, by the code of their language; none that English has too."""
    return _by_language("small")


@cache
def _codes_of_small_words() -> dict[str, list[str]]:
    """The languages of each word that only joins others."""
    return _inverted(_small_words())


@cache
def _codes_of_words() -> dict[str, list[str]]:
    """The same of words that ask or join, of languages that have words that ask."""
    small = _small_words()
    return _inverted({code: asking | small[code] for code, asking in _question_words().items()})


def _inverted(lists: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    codes: dict[str, list[str]] = {}
    for code, words in lists.items():
        for word in words:
            codes.setdefault(word, []).append(code)
    return codes


def _by_language(name: str) -> dict[str, frozenset[str]]:
    every = {code: frozenset(lists.get(name, ())) - STOP_WORDS for code, lists in load().items()}
    return {code: words for code, words in every.items() if words}
