"""From a question to its passages: candidates by vector and by word, ranked together."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from index.embedding.encoder import QuestionVectors
from index.languages import detection
from index.languages.detection import LanguageGroup
from index.languages.stemming import match_forms
from index.library.encoding import LibraryEncoder
from index.search import ranking, term_statistics
from index.search.search import Neighbours, Search
from index.search.selection import Selections
from index.storage.store import Snapshot, Store, require_match
from index.system.cpu import one_core
from index.system.priority import QueryPriority
from index.types import Hit, SearchScope

# Candidates that each leg hands to the joint ranking; on the visible sets more changed nothing.
_CANDIDATES = 50


class PassageSearch:
    """The search of one library, with what it remembers between questions. For many threads."""

    def __init__(
        self, store: Store, search: Search, encoder: LibraryEncoder, priority: QueryPriority
    ) -> None:
        """Search nothing yet.

        Args:
            store: what holds the passages.
            search: what finds them by vector and by word.
            encoder: what embeds questions.
            priority: told of questions that are under way.
        """
        self._store = store
        self._engine = search
        self._encoder = encoder
        self._priority = priority
        self._selections = Selections()
        # contents are numbered for good: what language one is in never changes
        self._languages: dict[tuple[str, int], LanguageGroup] = {}
        self._vocabulary: tuple[int, Mapping[str, int]] | None = None
        self._vocabulary_lock = threading.Lock()

    def hits(self, query: str, k: int, scope: SearchScope) -> list[Hit]:
        """The passages of a scope that speak to a question, best first, `k` at most.

        Raises:
            LibraryMismatch: when the library was made with another encoder.
        """
        with self._store.reading() as reader:
            if reader.encoder is None:
                return []
        newest = 0
        while True:
            encoder = self._encoder.current
            question = self._encoder.encode_query(query)
            with self._priority.question(), self._store.reading() as reader:
                if reader.encoder != encoder.identity and self._encoder.current is not encoder:
                    continue  # it was made anew with another one just now
                require_match(reader, encoder)
                # a state older than one seen before: somebody put an older file in its place
                index = self._engine.vectors.at(reader, anew=reader.generation < newest)
                if index.generation == reader.generation:
                    return self._ranked(reader, index, query, question, k, scope)
                newest = index.generation  # it came between the two: ask again

    def idf(self, terms: Iterable[str], scope: SearchScope) -> dict[str, float]:
        """How rare words are in a scope, as `term_statistics.idf` counts it."""
        with self._store.reading() as reader:
            among = self._selections.of(reader, scope)
            return term_statistics.idf(reader, self._engine.words, terms, among)

    def select(self, scope: SearchScope) -> frozenset[str] | None:
        """The ids of the documents that a scope takes; None for all of the library."""
        with self._store.reading() as reader:
            chosen = self._selections.of(reader, scope)
        return None if chosen is None else chosen.documents

    def vocabulary(self) -> Mapping[str, int]:
        """Every word of the documents and how often it occurs; kept until a change."""
        with self._vocabulary_lock:
            with self._store.reading() as reader:
                change = reader.generation
            if self._vocabulary is None or self._vocabulary[0] != change:
                self._vocabulary = change, term_statistics.Vocabulary(self._store)
            return self._vocabulary[1]

    def _ranked(
        self,
        reader: Snapshot,
        index: Neighbours,
        query: str,
        question: QuestionVectors,
        k: int,
        scope: SearchScope,
    ) -> list[Hit]:
        """The best passages of one state, whose vectors are in the index."""
        among = self._selections.of(reader, scope)
        depth = max(_CANDIDATES, 2 * k)
        near, _ = index.search(question.vector, depth, None if among is None else among.ids)
        forms = match_forms(query, reader.languages())
        matched = self._engine.words.matches(reader, forms, depth, among)
        documents = None if among is None else among.documents
        candidates = reader.passages(sorted({*map(int, near), *matched}))
        with one_core():
            others = self._other_languages(reader, {passage.content for passage in candidates})
            return ranking.rank(query, question, candidates, matched, k, documents, others)

    def _other_languages(self, reader: Snapshot, contents: set[int]) -> dict[int, LanguageGroup]:
        """Those of some contents whose language the encoder was not made for."""
        if not self._encoder.current.is_english:
            return {}
        key = reader.library
        new = {content for content in contents if (key, content) not in self._languages}
        for content, text in reader.beginnings(new, detection.BEGINNING).items():
            self._languages[key, content] = detection.language_group(text)
        groups = {content: self._languages.get((key, content), "english") for content in contents}
        return {content: group for content, group in groups.items() if group != "english"}
