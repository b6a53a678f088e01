"""The hand-set numbers of grounding; `rag/README.md` says what chose them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroundingLimits:
    """What is carried, what disagrees, and how much is shown beside the best sentence."""

    min_support: float = 0.7
    """Share of a statement's content words that its sentences must hold: a statement paired with a
    wrong passage passes in under 1 of 20 cases then."""
    new_neighbours: int = 3
    """Pairs of neighbours that the source has not, from which on words count as reordered."""
    loop: int = 3
    """Words that are said twice in one statement, from which on it goes round in circles."""

    conflicts: int = 2
    """Sentences shown at most that give another value than the best one."""
    conflict_coverage: float = 0.75
    """Share of the question's content words that both sentences of a conflict must hold, themselves
    or through their title."""
    conflict_likeness: float = 0.4
    """Share of the shorter sentence's words, values apart, that the other one must have too."""

    figure_said: float = 0.5
    """Share of a counting question's content words that a sentence of another document must hold,
    in some form, for its figure to be another one for the same."""
    figure_around: float = 0.75
    """The same of its passage and title, which must hold all names and years asked about."""
    figure_size: float = 1.5
    """Times by which the larger of two such figures may exceed the other."""

    value_share: float = 0.6
    """Share of the best score from which a sentence is shown beside the best one, where a number, a
    time, a person or a place is asked for."""
    value_sentences: int = 1
    """Such sentences at most."""
    prose_share: float = 0.4
    """The same share where it takes more words to answer."""
    prose_sentences: int = 2
    """Such sentences at most."""

    list_sentences: int = 24
    """Sentences of a list at most: as long as a person reads."""
    list_coverage: float = 0.66
    """Share of the words asked for that a sentence of a list must hold."""


LIMITS = GroundingLimits()
