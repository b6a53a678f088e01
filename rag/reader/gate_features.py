"""What can be seen of whether the question is answered at all, from its candidates together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rag.reader.features import NAMES, Matrix, Question

_OF_BEST = (
    "cosine", "late", "late_content", "late_weakest", "overlap", "overlap_near",
    "overlap_passage", "names", "names_passage", "numbers", "kind", "passage", "dense", "bm25",
    "rank", "numbers_passage",
)  # fmt: skip
_HIGHEST = ("late_content", "overlap", "overlap_passage", "passage", "names")
_MANY_WORDS = 12
GATE_NAMES = (
    *_OF_BEST,
    *(f"{name}_highest" for name in _HIGHEST),
    "belief",
    "margin",
    "score",
    "unknown",
    "length",
)


def gate_features(
    question: Question,
    matrix: Matrix,
    scores: NDArray[np.float64],
    belief: NDArray[np.float64],
) -> NDArray[np.float64]:
    """One row of numbers about the candidates together, in the order of `GATE_NAMES`; float64.

    Args:
        question: taken apart.
        matrix: their features, best candidate first, shape (n, len(NAMES)), n at least 1.
        scores: their ranking scores, same order, shape (n,).
        belief: their shares of belief, same order, shape (n,).
    """
    best = [matrix[0, NAMES.index(name)] for name in _OF_BEST]
    highest = [matrix[:, NAMES.index(name)].max() for name in _HIGHEST]
    margin = belief[0] - (belief[1] if len(belief) > 1 else 0.0)
    words = min(len(question.weights), _MANY_WORDS) / _MANY_WORDS
    told = [belief[0], margin, scores[0], question.unknown, words]
    return np.array([*best, *highest, *told], np.float64)
