"""What the library has on a topic: its passages, its documents, and how much of it they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from rapidfuzz import fuzz

from index import Hit, Library
from index.tokenization import STOP_WORDS, words
from index.types import EVERYWHERE, DocumentRecord, SearchScope, title_from_id
from rag.grounding.composition import weighted_coverage
from rag.query.question import QueryVariant
from rag.query.text_features import features_of, stem
from rag.reader.ranker import Ranker
from rag.types import RankedSentence, Ranking


@dataclass(frozen=True, slots=True)
class TopicLimits:
    """How a topic is told to be there; chosen on the everyday set."""

    hits: int = 10
    """Passages for one side of a comparison, or one part of a question."""
    wide_hits: int = 40
    """For a topic over all documents."""
    list_hits: int = 60
    named: float = 78.0
    """Likeness (rapidfuzz, 0 to 100) from which on words name a document."""
    voted: float = 0.5
    """Share of the best document's votes from which on a search names a document."""
    telling: float = 0.75
    """Share of the rarest word's rarity from which on a word has to be there."""
    anchor: float = 2.0
    """Power of a passage's coverage of the question by which its sentences' scores shrink."""


LIMITS = TopicLimits()
_FRAME = frozenset(
    "article articles document documents file files text texts everything know say mention"
    " mentions mentioned names named described covered discussed".split()
)
"""Words by which one asks what documents hold; they name no topic."""
_KIND = r"(?:article|report|text|document|paper|piece|story|file|note)"
_IN_DOCUMENT = re.compile(
    rf"\b(?:in|of|from|by) (?:the |my )?(?P<name>[^,;?]{{3,60}}?) {_KIND}s?\b"
    rf"|\b{_KIND} (?:on|about) (?:the )?(?P<subject>[^,;?]{{3,60}})",
    re.IGNORECASE,
)
"""A document that a question says it is about: "in the Hiroshima article"."""


