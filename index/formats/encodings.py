"""Which encoding are some bytes in that are not UTF-8? Or is that not clear?

In most of these encodings any bytes are text, so what counts is whether the text is a language:
its accented letters are those of one alphabet, signs do not stand inside words, and its commonest
words occur. Two readings that are equally good are no answer: an article in the wrong letters is
worse than one that is to be saved again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_WEST = ("cp1252", "iso8859_15", "cp850", "mac_roman")
_EAST = ("cp1250", "iso8859_2", "cp852")
_TURKISH = ("cp1254", "cp857")
_BALTIC = ("cp1257",)
# Of old computers; between equals, that a file is from one of them is less likely.
_OLD = ("cp850", "cp852", "cp857", "mac_roman")
# Letters beyond ASCII, and words that nearly every page of the language has.
_LANGUAGES = (
    (_WEST, "äöüß", "der die das und ist nicht ein eine den dem von zu im mit auf für sich über"),
    (_WEST, "éèêëàâçîïôùûüœæ", "le la les et des est une un du dans que qui pas pour sur avec été"),
    (_WEST, "áéíóúüñ", "el la los las de que y en un una es por con para se del no más está"),
    (_WEST, "áàâãéêíóôõúç", "o a os as de que e em um uma não por com para se do da no na mais"),
    (_WEST, "àèéìíòóùú", "il la di che e un una per non con del della sono è gli nel più anche"),
    (_WEST, "àéèíïóòúüç", "el la els les de que i en un una és per amb del no a al o com si"),
    (_WEST, "éëïöüèêáóí", "de het een en van is dat niet op te zijn met voor ook aan bij"),
    (_WEST, "åäöé", "och att det som en är på för med den av inte till ett har ja on ei se että"),
    (_WEST, "åæøéòóô", "og i at det er en på for med den av ikke til et har som de på være så når"),
    (_WEST, "áéíóúýðþæö", "og að í er á sem það við með um en ekki var til hann frá þess voru"),
    (_EAST, "ąćęłńóśźż", "i w na z do się nie jest to że o jak po od za przez oraz był są tym"),
    (_EAST, "áčďéěíňóřšťúůýž", "a se na je že v to s z do o i ve pro za by jsou jako byl aby když"),
    (_EAST, "áäčďéíĺľňóôŕšťúýž", "a sa na je že v to s z do o i vo pre za by sú ako bol aby keď"),
    (_EAST, "áéíóöőúüű", "a az és hogy nem is egy volt meg de ez el csak már van mint még azt"),
    (_EAST, "čšžćđ", "in je se da na v so za ki ne z pa bi tudi i u su od o kao koji bio što"),
    (_EAST, "ăâîșțşţ", "și şi în de a la cu pe nu că o din este un care mai pentru sau au fost"),
    (_EAST, "äöüß", "der die das und ist nicht ein eine den dem von zu im mit auf für sich über"),
    (_TURKISH, "çğıöşüâîû", "ve bir bu da de için ile olarak çok daha en o gibi ne kadar var"),
    (_BALTIC, "ąčęėįšųūž", "ir yra kad su į iš kaip bet buvo o tai ne per apie tik už prie nuo"),
    (_BALTIC, "āčēģīķļņšūž", "un ir ka ar no par uz kas bija tas ne arī kā pie bet lai tika"),
    (_BALTIC, "äöõüšž", "ja on ei et see ta oli kui ka aga või oma kes mis ning seda nii"),
)
# An English article names people and places in the letters of all Western Europe.
_ENGLISH = frozenset("the of and to in is that was for it with as on by from at are her".split())
_ANY_WESTERN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœšžßðþ")
_PUNCTUATION = frozenset("„“”‚‘’«»‹›…–—•°§©®™€£¥²³¹ºª¡¿·½¼¾×´`†‡\xa0\xad")
_AFTER_WORDS = frozenset("²³¹ºª™£€¥")
_WITHIN_WORDS = frozenset("’‘–—·´`•\xa0\xad/")
_WITHIN_OLD = frozenset("’\xa0")
_OWN = 0.8
"""The share of accented letters that are of the language's own alphabet, at least."""
_MARGIN = 0.7
"""How near another reading may come to the best one; nearer, and it is not clear which it is."""
# Beyond so many letters no more than half of them have accents in any Latin script.
_SHORT, _DENSE, _DENSE_SHORT = 30, 0.5, 0.8
_FOREIGN_RUN = re.compile(r"[^\W\d_a-zA-Z]{5}")
_BEYOND = re.compile(rb"[\x80-\xff]")
# What is judged: the text for so many bytes before and after anything beyond ASCII, so much of it.
_AROUND, _ENOUGH = 200, 20_000
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read the bytes."""

    encoding: str
    letters: str
    """The letters beyond ASCII in order; readings with the same ones differ in signs only."""
    words: int
    """How many of the language's commonest words there are."""
    own: float
    """The share of accented letters that are the language's own."""

    def rank(self) -> float:
        """How much speaks for it; a strange letter in twenty costs a third of it."""
        likely = 0.75 if self.encoding in _OLD else 1.0
        return likely * (1 + self.words) * self.own**8


