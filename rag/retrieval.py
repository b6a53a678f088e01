"""Question → passages and their sentences in order: search, first ranking, reranking.

Two steps, because the first one is enough to show the best sentence or to say that the documents
do not answer: `retrieve` searches every variant of the question and ranks sentences, `refine` has
the best passages read again with the question and looks for the rest of a list and for documents
that disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from index.errors import ModelMissing
from index.library import Library
from index.tokenization import words
from index.types import Hit, SearchScope
from rag.grounding.conflicts import find_conflicts
from rag.grounding.presentation import list_items
from rag.query.question import QueryVariant, Question
from rag.query.text_features import content_stems
from rag.query.time_scope import TimeScope
from rag.reader.priors import (
    penalize_repeats,
    relevance_to_follow_up,
    rerank_by_ordinal,
    rerank_by_time,
)
from rag.reader.ranker import Ranker
from rag.reader.rerankers import Reranker
from rag.types import RankedSentence, Ranking


@dataclass(frozen=True, slots=True)
class RetrievalLimits:
    """How many passages are asked of a search."""

    hits: int = 10
    """For an answer of a few sentences."""
    list_hits: int = 60
    """For a list, which may have a member anywhere."""
    closest: int = 3
    """To tell the date of an event or what a conversation is about."""


LIMITS = RetrievalLimits()


@dataclass(frozen=True, slots=True)
class FirstPass:
    """What the first-stage ranker makes of a question."""

    question: Question
    scope: SearchScope
    variant: QueryVariant
    """The wording that the documents answer best."""
    hits: Sequence[Hit]
    ranking: Ranking
    time: TimeScope | None
    """The time that is asked about, with its date."""
    active_documents: frozenset[str]
    """The documents a follow-up's conversation has been about."""

    def adjusted(self, ranking: Ranking) -> Ranking:
        """A ranking with scores moved to what the talk, the time and the place in a row favour."""
        if self.question.is_follow_up:
            ranking = penalize_repeats(self.question, ranking, self.active_documents)
        timed = rerank_by_time(ranking.sentences, self.time)
        return replace(ranking, sentences=rerank_by_ordinal(self.question, timed))


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the documents have for a question."""

    question: Question
    variant: QueryVariant
    """The wording that the documents answer best."""
    hits: Sequence[Hit]
    ranking: Ranking
    list_items: Sequence[RankedSentence] = ()
    """When a list is asked for: its sentences."""
    conflicts: Sequence[RankedSentence] = ()
    """Sentences of other documents that give another value than the best one."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One variant, searched for and ranked."""

    variant: QueryVariant
    hits: Sequence[Hit]
    ranking: Ranking


class Retriever:
    """Finds passages and ranks their sentences. Usable from many threads."""

    def __init__(self, library: Library, reranker: Reranker | None) -> None:
        """Search in a library; with a reranker, or with the first ranking alone."""
        self._library = library
        self._ranker = Ranker(library)
        self._reranker = reranker
        self._reranker_missing = ""

    @property
    def reranker(self) -> Reranker | None:
        """Who reads the best passages again; None when nobody does, or not any more."""
        return self._reranker

    @property
    def reranker_missing(self) -> str:
        """Why the reranker that was wanted is not used any more; empty while it is."""
        return self._reranker_missing

    def retrieve(self, question: Question, scope: SearchScope) -> FirstPass:
        """The passages and the first ranking of the variant that the documents answer best."""
        attempts = [self._attempt(variant, scope) for variant in question.variants]
        time = question.time and question.time.resolve(partial(self._date_of, scope))
        active = frozenset[str]()
        if question.is_follow_up:
            about = self._search(question.topic, scope, LIMITS.closest)[:1]
            active = frozenset(hit.document_id for hit in about)

        def relevance(attempt: _Attempt) -> float:
            """How likely the variant's sentences answer, and answer what is asked now."""
            ranking = attempt.ranking
            if not question.is_follow_up:
                return ranking.answerable
            fresh = penalize_repeats(question, ranking, active)
            return ranking.answerable * relevance_to_follow_up(question, fresh, active)

        best = max(attempts, key=relevance)
        return FirstPass(question, scope, best.variant, best.hits, best.ranking, time, active)

    def refine(self, first: FirstPass) -> Retrieved:
        """The final ranking, with what belongs beside its best sentence."""
        reranked = self._rerank(first)
        hits = first.hits if reranked is first.ranking else _in_order(first.hits, reranked)
        ranking = first.adjusted(reranked)
        items: Sequence[RankedSentence] = ()
        if first.question.wants_list and ranking.sentences:
            items = self._list_items(first.variant, first.scope)
        conflicts: Sequence[RankedSentence] = ()
        # 2023's figure and 2025's are asked for, and contradict nothing
        if not items and len(first.question.request.parts) < 2:
            timed = first.time is not None
            conflicts = find_conflicts(first.variant, ranking.sentences, timed=timed)
        return Retrieved(first.question, first.variant, hits, ranking, items, conflicts)

    def _attempt(self, variant: QueryVariant, scope: SearchScope) -> _Attempt:
        hits = self._search(variant.text, scope)
        if variant.speaker:
            hits = _attributed_to(variant.speaker, hits)
        return _Attempt(variant, hits, self._ranker.rank(variant, hits, scope))

    def _rerank(self, first: FirstPass) -> Ranking:
        """The second-stage ranking; of a follow-up the first one.

        The wording that a follow-up was found by is none that anybody would ask, and no network
        here has learnt to read it.
        """
        reranker = self._reranker  # another question may give it up meanwhile
        if reranker and first.ranking.sentences and not first.question.is_follow_up:
            try:
                return reranker.rerank(first.variant.text, first.ranking)
            except ModelMissing as error:
                # from this question on the first ranking decides alone, and every answer says so
                self._reranker, self._reranker_missing = None, str(error)
        return first.ranking

    def _list_items(self, variant: QueryVariant, scope: SearchScope) -> list[RankedSentence]:
        """The sentences of a list: every passage is looked at, not only those of the best."""
        hits = self._search(variant.text, scope, LIMITS.list_hits)
        return list_items(variant, self._ranker.rank(variant, hits, scope, wide=True).sentences)

    def _date_of(self, scope: SearchScope, event: str) -> str:
        """The date of the passage that names an event, empty when none names it whole."""
        wanted = set(content_stems(event))
        for hit in self._search(event, scope, LIMITS.closest):
            if wanted <= set(content_stems(f"{hit.title} {hit.text}")):
                return hit.date
        return ""

    def _search(self, query: str, scope: SearchScope, k: int = LIMITS.hits) -> list[Hit]:
        return self._library.search(query, k, scope=scope)


def _in_order(hits: Sequence[Hit], ranking: Ranking) -> list[Hit]:
    """The hits in the order of their best sentences, those without one behind."""
    ranked = {sentence.hit.key: sentence.hit for sentence in ranking.sentences}
    ordered = [*ranked.values(), *(hit for hit in hits if hit.key not in ranked)]
    return _ranked_anew(ordered)


def _attributed_to(speaker: frozenset[str], hits: Sequence[Hit]) -> list[Hit]:
    """The hits that name a speaker in their passage, title, author or source."""
    return _ranked_anew(
        [
            hit
            for hit in hits
            if speaker & set(words(f"{hit.text} {hit.title} {hit.author} {hit.source}"))
        ]
    )


def _ranked_anew(hits: Sequence[Hit]) -> list[Hit]:
    return [replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1)]
