"""Plain questions: sentences that a ranking has found → the runs of them that answer.

Pure: what is told around these runs is fetched by `completion.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.grounding import composition
from rag.query.task import Request
from rag.query.text_features import features_of
from rag.replies.extractive.limits import LIMITS
from rag.types import Quotation, RankedSentence


def plain_runs(request: Request, sentences: Sequence[RankedSentence]) -> list[Quotation]:
    """The run that answers a plain question, and the best of what stands elsewhere beside it.

    A value is told in few words, the more certain the fewer; an explanation in a paragraph.
    """
    if not sentences:
        return []
    best, claim = sentences[0].score, request.task == "yes_no"
    if request.count:
        budget = min(composition.LIMITS.sentence * request.count, composition.LIMITS.explain)
        return composition.runs(sentences, budget, most=1)
    if is_open(request, sentences):
        return with_beside(
            sentences,
            composition.LIMITS.explain,
            composition.LIMITS.beside,
            composition.LIMITS.beside_share,
            claim=claim,
        )
    if request.task == "fact" and best >= composition.LIMITS.certain:
        return composition.runs(sentences, composition.LIMITS.fact, most=1)
    if claim:  # what speaks for it and what denies it stand apart
        words = composition.LIMITS.claim
        return with_beside(sentences, words, words, 0.0, claim=True)
    if request.wants_value and best < composition.LIMITS.undecided:
        return with_beside(
            sentences,
            composition.LIMITS.fact,
            composition.LIMITS.beside_value,
            composition.LIMITS.beside_share,
        )
    if request.wants_value:
        return composition.runs(sentences, composition.LIMITS.value, most=1)
    return with_beside(
        sentences,
        composition.LIMITS.explain,
        composition.LIMITS.beside,
        composition.LIMITS.beside_share,
    )


def runs_across(sentences: Sequence[RankedSentence]) -> list[Quotation]:
    """The run around the best sentence, and those around the best of what is left."""
    limits = composition.LIMITS
    made: list[Quotation] = []
    rest = list(sentences)
    for budget in (limits.across, limits.across_beside, limits.across_beside):
        if not rest or rest[0].score < limits.across_share * sentences[0].score:
            break
        made += composition.runs(rest, budget, most=1, told=made)
        rest = [sentence for sentence in rest if not any(run.holds(sentence) for run in made)]
    return made


def with_beside(
    sentences: Sequence[RankedSentence],
    budget: int,
    beside: int,
    share: float,
    *,
    claim: bool = False,
) -> list[Quotation]:
    """The run around the best sentence, and the one around the best of the others.

    What the ranking has overlooked, the search may have seen.

    Args:
        sentences: best first.
        budget: words of the first run.
        beside: words of the other.
        share: of the best sentence's score, that another one needs.
        claim: whether the best one speaks to a claim, beside which what denies something counts.
    """
    made = composition.runs(sentences, budget, most=1)
    open_ = claim and not any(features_of(run.text).negations for run in made)

    def weight(sentence: RankedSentence) -> float:
        same = any(sentence.hit.document_id == run.document_id for run in made)
        return LIMITS.denial if open_ and same and sentence.features.negations else 1.0

    rest = [
        replace(sentence, score=joint_score(sentence) * weight(sentence))
        for sentence in sentences
        if (weight(sentence) > 1.0 or sentence.score >= share * sentences[0].score)
        and not any(run.holds(sentence) for run in made)
    ]
    rest.sort(key=lambda sentence: -sentence.score)
    return made + composition.runs(rest, beside, most=1, told=made)


def is_open(request: Request, sentences: Sequence[RankedSentence]) -> bool:
    """Whether a paragraph answers better than a sentence: not where a value is as good as found."""
    certain = bool(sentences) and sentences[0].score >= LIMITS.certain
    return request.wants_paragraph and not (request.asks_value and certain)


def joint_score(sentence: RankedSentence) -> float:
    """How well a sentence answers, to the ranking and to the search together."""
    return float(sentence.score**0.5) * sentence.relevance
