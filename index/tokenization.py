"""Words for the full-text index, questions for it, and which characters nobody sees. Pure text.

FTS5 finds words by white space and punctuation. Chinese, Japanese and Korean put none between
words, so their runs are indexed as overlapping pairs of characters, the usual remedy: on XQuAD-zh
pairs give BM25 an nDCG@10 of .96 where whole runs give .12. Thai, Lao, Khmer and Burmese do not
either; their letters say less each, so there it is threes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_CJK_LETTERS = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_THAI_LETTERS = r"\u0e01-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u109f\u1780-\u17d3"
"""Of Thai, Lao, Burmese and Khmer, with the marks above and below them."""
_MARKS = r"\u0900-\u0963\u0981-\u0e00\u0f71-\u0fbc"
"""Where the letters of India and Tibet have theirs; letters in between do no harm."""
# One run of letters without spaces between words, or one word of any other script; `'s` and hyphens
# part words, as FTS5's own tokenizer parts them.
_WORD = re.compile(
    rf"[{_CJK_LETTERS}]+|[{_THAI_LETTERS}]+"
    rf"|[^\W{_CJK_LETTERS}{_THAI_LETTERS}_](?:[^\W{_CJK_LETTERS}{_THAI_LETTERS}_]|[{_MARKS}])*"
)
_UNUSUAL = re.compile(r"[\uff01-\uffdc]|[\u0591-\u05c7\u0640\u064b-\u065f\u0670]")
"""Letters and digits of double and of half width; vowel points, which few write."""
# A question longer than this names its subject many times over; the rest only costs time.
_MOST_TERMS = 64
# Words that ask rather than name. Measured on the visible sets: without them ranking is equal or
# better, and a query touches a tenth of the postings.
STOP_WORDS = frozenset(
    "a an the of to in on at by for with from as and or but if than that this these those it its "
    "is are was were be been being do does did has have had will would can could should may might "
    "must not no what which who whom whose when where why how there their they them he she his her "
    "him i me my we us our you your about into over after before between during through because "
    "so such also more most other some any each all both only own same too very s t d "
    "many much say says said please tell give explain describe according".split()
)

NUMBER_WORDS: dict[str, int] = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | dict(
    zip("thirty forty fifty sixty seventy eighty ninety".split(), range(30, 100, 10), strict=True)
)
"""`zero` to `twenty` and the tens up to `ninety`, with what they are worth."""
_DENYING = frozenset("not no never none nobody nothing neither nor without cannot".split())

# What nobody sees, while a model, a terminal or a browser acts on it. The joiners U+200C and U+200D
# stay: emoji and the scripts of Persia and India are written with them.
CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
"""Begin the sequences that steer a terminal."""
BIDI_SIGNS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Show a text in another order than it is read."""
ZERO_WIDTH = r"\u200b\u2060\ufeff"
"""Part a word that looks whole."""
TAGS = r"\U000e0000-\U000e007f"
"""Spell out ASCII that no font draws."""
INVISIBLE = f"{CONTROLS}{BIDI_SIGNS}{ZERO_WIDTH}{TAGS}"
"""All of these, for a regular expression's brackets: the only such set in the program."""
_INVISIBLE = re.compile(f"[{INVISIBLE}]")


def strip_invisible(text: str) -> str:
    """The text without controls, bidirectional signs, tags and spaces of no width.

    Tabs and line feeds stay.
    """
    return _INVISIBLE.sub("", text)


def sound(text: str) -> str:
    """The text with a question mark for each half of a character, which no file and no model takes.

    Arguments in another encoding than the terminal's bring them, so does JSON. Its length stays.
    """
    return text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=1024)
def words(text: str) -> tuple[str, ...]:
    """The words of a text as the index sees them, lower case; CJK runs as pairs of characters.

    A question compares its words with those of the same few passages over and over.
    """
    return tuple(words_once(text))


def words_once(text: str) -> list[str]:
    """The same, of a text that nobody asks for again: a whole article is not worth keeping."""
    if not text.isascii():
        text = _UNUSUAL.sub(_usual, text)
    whole = [word.lower() for word in _WORD.findall(text)]
    if not has_cjk(text):
        return whole
    return [part for word in whole for part in _parts(word)]


def _usual(match: re.Match[str]) -> str:
    return "" if match[0] < "\uff00" else unicodedata.normalize("NFKC", match[0])


def _parts(word: str) -> Iterator[str]:
    """A run's overlapping pairs or threes of characters; any other word, whole."""
    width = 2 if _CJK.match(word) else 3 if has_cjk(word) else len(word)
    yield from (word[i : i + width] for i in range(max(1, len(word) - width + 1)))


def facts(text: str) -> frozenset[str]:
    """What tells a text from a near copy of it: its numbers, its names and what it denies."""
    return frozenset(
        word.lower()
        for word in _WORD.findall(text)
        if word[0].isdigit()
        or (word[0].isupper() and word.lower() not in STOP_WORDS)
        or word.lower() in NUMBER_WORDS
        or word.lower() in _DENYING
    )


def index_form(text: str) -> str:
    """The text as handed to FTS5: unchanged, unless it has runs to be cut or unusual letters."""
    return " ".join(words(text)) if has_cjk(text) or _UNUSUAL.search(text) else text


def content_words(question: str) -> list[str]:
    """The words of a question to be looked for, each once: those that name, if any does."""
    every = list(dict.fromkeys(words(question)))
    is_content = [word for word in every if word not in STOP_WORDS]
    return (is_content or every)[:_MOST_TERMS]


_CJK = re.compile(f"[{_CJK_LETTERS}]")
_UNSPACED = re.compile(f"[{_CJK_LETTERS}{_THAI_LETTERS}]")


def has_cjk(text: str) -> bool:
    """Whether the text has letters of a script without spaces between words: Chinese, Thai."""
    return _UNSPACED.search(text) is not None
