"""The listwise softmax: weights of a linear ranking, fitted on lists of candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_L2_PENALTY = 1e-3
"""Of the squared weights, beside the mean loss of a list in nats."""


def fit_softmax(
    matrices: Sequence[NDArray[np.float64]], gold: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """The weights under which each list's gold candidates share most of its probability.

    Deterministic: it starts from zero and looks at all lists at every step.

    Args:
        matrices: features of each list's candidates, shape (candidates, features).
        gold: which of them are right, shape (candidates,); at least one in every list.
    """
    from scipy.optimize import minimize

    rows, right = np.concatenate(matrices), np.concatenate(gold)
    starts = np.cumsum([0, *map(len, matrices)])[:-1]
    owner = np.repeat(np.arange(len(matrices)), [len(matrix) for matrix in matrices])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = rows @ weights
        scores -= np.maximum.reduceat(scores, starts)[owner]
        grown: NDArray[np.float64] = np.exp(scores)
        whole = np.add.reduceat(grown, starts)
        share = np.add.reduceat(grown * right, starts)
        pull = grown * right / share[owner] - grown / whole[owner]
        value = np.log(whole / share).mean() + _L2_PENALTY * weights @ weights
        return value, -rows.T @ pull / len(matrices) + 2 * _L2_PENALTY * weights

    fitted: Any = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B")
    return np.asarray(fitted.x)
