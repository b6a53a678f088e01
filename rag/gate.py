"""Is the answer in these documents? One calibrated probability, three outcomes.

The probability comes from the reader (`reader/coefficients.json`, fitted by `reader/train.py` on
questions whose article was taken out of the library, and on SQuAD 2.0's own unanswerables). The
thresholds are places on its risk-coverage curve, chosen on articles that were not fitted on.
"""

from __future__ import annotations

from rag.types import State

NOT_FOUND_BELOW = 0.36
"""On held-out articles this refuses 99 % of the questions whose article is not there, and 2 to 3 %
of those whose article is; the whole curve is in `reader/coefficients.json`."""
PARTIAL_BELOW = 0.48
"""Below this the sentences speak to the question, but may well not answer it."""


def decide(answerable: float) -> State:
    """What to say of a question whose best sentences answer it with this probability."""
    if answerable < NOT_FOUND_BELOW:
        return "not_found"
    return "partial" if answerable < PARTIAL_BELOW else "answered"
