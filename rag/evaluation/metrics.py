"""How good an answer or a ranking is: pure functions over text, places and flags.

Every score lies in [0, 1]. Thresholds are named once, here; where one was published with a data
set or method, its comment says so.

What judges an answer shares nothing with what made it: the stop words, the stemmer, `numbers`,
`names` and the measure of support here are written anew on purpose, although `index.tokenization`,
`rag.query.text_features` and `rag.grounding.support` have their own. A mistake in one of those must
not pass for right because the judge makes it too.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

Need = Literal["any", "all"]

HOLDS = 0.6
"""Share of a gold paragraph, or of one gold span of several, that counts as having found it."""
RIGHT_F1 = 0.6
"""Token F1 from which an answer counts as right."""
RIGHT_CONTENT = 0.5
"""Share of a long gold answer's content words from which an answer counts as right."""
LONG_ANSWER = 5
"""Gold answers that are pieced together and have more words than this are paraphrased, not
repeated: nobody's correct answer holds them word for word."""
BRIEF_WORDS = 50
SUPPORT = 0.7
"""Share of a statement's weighted content words that its cited text must hold."""

# Han, kana and hangul: scripts whose words are not (reliably) parted by spaces.
_CJK = (
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")
_TERM = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_MARKER = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_SENTENCE_OVER = re.compile(r"(?:^|[.!?\n\u3002\uff01\uff1f])\W*$")

_FUNCTION_WORDS = """
a about after again against all also although am an and any are as at be because been before
being between both but by can could did do does doing during each either else few for from
further had has have having he hence her here hers him his how however i if in into is it its
itself just like may me might more most much must my neither no nor not of off on once only or
other our ours out over own per quite rather s same shall she should since so some such t than
that the their theirs them then there these they this those though through thus to too under
until up upon us very was we were what when where whether which while who whom whose why will
with within without would yet you your yours
"""
_STOP_WORDS = frozenset(_FUNCTION_WORDS.split())


@dataclass(frozen=True, slots=True)
class Place:
    """Characters `start` to `end` (exclusive) of a document's canonical text."""

    document: str
    start: int
    end: int


# --- words -----------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """The words of `text` in SQuAD's normal form; in CJK scripts every character is a word.

    SQuAD's form is lower case without punctuation and without a, an, the. Two widenings, the same
    for answer and gold: Unicode punctuation counts as punctuation, and compatibility characters
    (full-width digits and letters) are folded.
    """
    lowered = unicodedata.normalize("NFKC", text).lower()
    bare = "".join(
        c for c in lowered if c not in string.punctuation and unicodedata.category(c)[0] != "P"
    )
    return _WORD.findall(_ARTICLE.sub(" ", bare))


def terms(text: str) -> list[str]:
    """The content words of `text`, stemmed, in order; in CJK scripts its pairs of characters.

    English function words are left out; other languages' are left to the weights.
    """
    found: list[str] = []
    for match in _TERM.finditer(unicodedata.normalize("NFKC", text).lower()):
        word = match[0]
        if _is_cjk(word[0]):
            found.extend([word] if len(word) == 1 else map("".join, pairwise(word)))
        elif word not in _STOP_WORDS:
            found.append(_stem(word))
    return found


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    """Singular of a regular English plural (Harman's "S" rules); other words as they are."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us")):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    return word[:-1]


def _is_cjk(character: str) -> bool:
    return re.match(rf"[{_CJK}]", character) is not None


# --- answers ---------------------------------------------------------------------------------


def exact(answer: str, golds: Collection[str]) -> bool:
    """Is the answer, in normal form, one of the gold answers?"""
    said = words(answer)
    return any(said == words(gold) for gold in golds)


def f1(answer: str, golds: Collection[str]) -> float:
    """Best token F1 of the answer against any gold answer."""
    said = Counter(words(answer))
    return max((_f1(said, Counter(words(gold))) for gold in golds), default=0.0)


def _f1(said: Counter[str], gold: Counter[str]) -> float:
    if not said or not gold:
        return float(said == gold)
    shared = (said & gold).total()
    return 2 * shared / (said.total() + gold.total())


def contains(text: str, golds: Collection[str]) -> bool:
    """Does the text hold a gold answer as a run of whole words?"""
    run = _run(text)
    return any(wanted.strip() and wanted in run for wanted in map(_run, golds))


def _run(text: str) -> str:
    return f" {' '.join(words(text))} "


def is_right(answer: str, golds: Collection[str], need: Need) -> bool:
    """Does the answer say what a gold answer says?

    It holds one as a run of whole words, or reaches token F1 0.6. A gold answer pieced together
    from several spans (`need` all) and longer than a name is never repeated word for word: there
    half of its content words are enough.
    """
    if contains(answer, golds) or f1(answer, golds) >= RIGHT_F1:
        return True
    if need == "any":
        return False
    said = set(terms(answer))
    for gold in golds:
        wanted = set(terms(gold))
        long = len(words(gold)) > LONG_ANSWER
        if long and wanted and len(wanted & said) / len(wanted) >= RIGHT_CONTENT:
            return True
    return False


def first_words(text: str, count: int = BRIEF_WORDS) -> str:
    """The first `count` words of `text`; in CJK scripts every character is a word."""
    for number, match in enumerate(_WORD.finditer(text), start=1):
        if number == count:
            return text[: match.end()]
    return text


# --- places ----------------------------------------------------------------------------------


def overlap(a: Place, b: Place) -> int:
    """How many characters two places share."""
    return max(0, min(a.end, b.end) - max(a.start, b.start)) if a.document == b.document else 0


def share(part: Place, whole: Place) -> float:
    """How much of `whole` lies in `part`."""
    return overlap(part, whole) / (whole.end - whole.start) if whole.end > whole.start else 0.0


def is_hit(found: Place, gold: Sequence[Place], paragraph: Place | None, need: Need) -> bool:
    """Does `found` hold one whole gold span, or 60 % of the gold paragraph?

    Where every gold span is evidence of its own (`need` all), 60 % of one is enough.
    """
    enough = 1.0 if need == "any" else HOLDS
    if paragraph is not None and share(found, paragraph) >= HOLDS:
        return True
    return any(share(found, span) >= enough for span in gold)


def belongs(found: Place, paragraph: Place) -> bool:
    """Is `found` mostly a piece of `paragraph`, or does it hold most of it?"""
    return share(paragraph, found) > 0.5 or share(found, paragraph) >= HOLDS


def characters(found: Sequence[Place], gold: Sequence[Place]) -> tuple[float, float, float]:
    """Recall, precision and intersection over union of the characters found.

    Text returned twice is paid for twice in precision; recall and the union count it once.
    """
    wanted, got = _characters(gold), _characters(found)
    shared, returned = len(wanted & got), sum(place.end - place.start for place in found)
    return (
        shared / len(wanted) if wanted else 0.0,
        shared / returned if returned else 0.0,
        shared / len(wanted | got) if wanted | got else 0.0,
    )


def _characters(places: Sequence[Place]) -> set[tuple[str, int]]:
    return {(place.document, at) for place in places for at in range(place.start, place.end)}


# --- rankings --------------------------------------------------------------------------------


def first_of_each(keys: Sequence[Hashable]) -> list[int]:
    """Where each key stands for the first time, in order."""
    first: dict[Hashable, int] = {}
    for at, key in enumerate(keys):
        first.setdefault(key, at)
    return list(first.values())


def reciprocal_rank(relevant: Sequence[bool], k: int = 10) -> float:
    """One over the rank of the first relevant item among the first `k`; 0 without one."""
    return next((1 / rank for rank, good in enumerate(relevant[:k], start=1) if good), 0.0)


def recall(relevant: Sequence[bool], total: int, k: int) -> float:
    """Share of `total` relevant items found among the first `k`, each listed at most once."""
    return sum(relevant[:k]) / total if total else 0.0


def ndcg(relevant: Sequence[bool], total: int, k: int = 10) -> float:
    """Normalised discounted cumulative gain at `k` for items that are relevant or not.

    `total` is how many relevant items there are; each is listed at most once.
    """
    gain = sum(1 / math.log2(rank + 1) for rank, good in enumerate(relevant[:k], start=1) if good)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(total, k) + 1))
    return gain / ideal if ideal else 0.0


