"""How common words are in a library: inverse document frequency, and the list of its words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import ceil, log

from index.search.search import WordSearch
from index.search.selection import Selection
from index.storage.store import Snapshot, Store
from index.tokenization import words, words_once

COUNTED_PASSAGES = 20_000
"""Passages whose words are counted: about two million words, a second's work."""


def idf(
    reader: Snapshot,
    cache: WordSearch,
    terms: Iterable[str],
    among: Selection | None = None,
) -> dict[str, float]:
    """How rare words are: 1 for one that is nowhere, near 0 for one everywhere.

    Inverse document frequency over passages, divided by that of a word never seen.

    Args:
        reader: a state of the library.
        cache: what counts passages with a word.
        terms: words as `tokenization.words` makes them.
        among: count only in these documents, as if there were no others; in all when None.
    """
    total = reader.passages_held if among is None else len(among.ids)
    members = None if among is None else among.members
    unseen = log(1 + (total + 0.5) / 0.5)
    counts = {term: cache.passages_with(reader, term, members) for term in dict.fromkeys(terms)}
    return {term: log(1 + (total - n + 0.5) / (n + 0.5)) / unseen for term, n in counts.items()}


class Vocabulary(Mapping[str, int]):
    """The words of a library, lower case, with how often they occur.

    Of a library with more than so many passages evenly chosen articles are counted, and iterating
    gives their words. A word that is in none of them is known all the same if the text index has
    it, in this form or another of the same stem, and occurs as often as there are passages with it.
    """

    def __init__(self, store: Store, most: int = COUNTED_PASSAGES) -> None:
        """Count the words of the library as it is now, of about `most` passages."""
        self._store = store
        self._counts: Counter[str] = Counter()
        with store.reading() as reader:
            every = ceil(reader.passages_held / most) or 1
            for text in reader.article_texts(every):
                self._counts.update(words_once(text))
            for text in reader.article_names():
                self._counts.update(words_once(text))
        self._is_sample = every > 1

    def __getitem__(self, word: str) -> int:
        """How often a word occurs."""
        count = self._counts.get(word, 0)
        if not count and self._is_sample and words(word) == (word,):
            with self._store.reading() as reader:
                count = reader.passages_with(word)
        if not count:
            raise KeyError(word)
        return count

    def __iter__(self) -> Iterator[str]:
        """The words that were counted."""
        return iter(self._counts)

    def __len__(self) -> int:
        """How many words were counted."""
        return len(self._counts)
