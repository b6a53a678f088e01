"""What a text says on its surface: content words, numbers, names, negation. Pure text.

Used wherever two texts are compared without a model: does this sentence speak to this question,
does it support this statement? `TextFeatures` keeps what was found of a text that is compared many
times. English rules, harmless elsewhere; CJK runs count as pairs of characters, so overlap works
there too.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from index.formats.dates import MONTHS
from index.languages.detection import language
from index.languages.numbers import in_english_form
from index.languages.word_lists import UNSPACED, any_word, word_list
from index.tokenization import STOP_WORDS, words
from rag.query.word_lists import NUMBER, NUMBER_WORDS

_NUMBER = re.compile(NUMBER)
_NAME = re.compile(r"[^\W\d_a-z][\w’'&.-]*")
_TOKEN = re.compile(r"[^\W_][\w’'&-]*(?:\.(?=\w)\w+)*")
_NUMBERED_MONTH = re.compile(r"\d{1,2}\s?[月월]")
_ENGLISH_SHARE = 0.18
"""Share of the words of an English text that only join others, at least."""
_SMALL_NUMBERS = {
    word: str(value)
    for word, value in NUMBER_WORDS.items()
    if word != "one"  # mostly a pronoun
} | {"hundred": "100", "dozen": "12"}
_ENDINGS = (
    "ational", "ization", "fulness", "ousness", "iveness", "ations", "ation", "ments", "ment",
    "ness", "ities", "ity", "ings", "ing", "ions", "ion", "ers", "er", "ors", "or", "ies", "ied",
    "ed", "es", "ly", "al", "s", "e", "y",
)  # fmt: skip
_SHORTEST_STEM = 4
# A word has endings of one last letter only: the others need not be tried.
_ENDINGS_BY_LETTER = {
    letter: tuple(ending for ending in _ENDINGS if ending[-1] == letter)
    for letter in {ending[-1] for ending in _ENDINGS}
}


@dataclass(frozen=True)
class TextFeatures:
    """A text with what it says on its surface; each thing is looked for once, when it is needed."""

    text: str

    @cached_property
    def language(self) -> str:
        """The code of the language the text is in; `en` where nothing tells."""
        return language(self.text)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the text as the index sees them, in order."""
        return words(self.text)

    @cached_property
    def word_set(self) -> frozenset[str]:
        """The distinct words of the text."""
        return frozenset(self.words)

    @cached_property
    def stems(self) -> frozenset[str]:
        """The distinct stems of the words that name something; see `content_stems`."""
        return frozenset(_stems(self.words))

    @cached_property
    def names(self) -> frozenset[str]:
        """Names in the text; see `names`."""
        return names(self.text)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Numbers in the text, as digits; see `numbers`."""
        return _numbers(self.text, self.words, self.language)

    @cached_property
    def years(self) -> frozenset[str]:
        """Years in the text; see `years`."""
        return _years(self.numbers)

    @cached_property
    def dates(self) -> frozenset[str]:
        """Years and months in the text; see `dates`."""
        return self.years | _months(self.text, self.words, self.language)

    @cached_property
    def negations(self) -> int:
        """How many words of the text deny something; see `negations`."""
        return negations(self.text)


_REMEMBERED = 4_096
"""Texts of which it is remembered what they say: some 12 MB of sentences and passages."""


@lru_cache(maxsize=_REMEMBERED)
def features_of(text: str) -> TextFeatures:
    """What a text says on its surface, as it was found when somebody looked there last.

    A question's wordings, the sides of a comparison and those who ask at the same time come to the
    same passages again and again.
    """
    return TextFeatures(text)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its ending, so that `governs`, `governing` and `governed` are one.

    Cruder than Porter's: endings are cut once, longest first, when four letters are left.
    """
    if len(word) > _SHORTEST_STEM:
        for ending in _ENDINGS_BY_LETTER.get(word[-1], ()):
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
                cut = word[: -len(ending)]
                return cut[:-1] if len(cut) > 4 and cut[-1] == cut[-2] else cut
    return word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "su" else word


def is_capitalised(word: str, held: Container[str]) -> bool:
    """Whether texts write a word, given in lower case, with capitals and never without: a name.

    Args:
        word: in lower case.
        held: the words of the texts, as they are written.
    """
    return word not in held and (word.capitalize() in held or word.upper() in held)


