"""Passages and sentences as a search and a ranking hand them on, made from a few words."""

from __future__ import annotations

from index.types import Hit, ScoredSentence
from rag.types import Evidence, RankedSentence


def hit(*texts: str, name: str = "a.txt", date: str = "", score: float = 0.5, at: int = 0) -> Hit:
    """A passage of these sentences, one blank between two, that begins at this offset."""
    sentences, start = [], at
    for text in texts:
        sentences.append(ScoredSentence(start, start + len(text), text, score))
        start += len(text) + 1
    whole = " ".join(texts)
    return Hit(
        name, "A", "", at, at + len(whole), whole, score, 1, date=date, sentences=tuple(sentences)
    )


def evidence(*texts: str, score: float = 1.0) -> tuple[Evidence, ...]:
    """Sentences of one document as numbered evidence, each a passage of its own."""
    return tuple(
        Evidence(number, RankedSentence.of(hit(text, at=1000 * number), 0, score), is_primary=True)
        for number, text in enumerate(texts, start=1)
    )
