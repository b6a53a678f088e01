"""A cross-encoder of the person's choice in the place of our own network.

It orders the sentences. The probability that any of them answers stays the first rung's: what its
numbers mean, nobody has measured for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag.reader.ranker import softmax
from rag.types import Ranking

SENTENCES = 24
"""Sentences that are read closely: the first rung's best. Most hold the answer far above that."""


class Scorer(Protocol):
    """Question and texts → one number each, higher is better."""

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """Shape (texts,)."""
        ...


class CrossEncoderReranker:
    """Divides the belief in the first rung's best sentences as a cross-encoder says."""

    certain = inf  # it says nothing about where in a sentence the answer stands

    def __init__(self, scorer: Scorer) -> None:
        """Order by these scores."""
        self._scorer = scorer

    def read(self, question: str, reading: Ranking) -> Ranking:
        """The reading in another order; the belief in the other sentences stays what it was."""
        best, others = reading.sentences[:SENTENCES], reading.sentences[SENTENCES:]
        kept = sum(one.score for one in best)
        belief = softmax(self._scorer.scores(question, [one.text for one in best])) * kept
        judged = [replace(one, score=float(b)) for one, b in zip(best, belief, strict=True)]
        ordered = sorted([*judged, *others], key=lambda one: -one.score)
        return replace(reading, sentences=tuple(ordered))
