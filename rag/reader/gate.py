"""Is the answer in these documents? One calibrated probability, three outcomes.

The probability comes from the reader (`reader/coefficients.json`, fitted by `reader/train.py` on
questions whose article was taken out of the library, and on SQuAD 2.0's own unanswerables). The
thresholds are places on its risk-coverage curve, chosen on articles that were not fitted on.
"""

from __future__ import annotations

from rag.types import State

NOT_FOUND_BELOW = 0.5
"""As likely as not: the gate was fitted with both sides weighing the same. Lower ones let through
too much in larger libraries (.36, which loses 2 to 3 % of the answerable questions where there are
one to ten articles, answers 15 % of the questions whose article is hidden among 29); higher ones
refuse more near misses, but also answers that are there (README, "The gate")."""
PARTIAL_BELOW = 0.55
"""Below this the sentences speak to the question, but may well not answer it."""


def decide(answerable: float) -> State:
    """What to say of a question whose best sentences answer it with this probability."""
    if answerable < NOT_FOUND_BELOW:
        return "not_found"
    return "partial" if answerable < PARTIAL_BELOW else "answered"
