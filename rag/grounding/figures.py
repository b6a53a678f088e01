"""Does another document give another figure for what is counted? Pure.

"More than 8,000 people" and "the attendance at 9,000" share hardly a word: what shows that both
count the same is that the question's names stand around both and that they are of about one size.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from index.types import Hit
from rag.grounding.limits import LIMITS
from rag.query.question import QueryVariant
from rag.query.text_features import content_stems, number_of, numbers, stem, years
from rag.query.word_lists import NUMBER, SCALES
from rag.types import RankedSentence

_FIGURE = re.compile(rf"(?P<number>{NUMBER})[\s-]*(?P<scale>%|[^\W\d_]+)?")
_SHARES = ("%", "percent")
_LEAST = 100.0
"""Without a scale a smaller number counts anything."""
_PREFIX = 5
"""Letters of a word with which another form of it begins: "attend", "attendance"."""


def gives_another_figure(
    question: QueryVariant, best: RankedSentence, other: RankedSentence
) -> bool:
    """Whether a sentence of another document has another figure for what a question counts.

    All names and years of the question must stand around it: without any it may count elsewhere.

    Args:
        question: in the wording that was searched for.
        best: the sentence that answers.
        other: of another document.
    """
    if question.answer_type != "number" or not _is_another(best.text, other.text):
        return False
    asked = question.features
    named = {stem(name) for name in asked.names} | asked.years
    around = _around(other.hit)
    if not named or not named <= around:
        return False
    wanted = [one for one in asked.stems if not one.isdigit()]
    own = other.features.stems
    return (
        _held(wanted, own) >= LIMITS.figure_said and _held(wanted, around) >= LIMITS.figure_around
    )


def _is_another(first: str, second: str) -> bool:
    """Whether two sentences have no figure in common, and two of about one size."""
    mine, theirs = _figures(first), _figures(second)
    return not mine & theirs and any(
        scale == of and max(a, b) <= LIMITS.figure_size * min(a, b)
        for scale, a in mine
        for of, b in theirs
    )


def _figures(text: str) -> frozenset[tuple[str, float]]:
    """The figures of a text, each with its scale: `("", 8000.0)`, `("billion", 2.6)`; no years."""
    found = set()
    for match in _FIGURE.finditer(text):
        (number,) = numbers(match["number"]) or {""}
        scale = (match["scale"] or "").lower()
        scale = "%" if scale in _SHARES else scale if scale in SCALES else ""
        size = float(number) if re.fullmatch(r"\d+(?:\.\d+)?", number) else 0.0
        if scale or (size >= _LEAST and not (years(number) and number_of(match["number"]))):
            found.add((scale, size))
    return frozenset(figure for figure in found if figure[1])


def _around(hit: Hit) -> frozenset[str]:
    """The stems and numbers of a passage, its title, where it was written and of which year."""
    text = f"{hit.text}\n{hit.title}\n{hit.written_in}"
    return frozenset(content_stems(text)) | numbers(text) | {hit.date[:4]}


def _held(wanted: Collection[str], stems: Collection[str]) -> float:
    """The share of words that are there in some form, in [0, 1]."""
    forms = {one[:_PREFIX] for one in stems if len(one) >= _PREFIX}
    held = sum(one in stems or (len(one) >= _PREFIX and one[:_PREFIX] in forms) for one in wanted)
    return held / len(wanted) if wanted else 0.0
