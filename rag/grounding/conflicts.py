"""Do the sources disagree? Two sentences, two documents, the same thing, different values.

Only what can be shown without understanding: both sentences cover the question alike, both carry a
value of the kind asked for, and the values differ; or under one title both say the same in the same
words but for a number, a name or a "not"; or both have a figure of about one size for what is
counted (`figures`). Then both are quoted, with their dates, newest first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.tokenization import STOP_WORDS
from rag.grounding.figures import gives_another_figure
from rag.grounding.limits import LIMITS
from rag.query.question import QueryVariant
from rag.query.text_features import (
    TextFeatures,
    content_stems,
    negations,
    number_of,
    numbers,
    stem,
    years,
)
from rag.query.word_lists import NUMBER, SCALES
from rag.types import NEAR_BEST_SHARE, Group, RankedSentence, Verified

_QUANTITY = re.compile(
    rf"(?P<number>{NUMBER})[\s-]*(?P<unit>%|[^\W\d_]+)(?:\s+(?P<more>[^\W\d_]+))?"
)


def find_conflicts(
    question: QueryVariant, sentences: Sequence[RankedSentence], *, timed: bool = False
) -> list[RankedSentence]:
    """Sentences of other documents that say otherwise than the best one, at most two.

    Args:
        question: in the wording that was searched for.
        sentences: ranked, best first.
        timed: whether a time is asked about: then only figures whose passage tells that time
            disagree, for what was so at another time contradicts nothing.
    """
    if not sentences:
        return []
    best, *others = sentences
    asked = {s for s in question.features.stems if not s.isdigit()}
    mine = _values(question, best.features) if _covers(best, asked) else frozenset()
    found: list[RankedSentence] = []
    for other in others:
        if len(found) == LIMITS.conflicts:
            break
        if {other.hit.document_id, *other.hit.also} & {best.hit.document_id, *best.hit.also}:
            continue
        theirs = _values(question, other.features) if mine else frozenset()
        valued = theirs and _differ(mine, theirs) and _covers(other, asked) and _alike(best, other)
        is_near = not timed and other.score >= NEAR_BEST_SHARE * best.score
        told = any(other.hit.document_id == one.hit.document_id for one in found)
        if (is_near and (valued or _differ_in_a_value(question, best, other))) or (
            not told and gives_another_figure(question, best, other)
        ):
            found.append(other)
    return found


def newest_first(
    statements: Sequence[Verified], disagreeing: Sequence[RankedSentence]
) -> tuple[list[Verified], tuple[Group, ...]]:
    """The statements with those that disagree before the others, and each of these by its date.

    Args:
        statements: as they would be told.
        disagreeing: sentences that say different things; of a quote of theirs the date is the
            document's. Quotes of documents without one come last, by their titles.
    """
    dates = {sentence.key: sentence.hit.date for sentence in disagreeing}
    apart = [
        statement
        for statement in statements
        if statement.quoted and statement.evidence[0].key in dates
    ]
    apart.sort(key=lambda statement: dates[statement.evidence[0].key], reverse=True)
    groups = tuple(
        Group(hit.date or hit.title or hit.document_id, (number,))
        for number, hit in enumerate(
            (statement.evidence[0].sentence.hit for statement in apart), start=1
        )
    )
    return [*apart, *(statement for statement in statements if statement not in apart)], groups


def _differ_in_a_value(question: QueryVariant, a: RankedSentence, b: RankedSentence) -> bool:
    """Whether two versions of a text differ here, in what the question does not tell apart."""
    one, other, asked = a.features, b.features, question.features.stems
    return (
        _frame(one) == _frame(other) != frozenset()
        and content_stems(a.hit.title) == content_stems(b.hit.title)
        and asked & one.stems == asked & other.stems
        and (one.numbers, one.names, one.negations > 0)
        != (other.numbers, other.names, other.negations > 0)
    )


def _frame(text: TextFeatures) -> frozenset[str]:
    """What a sentence says but for its numbers, its names, and whether it denies."""
    return frozenset(
        stem(word)
        for word in text.word_set - STOP_WORDS - text.names
        if number_of(word) is None and not negations(word)
    )


def _values(question: QueryVariant, text: TextFeatures) -> frozenset[str]:
    """The values in a sentence that could answer: numbers with their unit, years, or names."""
    asked = question.features
    match question.answer_type:
        case "number":
            return _quantities(text.text) - _quantities(asked.text)
        case "when":
            return (text.years - asked.years) or (text.dates - asked.dates)
        case "who" | "where":
            return text.names - asked.names - asked.word_set
        case _:
            return frozenset()


def _quantities(text: str) -> frozenset[str]:
    """`2.6 billion people` as `billion peopl:2.6`; years are no quantities."""
    found = set()
    for match in _QUANTITY.finditer(text):
        (number,) = numbers(match["number"]) or {""}
        unit = match["unit"].lower()
        if unit in SCALES and match["more"]:
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
    there = one.features.stems.union(content_stems(one.hit.title))
    return len(asked & there) >= LIMITS.conflict_coverage * len(asked)


def _alike(a: RankedSentence, b: RankedSentence) -> bool:
    one, other = (s.features.stems - s.features.numbers for s in (a, b))
    return len(one & other) >= LIMITS.conflict_likeness * min(len(one), len(other))
