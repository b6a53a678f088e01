"""Do the sources disagree? Two sentences, two documents, the same thing, different values.

Only what can be shown without understanding: both sentences cover the question alike, both carry a
value of the kind asked for, and the values differ. Then both are quoted, with their dates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.tokenization import words
from rag.query.answer_type import answer_type
from rag.query.text_features import content_stems, dates, names, numbers, stem, years
from rag.reader import RankedSentence

# Sentences believed in at least this much as compared with the best one may contradict it.
_RIVAL = 0.25
# Share of the question's content words that both must hold, themselves or through their title.
_COVERED = 0.75
# Share of the words of the shorter sentence, values apart, that the other has too.
_ALIKE = 0.4
_MOST = 2
_QUANTITY = re.compile(
    r"(?P<number>\d+(?:[.,]\d+)*)[\s-]*(?P<unit>%|[^\W\d_]+)(?:\s+(?P<more>[^\W\d_]+))?"
)
_SCALES = frozenset("hundred thousand million billion trillion".split())


def find_conflicts(question: str, sentences: Sequence[RankedSentence]) -> list[RankedSentence]:
    """Sentences of other documents that answer with another value than the best one, at most two.

    Args:
        question: as searched for.
        sentences: from the reader, best first.
    """
    if not sentences:
        return []
    best, *others = sentences
    asked = {s for s in content_stems(question) if not s.isdigit()}
    mine = _values(question, best.text)
    if not mine or not _covers(best, asked):
        return []
    found: list[RankedSentence] = []
    for other in others:
        if len(found) == _MOST or other.score < _RIVAL * best.score:
            break
        if {other.hit.document_id, *other.hit.also} & {best.hit.document_id, *best.hit.also}:
            continue
        theirs = _values(question, other.text)
        if theirs and _differ(mine, theirs) and _covers(other, asked) and _alike(best, other):
            found.append(other)
    return found


def _values(question: str, text: str) -> frozenset[str]:
    """The values in a sentence that could answer: numbers with their unit, years, or names."""
    match answer_type(question):
        case "number":
            return _quantities(text) - _quantities(question)
        case "when":
            return frozenset(years(text) - years(question)) or frozenset(
                dates(text) - dates(question)
            )
        case "who" | "where":
            return frozenset(names(text) - names(question) - set(words(question)))
        case _:
            return frozenset()


def _quantities(text: str) -> frozenset[str]:
    """`2.6 billion people` as `billion peopl:2.6`; years are no quantities."""
    found = set()
    for match in _QUANTITY.finditer(text):
        (number,) = numbers(match["number"]) or {""}
        unit = match["unit"].lower()
        if unit in _SCALES and match["more"]:
            unit = f"{unit} {stem(match['more'].lower())}"
        if not years(number):
            found.add(f"{stem(unit)}:{number}")
    return frozenset(found)


def _differ(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether no value is shared; quantities only disagree about the same unit."""
    if mine & theirs:
        return False
    units = {value.rsplit(":", 1)[0] for value in mine if ":" in value}
    return not units or any(value.rsplit(":", 1)[0] in units for value in theirs)


def _covers(one: RankedSentence, asked: set[str]) -> bool:
    there = set(content_stems(one.text)) | set(content_stems(one.hit.title))
    return len(asked & there) >= _COVERED * len(asked)


def _alike(a: RankedSentence, b: RankedSentence) -> bool:
    one, other = (_plain_stems(s.text) for s in (a, b))
    return len(one & other) >= _ALIKE * min(len(one), len(other))


def _plain_stems(text: str) -> set[str]:
    values = numbers(text)
    return {word for word in content_stems(text) if word not in values}
