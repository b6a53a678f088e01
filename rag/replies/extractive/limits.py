"""How much a composition looks at and tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ComposerLimits:
    """What a composition looks at; chosen on the everyday set."""

    on_topic: float = 0.75
    """Share of the best sentence's relevance from which on another one belongs to a topic."""
    denial: float = 4.0
    """What a sentence that denies something counts more beside one of the same document that speaks
    to a claim and denies nothing."""
    certain: float = 0.7
    """The best sentence's score from which on a value asked for in a talk is as good as found."""
    voting: int = 24
    """Sentences whose scores tell which document has most on a topic."""
    paragraph: int = 140
    """Words of an open question's answer, which is filled up from around its best run."""
    unsaid: float = 0.25
    """Share of a question, weighed by rarity, that its answer may leave unsaid."""
    supplied: float = 0.25
    """Share of that which another sentence of the document says to be told too."""
    reach: int = 5
    """Paragraphs from the answer within which it stands."""
    completed: int = 80
    """Words of an answer with such a sentence."""
    tabled: float = 0.65
    """Share of the best sentence's relevance from which on a dated one is a row of a table."""
    rows: int = 3
    """Of these from which on a table has dates; else what is told of its topic has none."""


LIMITS = ComposerLimits()