def latin(data: bytes) -> str | None:
    """The encoding in which the bytes are a text in Latin letters; None when they are in none.

    Raises:
        Unclear: when they may be in several.
    """
    sample = _around_accents(data)
    readings = [reading for encoding in _every() for reading in _readings(sample, encoding)]
    if not readings:
        return None
    best = max(readings, key=_Reading.rank)  # of equals the first: the commoner encoding
    others = [reading for reading in readings if reading.letters != best.letters]
    if any(reading.rank() > _MARGIN * best.rank() for reading in others):
        raise Unclear
    return best.encoding


def _around_accents(data: bytes) -> bytes:
    """Where there is something to judge."""
    parts, end, size = [], 0, 0
    while size < _ENOUGH and (found := _BEYOND.search(data, end)):
        start, end = max(end, found.start() - _AROUND), found.end() + _AROUND
        parts.append(data[start:end])
        size += end - start
    return b"".join(parts)


class Unclear(Exception):
    """The bytes make sense in more than one way."""


def is_latin(text: str) -> bool:
    """Whether most letters of a text are Latin ones without accents."""
    letters = [c for c in text if c.isalpha()]
    return 2 * sum(c.isascii() for c in letters) >= len(letters)


def _every() -> tuple[str, ...]:
    return (*_WEST, *_EAST, *_TURKISH, *_BALTIC)


def _readings(sample: bytes, encoding: str) -> Iterator[_Reading]:
    """What the bytes may be in one encoding, by language."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return
    odd = _odd_signs(text, _WITHIN_OLD if encoding in _OLD else _WITHIN_WORDS)
    if odd is None or not _plausible(text):
        return
    accents = [c for c in text.lower() if c.isalpha() and not c.isascii()]
    count = Counter(word.lower() for word in _WORD.findall(text))
    letters = "".join(c for c in text if c.isalpha() and not c.isascii())
    for encodings, alphabet, common in _LANGUAGES:
        if encoding not in encodings:
            continue
        own = (1 + sum(c in alphabet for c in accents)) / (1 + len(accents) + odd)
        if own >= _OWN:
            words = sum(count[word] for word in common.split())
            yield _Reading(encoding, letters, words, own)
    if encoding == "cp1252" and not odd and _ANY_WESTERN.issuperset(accents):
        words = sum(count[word] for word in _ENGLISH)
        if words or not accents:
            yield _Reading(encoding, letters, words, 1.0)


def _plausible(text: str) -> bool:
    """Whether capitals, accents and control characters stand where they do in Latin letters."""
    if any("\x80" <= c <= "\x9f" or c in "\x00\x7f¤" for c in text) or _FOREIGN_RUN.search(text):
        return False
    letters = [c for c in text if c.isalpha()]
    dense = _DENSE if len(letters) >= _SHORT else _DENSE_SHORT
    if sum(not c.isascii() for c in letters) > dense * len(letters):
        return False
    return not any(
        before.islower() and c.isupper() and not c.isascii() for before, c in pairwise(text)
    )


def _odd_signs(text: str, within: frozenset[str]) -> int | None:
    """How many signs there are that a text hardly has; None when one is inside a word."""
    odd = abs(text.count("«") - text.count("»"))
    for found in re.finditer(r"[^\x00-\x7f]", text):
        sign = found[0]
        if sign.isalpha():
            continue
        before = text[found.start() - 1 : found.start()].isalpha()
        after = text[found.end() : found.end() + 1].isalpha()
        if before and after and sign not in within:
            return None
        odd += sign not in _PUNCTUATION or (after and sign in _AFTER_WORDS)
    return odd
