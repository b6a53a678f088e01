"""How a statement can say something else in its source's own words. Pure text, English.

Five ways that can be told from words alone: a word of the source turned into its opposite, two
numbers that have changed places, words that stand beside others than there, what should or may be
told as what will be or is, and words said over and over. All are rather
suspected too often than too seldom: a statement that is suspected gives way to its source's own
sentence, which is right in any case. How many they tell: tests/benchmarks/RESULTS.md, Statements.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise
from typing import Literal

from index.formats.dates import MONTHS
from index.languages.detection import language
from index.languages.word_lists import word_list
from index.tokenization import STOP_WORDS, words
from rag.grounding.limits import LIMITS
from rag.query.text_features import names, number_of, stem, years
from rag.query.word_lists import NUMBER

Contradiction = Literal["antonym", "swapped numbers", "modality", "loop", "reordered words"]
_BY = re.compile(r"\bby\b", re.IGNORECASE)
_WORD = re.compile(rf"{NUMBER}|[^\W\d_]+")
_KIND = {
    **dict.fromkeys(("may", "might", "could"), "possible"),
    **dict.fromkeys(("should", "ought to"), "wanted"),
    **dict.fromkeys(("must", "has to", "have to", "had to"), "required"),
    **dict.fromkeys(("will", "shall"), "coming"),
    **dict.fromkeys(("can", "would"), "open"),
}
_HEDGED = frozenset({"possible", "wanted", "required"})
"""Kinds of modal that cannot be left out, or come from nowhere."""
_MODAL = re.compile(
    rf"\b(?P<modal>{'|'.join(_KIND)})(?: (?:not|also|now|then|soon|only|never|be|have|been))*"
    r" (?P<verb>[a-z]+)",
    re.IGNORECASE,
)


def find_contradiction(statement: str, sources: Sequence[str]) -> Contradiction | None:
    """How a statement says something else in its sources' own words; None when it does not."""
    if find_antonym(statement, " ".join(sources)):
        return "antonym"
    if find_swapped_numbers(statement, sources):
        return "swapped numbers"
    if any(has_other_modality(statement, source) for source in sources):
        return "modality"
    if has_loop(statement) and not any(map(has_loop, sources)):
        return "loop"
    return "reordered words" if has_reordered_words(statement, sources) else None


def has_other_modality(statement: str, source: str) -> bool:
    """Whether a statement claims of something the source's modal verb governs what that does not.

    "It will open in May" of "It should open in May", "It opens" of "It may open", "It must open"
    of "It can open". The modal that stands before the same verb counts, in either text; one told
    in other verbs is not judged.
    """
    stated, sourced = _governed(statement), _governed(source)
    elsewhere = Counter(map(stem, words(source)))
    said = {stem(word) for word in words(statement)}
    for verb, modality in sourced.items():
        if verb in stated:
            if stated[verb] != modality:
                return True
        elif verb in said and elsewhere[verb] == 1 and not stated and modality in _HEDGED:
            return True
    return any(
        verb in elsewhere and verb not in sourced and modality in _HEDGED
        for verb, modality in stated.items()
    )


def _governed(text: str) -> dict[str, str]:
    """The stems of the verbs that follow a modal, with that modal's kind."""
    return {stem(match["verb"].lower()): _KIND[match["modal"].lower()]
            for match in _MODAL.finditer(text)}  # fmt: skip


def has_loop(text: str) -> bool:
    """Whether words are said over and over: the same run of three, one of them naming something."""
    told = words(text)
    runs = [tuple(told[at : at + LIMITS.loop]) for at in range(len(told) - LIMITS.loop + 1)]
    return any(
        runs[at] in runs[: max(0, at - LIMITS.loop + 1)] and not STOP_WORDS.issuperset(runs[at])
        for at in range(len(runs))
    )


def find_antonym(statement: str, source: str) -> str | None:
    """The word by which a statement says the opposite of its source; None when there is none.

    It is one that the source lacks and that has an opposite in the source, not in the statement:
    "sales fell in May" of "sales rose in May".
    """
    stated, sourced = set(words(statement)), set(words(source))
    known = antonyms(language(statement))
    for word in sorted(stated - sourced):
        opposites = known.get(word, frozenset())
        if opposites & sourced and not opposites & stated:
            return word
    return None