class TopicSearch:
    """Finds what a library has on a topic. Usable from many threads."""

    def __init__(self, library: Library) -> None:
        """Look in this library."""
        self._library = library
        self._ranker = Ranker(library)

    def search(self, topic: str, scope: SearchScope, hits: int = LIMITS.hits) -> list[Hit]:
        """The best passages, best first."""
        return self._library.search(topic, hits, scope=scope)

    def rank(self, query: str, scope: SearchScope, hits: int) -> Ranking:
        """Every sentence of the best passages, ranked."""
        variant = QueryVariant.of(query)
        passages = self.search(query, scope, hits)
        return self._ranker.rank(variant, passages, scope, wide=True)

    def by_relevance(self, topic: str, scope: SearchScope, hits: int) -> list[RankedSentence]:
        """Every sentence of the best passages by how much it is about a topic, most first.

        A topic asks nothing, so the ranking fitted on questions has nothing to say of it: the
        search's own relevance of the passage and the sentence's cosine have.
        """
        passages = self.search(topic, scope, hits)
        sentences = [
            RankedSentence(hit, position, features_of(sentence.text), 0.0)
            for hit in passages
            for position, sentence in enumerate(hit.sentences)
        ]
        ranked = (replace(sentence, score=sentence.relevance) for sentence in sentences)
        return sorted(ranked, key=lambda sentence: -sentence.score)

    def anchored(self, topic: str, ranking: Ranking, scope: SearchScope) -> Ranking:
        """The ranking with sentences moved back whose passage lacks what the question names."""
        weights = self.weights(topic, scope, unknown=False)
        coverage: dict[tuple[str, int], float] = {}
        for sentence in ranking.sentences:
            key = (sentence.hit.document_id, sentence.hit.start)
            if key not in coverage:
                own = features_of(sentence.hit.text).stems
                names = f"{sentence.hit.title} {sentence.hit.written_in}"
                around = own | features_of(names).stems
                coverage[key] = 0.2 * weighted_coverage(weights, own) + 0.8 * weighted_coverage(
                    weights, around
                )
        best = max(coverage.values(), default=0.0)
        if not best:
            return ranking
        moved = [
            replace(
                sentence, score=sentence.score * _share(coverage, sentence, best) ** LIMITS.anchor
            )
            for sentence in ranking.sentences
        ]
        return replace(
            ranking, sentences=tuple(sorted(moved, key=lambda sentence: -sentence.score))
        )

    def covered(self, topic: str, hits: Sequence[Hit], scope: SearchScope) -> float:
        """The share of a topic, weighed by rarity, that one of the best passages holds."""
        weights = self.weights(topic, scope, unknown=True)
        return max((weighted_coverage(weights, stems_around(hit)) for hit in hits[:6]), default=0.0)

    def weights(self, topic: str, scope: SearchScope, *, unknown: bool) -> dict[str, float]:
        """A topic's stems with their rarity, squared; those that are nowhere only if asked for."""
        content = topic_words(topic)
        idf = self._library.idf(content, scope=scope)
        weights: dict[str, float] = {}
        for word in content:
            if unknown or idf[word] < 1.0:
                weights[stem(word)] = max(weights.get(stem(word), 0.0), idf[word] ** 2)
        return weights

    def telling(self, topic: str, scope: SearchScope) -> frozenset[str]:
        """The stems of the rarest words of a topic that the library has."""
        weights = self.weights(topic, scope, unknown=False)
        most = max(weights.values(), default=0.0)
        return frozenset(w for w, v in weights.items() if v >= LIMITS.telling**2 * most)

    def records(self, scope: SearchScope) -> list[DocumentRecord]:
        """The documents that are looked in."""
        chosen = scope.documents
        return [
            record for record in self._library.documents() if chosen is None or record.id in chosen
        ]

    def titled(self, topic: str, scope: SearchScope = EVERYWHERE) -> DocumentRecord | None:
        """The document whose title or file's name these words are, or are a part of."""
        wanted = " ".join(words(topic))
        best = max(self.records(scope), key=partial(likeness, wanted), default=None)
        return best if best and likeness(wanted, best) >= LIMITS.named else None

    def is_title(self, question: str, scope: SearchScope) -> bool:
        """Whether what a question names are words, two or more, of one document's title."""
        wanted = set(topic_words(question))
        records = self.records(scope) if len(wanted) > 1 else []
        return sum(wanted <= self.name_of(record) for record in records) == 1

    def document_asked(self, question: str, scope: SearchScope) -> DocumentRecord | None:
        """The document that a question says it is about: "in the Hiroshima article"."""
        found = _IN_DOCUMENT.search(question)
        name = found["name"] or found["subject"] if found else ""
        wanted = [w for w in words(name) if w not in STOP_WORDS and w not in _FRAME]
        return self.titled(" ".join(wanted), scope) if wanted else None

    def name_of(self, record: DocumentRecord) -> frozenset[str]:
        """The words of a document's title and file's name."""
        return frozenset(words(f"{record.title} {title_from_id(record.id)}"))

    def document_named(self, topic: str, scope: SearchScope) -> DocumentRecord | None:
        """The document that words name by its title, its file's name or its subject."""
        records = self.records(scope)
        if len(records) == 1:
            return records[0]
        if not topic.strip() or not records:
            return None
        content = [word for word in words(topic) if word not in STOP_WORDS]
        called = [r for r in records if content and set(content) <= self.name_of(r)]
        if len(called) == 1:  # by its own name, whatever else speaks of it more
            return called[0]
        wanted = " ".join(content) or topic.lower()
        votes: dict[str, float] = {}
        hits = self.search(topic, scope)
        for hit in hits:
            votes[hit.document_id] = votes.get(hit.document_id, 0.0) + hit.score / (1 + hit.rank)
        most = max(votes.values(), default=0.0) or 1.0

        def rating(record: DocumentRecord) -> float:
            return likeness(wanted, record) / 100 + 0.8 * votes.get(record.id, 0.0) / most

        best = max(records, key=rating)
        named = likeness(wanted, best) >= LIMITS.named
        return best if named or votes.get(best.id, 0.0) >= LIMITS.voted * most else None


def likeness(wanted: str, record: DocumentRecord) -> float:
    """How far words name a document by its title or its file's name, 0 to 100."""
    names = (" ".join(words(record.title)), " ".join(words(title_from_id(record.id))))
    return max(fuzz.token_set_ratio(wanted, name) for name in names)


def topic_words(topic: str) -> list[str]:
    """The words of a topic that name something; all but the stop words where none does."""
    content = [word for word in words(topic) if word not in STOP_WORDS]
    return [word for word in content if word not in _FRAME] or content


def stems_around(hit: Hit) -> frozenset[str]:
    """The stems of a passage, its document's names, and where that was written."""
    names = f"{hit.title}\n{title_from_id(hit.document_id)}\n{hit.written_in}"
    return features_of(f"{hit.text}\n{names}").stems


def _share(coverage: dict[tuple[str, int], float], sentence: RankedSentence, best: float) -> float:
    """A passage's coverage as compared with the best passage's, in (0, 1]."""
    return (0.1 + coverage[sentence.hit.document_id, sentence.hit.start]) / (0.1 + best)
