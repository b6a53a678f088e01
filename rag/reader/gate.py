"""Is the answer in these documents? One calibrated probability, three outcomes.

What can be seen of all candidates together goes through a logistic regression (`gate.json`, fitted
by `python -m rag.training.train_gate` on questions that are answered, questions whose passage or
article was taken out of the library, and others that people wrote so that nothing answers them).
Nothing that speaks for an answer can count against it: the fit is bound to these signs, so that
collinear features do not cancel out in libraries of another size than those fitted on.
Its bias is such that .5 is the chosen place on the risk-coverage curve of what was not fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from rag.query.question import QueryVariant
from rag.reader.features import NAMES, Candidate, Matrix, QuestionWeights
from rag.types import State

NOT_FOUND_BELOW = 0.5
"""Probability below which nothing is answered."""
PARTIAL_BELOW = 0.6
"""Probability below which the sentences speak to the question, but may well not answer it."""
CERTAIN = 0.5
"""The least logit, well above `PARTIAL_BELOW`, of what stands whole in one sentence."""
PASSAGES_SEEN = 3
"""Passages of the best sentences that may hold the numbers of a question."""
_OF_BEST = ("cosine", "names", "passage")
_WHOLE = 0.999
"""A sum of shares that is 1 but for rounding."""
_HIGHEST = ("overlap", "passage", "names")
GATE_NAMES = (
    *_OF_BEST,
    *(f"{name}_highest" for name in _HIGHEST),
    "belief",
    "unknown",
    "denial",
    "numbers_nowhere",
)


@dataclass(frozen=True, slots=True, eq=False)
class GateCoefficients:
    """The fitted numbers: a logistic regression over standardised features."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float

    def logit(self, row: NDArray[np.float64]) -> float:
        """The logit of the probability that an answer is there."""
        return float(((row - self.mean) / self.scale) @ self.weights + self.bias)


def gate_features(
    question: QueryVariant,
    weights: QuestionWeights,
    candidates: Sequence[Candidate],
    matrix: Matrix,
    belief: float,
) -> NDArray[np.float64]:
    """The gate's features: numbers about the candidates together, as in `GATE_NAMES`; float64.

    Args:
        question: in the wording that was searched for.
        weights: of the question's words.
        candidates: best first, at least one.
        matrix: their features, same order, shape (n, len(NAMES)).
        belief: the best one's ranking score as a share of all, in [0, 1].
    """
    best = [matrix[0, NAMES.index(name)] for name in _OF_BEST]
    highest = [matrix[:, NAMES.index(name)].max() for name in _HIGHEST]
    together = [belief, weights.unknown]
    asked = [_denial(question, candidates[0]), _numbers_nowhere(question, candidates)]
    return np.array([*best, *highest, *together, *asked], np.float64)


def certain(question: QueryVariant, best: Candidate, row: NDArray[np.float32]) -> bool:
    """Whether the best sentence holds all that a question names, and what it asks for.

    Then it is answered, whatever its vectors say: they make little of a few words.

    Args:
        question: in the wording that was searched for.
        best: the best sentence.
        row: its features, shape (len(NAMES),).
    """
    whole = row[NAMES.index("overlap")] >= _WHOLE and row[NAMES.index("kind")] == 1.0
    return bool(whole and not _denial(question, best))


def _denial(question: QueryVariant, best: Candidate) -> float:
    """1 when the question denies something and the best sentence denies nothing."""
    return float(question.features.negations > 0 and best.features.negations == 0)


def _numbers_nowhere(question: QueryVariant, candidates: Sequence[Candidate]) -> float:
    """The share of a question's numbers that none of the best passages holds or is dated by."""
    wanted = question.features.numbers
    if not wanted:
        return 0.0
    passages = list({id(candidate.passage): candidate.passage for candidate in candidates}.values())
    held = {passage.hit.date[:4] for passage in passages[:PASSAGES_SEEN]}
    held.update(*(passage.text.numbers for passage in passages[:PASSAGES_SEEN]))
    return len(wanted - held) / len(wanted)


def decide(answerable: float) -> State:
    """What to say of a question whose best sentences answer it with this probability."""
    if answerable < NOT_FOUND_BELOW:
        return "not_found"
    return "partial" if answerable < PARTIAL_BELOW else "answered"


@cache
def gate_coefficients() -> GateCoefficients:
    """The fitted numbers of this package; ValueError when they are for other features."""
    data = json.loads(files("rag.reader").joinpath("gate.json").read_text("utf-8"))
    if tuple(data["features"]) != GATE_NAMES:
        raise ValueError("gate.json is for other features: run python -m rag.training.train_gate")
    return GateCoefficients(
        mean=np.array(data["mean"]),
        scale=np.array(data["scale"]),
        weights=np.array(data["weights"]),
        bias=float(data["bias"]),
    )