@cache
def antonyms(code: str = "en") -> dict[str, frozenset[str]]:
    """The words that stand in a row with a word, by that word: of `antonyms.tsv` in English."""
    text = files("rag.grounding.verification").joinpath("antonyms.tsv").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    rows = [line.split("\t") for line in lines]
    if code != "en":
        rows = [pair.split("/") for pair in word_list(code, "opposites")]
    opposites: dict[str, set[str]] = {}
    for row in rows:
        for word in row:
            opposites.setdefault(word, set()).update(other for other in row if other != word)
    return {word: frozenset(others) for word, others in opposites.items()}


def find_swapped_numbers(statement: str, sources: Sequence[str]) -> tuple[str, str] | None:
    """Two numbers that stand the other way round in one of the sources; None when none do.

    "46 in favour and 523 against" of "523 were in favour, 46 against". Amounts are compared with
    amounts and dates with dates, for a date is easily put first or last.
    """
    amounts, dates = _amounts_and_dates(statement)
    for source in sources:
        source_amounts, source_dates = _amounts_and_dates(source)
        if pair := (
            _crossed(amounts, source_amounts, source_dates)
            or _crossed(dates, source_dates, source_amounts)
        ):
            return pair
    return None


def _crossed(stated: list[str], sourced: list[str], elsewhere: list[str]) -> tuple[str, str] | None:
    """Two numbers in another order than sourced, of those that are nowhere else in their source.

    "May 5" told without its month is not the amount 5 that its source also names.
    """
    first = {number: at for at, number in reversed(list(enumerate(sourced)))}
    last = {number: at for at, number in enumerate(sourced)}
    unclear = set(elsewhere)
    shared = [n for n in dict.fromkeys(stated) if n in first and n not in unclear]
    latest = shared[0] if shared else ""  # of those looked at so far, the source's last
    for number in shared[1:]:
        if first[latest] > last[number]:
            return latest, number
        latest = max(latest, number, key=first.__getitem__)
    return None


def has_reordered_words(statement: str, sources: Sequence[str]) -> bool:
    """Whether words stand beside or around others than in one of the sources.

    "Ann of Oslo and Bob of Rome" for "Ann of Rome and Bob of Oslo": counted are neighbours,
    whichever comes first, among the words that are once in both; leaving words out adds none. And
    "Bob sued Ann" for "Ann sued Bob": two names have gone to the other side of a word between them.
    Numbers and dates do not count (see `find_swapped_numbers`), and a statement with `by` where the
    source has none, or the reverse, is passed over: going from active to passive moves everything.
    """
    for source in sources:
        if bool(_BY.search(statement)) != bool(_BY.search(source)):
            continue
        stated, sourced = _once_in_both(_naming_stems(statement), _naming_stems(source))
        beside = {frozenset(pair) for pair in pairwise(sourced)}
        if sum(frozenset(pair) not in beside for pair in pairwise(stated)) >= LIMITS.new_neighbours:
            return True
        named = {stem(name) for name in names(statement) | names(source)}
        if _names_cross(stated, sourced, named):
            return True
    return False


def _names_cross(stated: list[str], sourced: list[str], named: set[str]) -> bool:
    """Whether two names have gone to the other side, each, of a word between them."""
    position = {word: at for at, word in enumerate(sourced)}
    before = (position[word] if word in named else -1 for word in stated)
    after = (position[word] if word in named else len(sourced) for word in reversed(stated))
    last, first = list(accumulate(before, max)), list(accumulate(after, min))[::-1]
    return any(
        last[at] > position[word] > first[at] for at, word in enumerate(stated) if word not in named
    )


def _naming_stems(text: str) -> list[str]:
    """Stems of the words that name something, but for numbers and months, as they come."""
    kept = (
        w for w in words(text) if w not in STOP_WORDS and w not in MONTHS and not w[0].isdigit()
    )
    return [stem(word) for word in kept]


def _once_in_both(stated: list[str], sourced: list[str]) -> tuple[list[str], list[str]]:
    """The words that are once in either list, in the order of each."""
    counts, source_counts = Counter(stated), Counter(sourced)
    both = {word for word in counts if counts[word] == source_counts[word] == 1}
    return [word for word in stated if word in both], [word for word in sourced if word in both]


def _amounts_and_dates(text: str) -> tuple[list[str], list[str]]:
    """The amounts and the numbers of dates, as they come."""
    amounts: list[str] = []
    dates: list[str] = []
    before = ""
    for match in _WORD.finditer(text):
        number = number_of(match.group())
        if number is not None:
            dated = before in MONTHS or number in years(number)
            (dates if dated else amounts).append(number)
        before = match.group().lower()
    return amounts, dates
