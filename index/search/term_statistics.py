"""How common words are in a library: inverse document frequency, and the list of its words."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import log

from index.storage.snapshot import Snapshot


def idf(
    reader: Snapshot,
    terms: Iterable[str],
    documents: Collection[str] | None = None,
    dates: tuple[str, str] | None = None,
) -> dict[str, float]:
    """How rare words are: 1 for one that is nowhere, near 0 for one everywhere.

    Inverse document frequency over passages, divided by that of a word never seen.

    Args:
        reader: a state of the library.
        terms: words as `tokenization.words` makes them.
        documents: count only in these documents, as if there were no others.
        dates: count only in documents dated within these ISO dates.
    """
    total, contents = reader.counts()["passages"], None
    if documents is not None or dates is not None:
        contents = reader.contents(documents, dates)
        total = len(reader.passage_ids(contents))
    unseen = log(1 + (total + 0.5) / 0.5)
    counts = {term: reader.passages_with(term, contents) for term in dict.fromkeys(terms)}
    return {term: log(1 + (total - n + 0.5) / (n + 0.5)) / unseen for term, n in counts.items()}
