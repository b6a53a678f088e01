"""What a question asks for and the documents do not have, in a sentence. Pure text, English.

A near miss is about the right subject and lacks what is asked: an amount of money, an age, a
length. Where that has a form of its own, the form decides (`missing_form`; chosen on the near
misses of the everyday set, where an answer of another kind misleads most). What else is missing is
told once the gate has refused: a name that is nowhere, or what of the question the closest passage
does not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from index.languages.numbers import in_english_form
from index.tokenization import STOP_WORDS, words
from index.types import Document, Hit
from rag.query.text_features import stem

_UNIT = (
    r"(?:km|kilomet\w+|met(?:er|re)s?|miles?|feet|foot|inch(?:es)?|kg|kilograms?|tons?|tonnes?"
    r"|hectares?|acres?|cm|mm)"
)
_CURRENCY = (
    r"(?:dollars?|euros?|pounds?|yen|yuan|francs?|crowns?|kron\w+|rupees?|pesos?|rand|naira"
    r"|shillings?|cents?|usd|eur|gbp|chf|marks?|lira|roubles?|rubles?|won)"
)
_AMOUNT = (
    r"(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|hundreds?|thousands?|millions?"
    r"|billions?|trillions?)"
)


@dataclass(frozen=True, slots=True)
class Demand:
    """Something that a question may ask for and that has a form of its own."""

    name: str
    asked: re.Pattern[str]
    given: re.Pattern[str]


def _demand(name: str, asked: str, given: str) -> Demand:
    return Demand(name, re.compile(asked, re.IGNORECASE), re.compile(given, re.IGNORECASE))


DEMANDS = (
    _demand(
        "amount of money",
        r"\bhow much (?:did|does|do|will|would|has|have|was|is|were|are)\b[^?]*\b(?:cost|pay|paid"
        r"|spen[dt]|charge|earn|rais(?:e|ed)|price|worth|invest(?:ed)?)\b"
        r"|\bhow much money\b|\b(?:what|how (?:big|large|high)) (?:is|was|are|were|did)\b[^?]*"
        r"\b(?:cost|price|budget|salar(?:y|ies)|fees?|revenue|wages?)\b"
        r"|\bwhat (?:salary|price|budget|fees?|cost|wages?|pay)\b",
        r"[$€£¥]\s?\d|\btimes (?:as much|more|less|higher|lower|cheaper|dearer)\b"
        r"|\bpercent of\b[^.;]*\b(?:income|wages?|price|cost|turnover|gdp|budget)\b"
        rf"|\b{_AMOUNT}(?:\s+{_AMOUNT})?\s+(?:\w+\s+)?{_CURRENCY}\b",
    ),
    _demand(
        "age",
        r"\bhow old (?:is|was|are|were)\b|\bwhat age\b|\bage of\b",
        r"\b(?:aged?|(?:year|month|week|day)s?[- ]old|born|birthday|centur(?:y|ies)|founded"
        r"|built|\d+-year-old)\b",
    ),
    _demand(
        "measure",
        rf"\bhow (?:long|tall|high|deep|wide|far|big|heavy)\b[^?]*\b{_UNIT}\b",
        rf"\d[\d.,]*\s*-?{_UNIT}\b",
    ),
    _demand(
        "head",
        r"\bwho (?:is|was|are) (?:the )?(?:head|director|chief|leader|boss|chair(?:man|woman"
        r"|person)?"
        r"|president|ceo) of\b|\bwho (?:heads|leads|runs|chairs|directs)\b",
        r"\b(?:head(?:s|ed)?|direct(?:s|ed|or)|chief|led|leads?|leader|boss|chair\w*|president|ceo"
        r"|minister|secretary|governor|runs?|under)\b",
    ),
)


def missing_form(question: str, passage: str) -> str:
    """What kind of thing is asked for that the passage has nowhere; empty when nothing is."""
    for demand in DEMANDS:
        if demand.asked.search(question) and not demand.given.search(passage):
            return demand.name
    return ""


_LARGE = re.compile(r"(?<![\d.,])\d[\d,]*\d{2}(?![\d%s]|[.,]\d)")
"""A number of three digits and more: smaller ones are spelled out as often as not, and
decades are told in other ways."""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_IN_WORDS = {"100": "hundred", "1000": "thousand"}
_OTHER_YEAR = re.compile(
    r"\b(?:last|next|previous|following|coming) (?:year|spring|summer|autumn|fall|winter|month)"
    r"|\byears? (?:ago|earlier|later|before|after|on)\b",
    re.IGNORECASE,
)


def large_numbers(question: str) -> list[str]:
    """The large numbers of a question, often years, as bare digits; mostly none."""
    return [_plain(number) for number in _LARGE.findall(in_english_form(question))]


def missing_number(numbers: Iterable[str], sources: Sequence[Document | Hit]) -> str:
    """The first of a question's large numbers that none of these sources has; empty without one.

    Of SQuAD's answerable questions one in 1,000 has such a number, of its near misses one in 30.
    A source has the year of its own date, and those beside it where it speaks of last or next
    year; of a decade that it names it has every year.
    """
    for number in numbers:
        if not any(_has_number(number, source) for source in sources):
            return number
    return ""


def _has_number(number: str, source: Document | Hit) -> bool:
    text = source.text
    if re.search(rf"(?<!\d){number}(?!\d)", _plain(text)):
        return True
    if number in _IN_WORDS:
        return _IN_WORDS[number] in text.lower()
    published = source.date[:4]
    if len(number) != 4:
        return False
    if f"{number[:3]}0s" in text or number == published:
        return True
    beside = bool(published) and abs(int(number) - int(published)) == 1
    return beside and _OTHER_YEAR.search(text) is not None


def _plain(text: str) -> str:
    """The text with its numbers as bare digits: `9000` for `9,000`."""
    return _THOUSANDS.sub("", in_english_form(text))


_TOKEN = re.compile(r"[^\W_]+(?:[.'’-][^\W_]+)*")
_WANTED = re.compile(
    r"\b(?:how (?:much|many|old|long|tall|high|deep|wide|far|big|large|heavy|fast|often)|when|where"
    r"|who|whose|why)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\w+ly", re.IGNORECASE)
"""Words that only colour a question: "actually", "exactly"."""
_POSSESSIVE = re.compile(r"['’]s$")
_JOINED = 2
"""Words that only join others which may stand inside a name: "Ursula von der Leyen"."""
_LONGEST = 60
"""Characters of a question's words told back."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a question that names something, and where it stands."""

    text: str
    start: int
    end: int
    place: int
    """Which word of the question, from 0."""