def with_capitals(question: str, texts: Iterable[str]) -> str:
    """A question with the names in capitals that these texts write with capitals, always."""
    held = frozenset(word for text in texts for word in _WORD.findall(text))

    def written(match: re.Match[str]) -> str:
        return match[0].capitalize() if is_capitalised(match[0], held) else match[0]

    return _LOWER.sub(written, question)


_WORD = re.compile(r"[^\W\d_]+")
_LOWER = re.compile(r"\b[a-z]{5,}\b")


def content_stems(text: str) -> tuple[str, ...]:
    """Stems of the words that name something, in order, repeated as often as they occur."""
    return _stems(words(text))


def numbers(text: str) -> frozenset[str]:
    """Numbers in a text, as digits: `5.3`, `1200` for `1,200`, `12` for `twelve`."""
    return _numbers(text, words(text), language(text))


def number_of(word: str) -> str | None:
    """The number that a word is, in the form of `numbers`; None when it is none."""
    return _plain(word) if word[:1].isdigit() else _SMALL_NUMBERS.get(word.lower())


def names(text: str) -> frozenset[str]:
    """Capitalised words that are more than the start of a sentence, lower case, possessive cut.

    The first word counts when it is capitalised inside as well (`UNESCO`, `McDonald`), or when it
    is no everyday word.
    """
    lower = set()
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not _NAME.fullmatch(token):
            continue
        plain = re.sub(r"[’']s?$", "", token).rstrip(".").lower()
        first = _opens_sentence(text, match.start())
        if first and (token[1:].islower() or len(token) == 1):
            continue
        if len(plain) > 1 and plain not in STOP_WORDS:
            lower.add(plain)
    return frozenset(lower)


def dates(text: str) -> frozenset[str]:
    """Years (four digits from 1000 to 2999) and month names in a text."""
    return years(text) | _months(text, words(text), language(text))


def years(text: str) -> frozenset[str]:
    """Years from 1000 to 2999 in a text."""
    return _years(numbers(text))


def in_english(text: str) -> bool:
    """Whether a text of some length is English: every third word of English only joins others."""
    every = words(text)
    return sum(word in STOP_WORDS for word in every) >= _ENGLISH_SHARE * len(every)


def negations(text: str) -> int:
    """How many words deny something, in the language of the text."""
    return len(_denials(language(text)).findall(text))


@cache
def _denials(code: str) -> re.Pattern[str]:
    """What denies in a language; in one without a list, what denies in English."""
    pattern = any_word(word_list(code, "negation") or word_list("en", "negation"), code)
    return re.compile(rf"{pattern}|n[’']t\b" if code == "en" else pattern, re.IGNORECASE)


def _stems(words_of_text: Sequence[str]) -> tuple[str, ...]:
    return tuple(stem(word) for word in words_of_text if word not in STOP_WORDS)


def _numbers(text: str, words_of_text: Sequence[str], code: str) -> frozenset[str]:
    digits = {_plain(match.group()) for match in _NUMBER.finditer(in_english_form(text))}
    small = _small_numbers(code)
    return frozenset(digits | {small[w] for w in words_of_text if w in small})


@cache
def _small_numbers(code: str) -> Mapping[str, str]:
    """The words for numbers in a language, each with its number as digits."""
    if code == "en":
        return _SMALL_NUMBERS
    pairs = (entry.split("=") for entry in word_list(code, "numbers"))
    return {word: number for number, word in pairs}


def _years(numbers_of_text: Iterable[str]) -> frozenset[str]:
    return frozenset(n for n in numbers_of_text if len(n) == 4 and n[0] in "12" and n.isdigit())


def _months(text: str, words_of_text: Sequence[str], code: str) -> frozenset[str]:
    if code == "en":
        return frozenset(word for word in words_of_text if word in MONTHS and word != "may")
    if code in UNSPACED:
        return frozenset(_NUMBERED_MONTH.findall(text))
    names = {name for month in word_list(code, "months") for name in month.split(", ")}
    return frozenset(word for word in words_of_text if word in names)


def _plain(number: str) -> str:
    """`1,200` is 1200, `5,3` stays apart from `53`, and a full stop that ends a sentence goes."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", number):
        number = number.replace(",", "")
    return number.rstrip(".,")


def _opens_sentence(text: str, at: int) -> bool:
    """Whether the word at this place begins a sentence, so that its capital says nothing."""
    before = text[:at].rstrip(" \t\n\"'“”‘’([")
    return not before or before[-1] in ".!?:;。！？…"