# --- citations -------------------------------------------------------------------------------


def markers(text: str) -> list[int]:
    """The citation numbers that `text` shows, in order: `… [1]` and `… [1, 2]`."""
    return [int(number) for group in _MARKER.findall(text) for number in group.split(",")]


def without_markers(text: str) -> str:
    """The text as it reads aloud."""
    return " ".join(_MARKER.sub(" ", text).split())


def numbers(text: str) -> set[str]:
    """The numbers in `text`; `1,000` and `1000` are one."""
    folded = unicodedata.normalize("NFKC", text)
    return {_THOUSANDS.sub("", found) for found in _NUMBER.findall(folded)}


def names(text: str) -> set[str]:
    """Capitalised words that are not capitals merely because a sentence begins, lowered.

    A word with capitals inside (`NASA`, `eBay`) is a name anywhere.
    """
    folded = unicodedata.normalize("NFKC", text)
    found = set()
    for match in _TERM.finditer(folded):
        word = match[0]
        inside = word[1:] != word[1:].lower()
        begins = _SENTENCE_OVER.search(folded, max(0, match.start() - 8), match.start())
        named = inside or (word[0].isupper() and not begins)
        if named and word.lower() not in _STOP_WORDS:
            found.add(_stem(word.lower()))
    return found


def is_supported(statement: str, cited: str, weight: Callable[[str], float]) -> bool:
    """Does the cited text hold 70 % of the statement's weighted content words, and all its facts?

    Facts are numbers and names. Without cited text nothing is supported. This sees neither
    negation nor swapped roles.

    Args:
        statement: What is said.
        cited: The quotes it points at, joined.
        weight: How much a content word counts; above 0. Usually its inverse document frequency.
    """
    if not cited.strip():
        return False
    held, said = set(terms(cited)), set(terms(statement))
    if not numbers(statement) <= numbers(cited) or not names(statement) <= held:
        return False
    total = sum(weight(term) for term in said)
    return sum(weight(term) for term in said & held) >= SUPPORT * total


