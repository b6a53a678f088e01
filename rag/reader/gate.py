"""Is the answer in these documents? One calibrated probability, three outcomes.

What can be seen of all candidates together goes through a logistic regression (in
`coefficients.json`, fitted by `python -m rag.training.train_ranker` on questions whose article was
taken out of the library, and on SQuAD 2.0's own unanswerables). The thresholds are places on its
risk-coverage curve, chosen on articles that were not fitted on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rag.reader.features import NAMES, Matrix, QuestionWeights
from rag.types import State

NOT_FOUND_BELOW = 0.5
"""Probability below which nothing is answered: as likely as not."""
PARTIAL_BELOW = 0.55
"""Probability below which the sentences speak to the question, but may well not answer it."""
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
    weights: QuestionWeights,
    matrix: Matrix,
    scores: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The gate's features: numbers about the candidates together, as in `GATE_NAMES`; float64.

    Args:
        weights: of the question's words.
        matrix: their features, best candidate first, shape (n, len(NAMES)), n at least 1.
        scores: their ranking scores, same order, shape (n,).
        shares: their ranking scores as shares of 1, same order, shape (n,).
    """
    best = [matrix[0, NAMES.index(name)] for name in _OF_BEST]
    highest = [matrix[:, NAMES.index(name)].max() for name in _HIGHEST]
    margin = shares[0] - (shares[1] if len(shares) > 1 else 0.0)
    length = min(len(weights.weights), _MANY_WORDS) / _MANY_WORDS
    together = [shares[0], margin, scores[0], weights.unknown, length]
    return np.array([*best, *highest, *together], np.float64)


def decide(answerable: float) -> State:
    """What to say of a question whose best sentences answer it with this probability."""
    if answerable < NOT_FOUND_BELOW:
        return "not_found"
    return "partial" if answerable < PARTIAL_BELOW else "answered"
