"""What moves scores between sentences besides their words: the talk so far and the time asked about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from rag.query.answer_type import has_answer_type
from rag.query.text_features import content_stems, numbers, years
from rag.query.time_scope import TimeScope
from rag.reader import RankedSentence, Ranking

# Belief in a sentence that was quoted in the turn before, and in one of other documents than the
# talk has been about. Hand-set on the conversations of tests/rag/test_real_follow_ups.py.
_REPEATED, _ELSEWHERE = 0.3, 0.5


def relevance_to_follow_up(question: str, reading: Ranking, here: Collection[str]) -> float:
    """How far a reading answers the follow-up itself rather than what was carried along, in [0, 1].

    Carried words are answered well by what was said already. What is asked now is in the
    question's own words, and a talk mostly stays with its documents.

    Args:
        question: as typed.
        reading: of one of its forms.
        here: the documents the talk has been about.
    """
    if not reading.sentences:
        return 0.0
    best = reading.sentences[0]
    own = set(content_stems(question)) | numbers(question)
    there = set(content_stems(best.text)) | numbers(best.text)
    around = there | set(content_stems(f"{best.hit.title} {best.hit.text}"))
    held = (len(own & there) + len(own & around)) / (2 * len(own)) if own else 1.0
    return (1 + held) / 2 * (1.0 if best.hit.document_id in here else _ELSEWHERE)


def penalize_repeats(question: str, reading: Ranking, told: str, here: Collection[str]) -> Ranking:
    """The reading with belief moved to what the talk is about and has not said yet.

    "When was it?" may be answered by the sentence quoted before, "What did he say?" is not: a
    repeated sentence must hold the question's own words and something of the kind asked for.

    Args:
        question: as typed.
        reading: of one of its forms.
        told: the last answer.
        here: the documents the talk has been about.
    """
    own = set(content_stems(question))

    def weight(one: RankedSentence) -> float:
        again = " ".join(one.text.split()) in told
        answers = has_answer_type(question, one.text) and own <= set(content_stems(one.text))
        repeated = _REPEATED if again and not answers else 1.0
        return repeated * (1.0 if one.hit.document_id in here else _ELSEWHERE)

    weighed = [replace(one, score=one.score * weight(one)) for one in reading.sentences]
    return replace(reading, sentences=tuple(sorted(weighed, key=lambda one: -one.score)))


# Sentences believed in at least this much as compared with the best one compete by their time.
_WITHIN_REACH = 0.25


# What belief is worth when the time is wrong. Hand-set: it decides between near-equals only.
_WRONG_TIME = 0.2


def rerank_by_time(
    sentences: Sequence[RankedSentence], time: TimeScope | None
) -> tuple[RankedSentence, ...]:
    """The sentences with belief moved to those of the time asked for, best first again."""
    if time is None or not sentences:
        return tuple(sentences)
    floor = _WITHIN_REACH * max(one.score for one in sentences)
    rivals = [one for one in sentences if one.score >= floor]
    if time.relation in ("newest", "oldest"):
        known = [one.hit.date for one in rivals if one.hit.date]
        if not known:
            return tuple(sentences)
        wanted = max(known) if time.relation == "newest" else min(known)
        wrong = {id(one) for one in rivals if one.hit.date != wanted}
    else:
        wrong = {id(one) for one in rivals if not _suits(one, time)}
    weighed = [replace(s, score=s.score * _WRONG_TIME) if id(s) in wrong else s for s in sentences]
    return tuple(sorted(weighed, key=lambda one: -one.score))


def _suits(one: RankedSentence, time: TimeScope) -> bool:
    """Whether a sentence may be about a time: by its own years, else by its document's date."""
    own = sorted(years(one.text))
    if time.relation == "in":
        year = time.date[:4]
        return own[0] <= year <= own[-1] if own else _overlaps(one.hit.date, time.date)
    if not own and not one.hit.date:
        return True
    earliest, latest = (own[0], own[-1]) if own else (one.hit.date, one.hit.date)
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
