"""What moves scores besides the words of a sentence: the talk so far, the time asked about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from rag.query.question import Question
from rag.query.text_features import TextFeatures
from rag.query.time_scope import TimeScope
from rag.query.word_lists import ORDINALS
from rag.types import NEAR_BEST_SHARE, RankedSentence, Ranking


@dataclass(frozen=True, slots=True)
class PriorWeights:
    """What a sentence's score is multiplied by. Hand-set; they decide between near-equals only."""

    repeated: float = 0.3
    """When the turn before quoted it."""
    other_document: float = 0.5
    """When the talk has been about other documents."""
    wrong_time: float = 0.2
    """When it is not of the time asked about."""
    wrong_ordinal: float = 0.01
    """When it is about the first and the third is asked for."""


WEIGHTS = PriorWeights()


def relevance_to_follow_up(
    question: Question, ranking: Ranking, active_documents: Collection[str]
) -> float:
    """How far a ranking answers the follow-up itself rather than what was carried along, in [0, 1].

    Carried words are answered well by what was said already. What is asked now is in the
    question's own words, and a talk mostly stays with its documents.

    Args:
        question: the follow-up.
        ranking: of one of its variants.
        active_documents: the documents the talk has been about.
    """
    if not ranking.sentences:
        return 0.0
    best = ranking.sentences[0]
    own = _content(question.as_typed.features)
    in_sentence = _content(best.features)
    in_passage = in_sentence | TextFeatures(f"{best.hit.title} {best.hit.text}").stems
    held = (len(own & in_sentence) + len(own & in_passage)) / (2 * len(own)) if own else 1.0
    at_home = best.hit.document_id in active_documents
    return (1 + held) / 2 * (1.0 if at_home else WEIGHTS.other_document)


def _content(text: TextFeatures) -> frozenset[str]:
    return text.stems | text.numbers


def penalize_repeats(
    question: Question, ranking: Ranking, active_documents: Collection[str]
) -> Ranking:
    """The ranking with scores moved to what the talk is about and has not said yet.

    "When was it?" may be answered by the sentence quoted before, "What did he say?" is not: a
    repeated sentence must hold the question's own words and something of the type asked for.

    Args:
        question: the follow-up.
        ranking: of one of its variants.
        active_documents: the documents the talk has been about.
    """
    asked = question.as_typed

    def weight(sentence: RankedSentence) -> float:
        repeated = " ".join(sentence.text.split()) in question.last_answer
        if repeated and asked.has_answer_type(sentence.features):
            repeated = not asked.features.stems <= sentence.features.stems
        at_home = sentence.hit.document_id in active_documents
        return (WEIGHTS.repeated if repeated else 1.0) * (
            1.0 if at_home else WEIGHTS.other_document
        )

    return replace(ranking, sentences=_reweighted(ranking.sentences, weight))


def rerank_by_time(
    sentences: Sequence[RankedSentence], time: TimeScope | None
) -> tuple[RankedSentence, ...]:
    """The sentences with scores moved to those of the time asked for, best first again."""
    if time is None or not sentences:
        return tuple(sentences)
    floor = NEAR_BEST_SHARE * max(sentence.score for sentence in sentences)
    if time.relation in ("newest", "oldest"):
        dates = [s.hit.date for s in sentences if s.score >= floor and s.hit.date]
        if not dates:
            return tuple(sentences)
        wanted = max(dates) if time.relation == "newest" else min(dates)

    def weight(sentence: RankedSentence) -> float:
        if sentence.score < floor:
            return 1.0
        if time.relation in ("newest", "oldest"):
            right = sentence.hit.date == wanted
        else:
            right = _is_of(sentence, time)
        return 1.0 if right else WEIGHTS.wrong_time

    return _reweighted(sentences, weight)


def rerank_by_ordinal(
    question: Question, sentences: Sequence[RankedSentence]
) -> tuple[RankedSentence, ...]:
    """The sentences with scores moved from those about another one of a row than is asked for.

    Whoever asks for the first often means the earliest, which sentences say in other ways.
    """
    told = frozenset[str]().union(*(sentence.features.word_set for sentence in sentences))
    said = frozenset[str]().union(*(variant.features.word_set for variant in question.variants))
    asked = said & ORDINALS & told - {"first"}

    def weight(sentence: RankedSentence) -> float:
        own = sentence.features.word_set & ORDINALS
        return WEIGHTS.wrong_ordinal if own and not own & asked else 1.0

    return _reweighted(sentences, weight) if asked else tuple(sentences)


def _reweighted(
    sentences: Sequence[RankedSentence], weight: Callable[[RankedSentence], float]
) -> tuple[RankedSentence, ...]:
    """The sentences with their scores multiplied, best first again."""
    weighed = [replace(s, score=s.score * weight(s)) for s in sentences]
    return tuple(sorted(weighed, key=lambda sentence: -sentence.score))


def _is_of(sentence: RankedSentence, time: TimeScope) -> bool:
    """Whether a sentence may be about a time: by its own years, else by its document's date."""
    own, published = sorted(sentence.features.years), sentence.hit.date
    if time.relation == "in":
        year = time.date[:4]
        return own[0] <= year <= own[-1] if own else _overlaps(published, time.date)
    if not own and not published:
        return True
    earliest, latest = (own[0], own[-1]) if own else (published, published)
    wanted = time.date[: max(len(earliest), 4)]
    match time.relation:
        case "before":
            return earliest < wanted
        case "until":
            return earliest[: len(wanted)] <= wanted
        case "after":
            return latest[: len(wanted)] > wanted
        case _:
            return latest >= wanted


def _overlaps(date: str, wanted: str) -> bool:
    """Whether one ISO date lies within the other; an undated document may be of any time."""
    return not date or date.startswith(wanted) or wanted.startswith(date)