def not_mentioned(question: str, rarity: Mapping[str, float], everyday: Set[str]) -> str:
    """The name, or the words in a row, that the library has nowhere; empty when it has all.

    Args:
        question: or its topic, as typed.
        rarity: how rare each of its words is, 1 for one that is nowhere.
        everyday: words of it, lower case, that say little when they are missing alone.
    """
    unknown = [
        word
        for word in _naming(question)
        if not word.text.isdigit()
        and any(rarity.get(part, 0.0) >= 1.0 for part in words(word.text))
    ]
    named = [i for i, word in enumerate(unknown) if word.text[0].isupper()]
    names = unknown[named[0] : named[-1] + 1] if named else []
    runs = [run for run in _runs(question, names or unknown) if run not in everyday]
    return _POSSESSIVE.sub("", max(runs, key=len, default=""))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a question is not answered."""

    text: str
    """In a sentence or two; empty when nobody can tell."""
    certain: bool
    """Whether something that is asked for is nowhere near; else the closest sentence may answer."""


def reason(
    question: str, rarity: Mapping[str, float], everyday: Set[str], title: str, held: Set[str]
) -> Reason:
    """What is missing for an answer.

    Args:
        question: as typed.
        rarity: how rare each of its words is in the library, 1 for one that is nowhere.
        everyday: words of it, lower case, that say little when they are missing alone.
        title: of the closest passage's document.
        held: the stems of that passage and its title.
    """
    if name := not_mentioned(question, rarity, everyday):
        return Reason(f"Your documents do not mention “{name}”.", certain=True)

    missing = _longest(question, lambda word: not _held(word, held))
    if missing in everyday:
        missing = ""  # "went", "mean": nobody misses these
    wanted = _WANTED.search(question)
    if missing:
        return Reason(near_miss(question, title, held, f"mention “{missing}”"), certain=True)
    lacks = f"clearly say {wanted[0].lower()}" if wanted else ""
    told = near_miss(question, title, held, lacks)
    return Reason(told, certain=not told)


def near_miss(question: str, title: str, held: Set[str], lacks: str) -> str:
    """What the closest passage is about and lacks; empty when it is about nothing asked.

    Args:
        question: as typed.
        title: of the closest passage's document.
        held: the stems of that passage and its title.
        lacks: what it does not do: "say when"; empty when nobody can tell.
    """
    subject = _longest(question, lambda word: _held(word, held))
    closest = f"The closest passage is in “{title}”."
    if not subject or not lacks:
        return closest if subject else ""
    return f"They speak of “{subject}”, but the closest passages do not {lacks}. {closest}"


def _held(word: _Word, held: Set[str]) -> bool:
    return all(stem(part) in held for part in words(_POSSESSIVE.sub("", word.text)))


def _naming(question: str) -> list[_Word]:
    """The words of a question that name something, in order."""
    return [
        _Word(match[0], match.start(), match.end(), place)
        for place, match in enumerate(_TOKEN.finditer(question))
        if any(part not in STOP_WORDS for part in words(match[0]))
        and not _WANTED.fullmatch(match[0])
        and not _ASIDE.fullmatch(match[0])
    ]


def _longest(question: str, wanted: Callable[[_Word], bool]) -> str:
    """The longest run of the wanted words of a question."""
    return max(_runs(question, [w for w in _naming(question) if wanted(w)]), key=len, default="")


def _runs(question: str, chosen: Sequence[_Word]) -> list[str]:
    """The chosen words as they stand in a question, those that follow each other together."""
    naming = {word.place for word in _naming(question)}
    runs: list[list[_Word]] = []
    for word in chosen:
        between = range(runs[-1][-1].place + 1, word.place) if runs else range(0)
        if runs and len(between) <= _JOINED and not naming.intersection(between):
            runs[-1].append(word)
        else:
            runs.append([word])
    return [question[run[0].start : run[-1].end][:_LONGEST] for run in runs]