# --- many questions --------------------------------------------------------------------------


def mean(values: Sequence[float]) -> float | None:
    """The mean, or None of nothing."""
    return math.fsum(values) / len(values) if values else None


def ratio(rows: Sequence[Mapping[str, float]], part: str, whole: str) -> float | None:
    """Sum of `part` over sum of `whole` in all rows; None of nothing."""
    total = math.fsum(row.get(whole, 0.0) for row in rows)
    return math.fsum(row.get(part, 0.0) for row in rows) / total if total else None


def percentile(values: Sequence[float], q: float) -> float | None:
    """The smallest value that at least a share `q` of the values do not exceed; None of nothing."""
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)] if values else None


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean difference and the range that holds it with 95 % confidence."""

    difference: float
    low: float
    high: float


def bootstrap(
    groups: Sequence[Sequence[float]], *, rounds: int = 2000, seed: int = 0
) -> Interval | None:
    """Percentile bootstrap of the mean of the groups' means; None when there are no values.

    Hand it paired differences, one a question. Each group is resampled on its own, so that a
    headline made of two means keeps its two sides; empty groups are left out.
    """
    import numpy as np

    filled = [np.asarray(group, dtype=float) for group in groups if len(group)]
    if not filled:
        return None
    random = np.random.default_rng(seed)
    drawn = np.zeros(rounds)
    for group in filled:
        for turn in range(rounds):
            drawn[turn] += group[random.integers(0, group.size, group.size)].mean()
    low, high = np.quantile(drawn / len(filled), [0.025, 0.975])
    middle = math.fsum(float(group.mean()) for group in filled) / len(filled)
    return Interval(difference=middle, low=float(low), high=float(high))


# --- the reference every search must beat ----------------------------------------------------


class Bm25:
    """Plain BM25 over texts held in memory.

    Its constants are Robertson's usual k1 = 1.2 and b = 0.75. It shares nothing with the library's
    own text search, so it can judge it.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Count the terms of `texts`, which are named by their place in the sequence."""
        self._postings: dict[str, list[tuple[int, int]]] = {}
        self._lengths: list[int] = []
        for number, text in enumerate(texts):
            counts = Counter(terms(text))
            self._lengths.append(counts.total())
            for term, count in counts.items():
                self._postings.setdefault(term, []).append((number, count))
        self._average = sum(self._lengths) / len(self._lengths) if self._lengths else 0.0

    def weight(self, term: str) -> float:
        """Inverse document frequency, above 0; highest for terms that no text holds."""
        held = len(self._postings.get(term, ()))
        return math.log(1 + (len(self._lengths) - held + 0.5) / (held + 0.5))

    def rank(self, query: str, k: int = 10) -> list[int]:
        """The numbers of the best `k` texts, best first; only texts that share a term."""
        scores: dict[int, float] = {}
        for term in terms(query):
            weight = self.weight(term)
            for number, count in self._postings.get(term, ()):
                scores[number] = scores.get(number, 0.0) + weight * self._gain(number, count)
        return [number for number, _ in sorted(scores.items(), key=_best_first)[:k]]

    def _gain(self, number: int, count: int) -> float:
        length = self._lengths[number] / self._average
        k1, b = 1.2, 0.75
        return count * (k1 + 1) / (count + k1 * (1 - b + b * length))


def _best_first(scored: tuple[int, float]) -> tuple[float, int]:
    number, score = scored
    return -score, number
