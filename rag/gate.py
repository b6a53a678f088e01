"""Is the answer in these documents? One calibrated probability, three outcomes.

The probability comes from the reader (`reader/coefficients.json`, fitted by `reader/train.py` on
questions whose article was taken out of the library, and on SQuAD 2.0's own unanswerables). The
thresholds are places on its risk-coverage curve, chosen on articles that were not fitted on.
"""

from __future__ import annotations

from rag.types import State

NOT_FOUND_BELOW = 0.6
"""Chosen on a whole evaluation (400 SQuAD questions and 150 far ones, quotes only; README, "What it
reaches"). At .36, which loses 2 to 3 % of the answerable questions in libraries of one to ten
articles, 15 % of the questions pass whose article is hidden among 29, and 94 % of the near misses.
At .6 these are 1 and 79 %, for 7 instead of 4 % of the answerable ones refused and half a point
fewer of them answered right: most of what it refuses was answered wrongly before."""
PARTIAL_BELOW = 0.72
"""Below this the sentences speak to the question, but may well not answer it."""


def decide(answerable: float) -> State:
    """What to say of a question whose best sentences answer it with this probability."""
    if answerable < NOT_FOUND_BELOW:
        return "not_found"
    return "partial" if answerable < PARTIAL_BELOW else "answered"
