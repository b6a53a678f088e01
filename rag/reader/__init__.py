"""Our own small reader: which sentence answers, whether any does, and in which words.

First rung: features without a model file (`features.py`), weighed by coefficients that are plain
data in this package (`coefficients.json`), fitted by `python -m rag.training.train_ranker`. Second rung: a
network that reads the best passages with the question (`close.py`, `network.py`), trained by
`python -m rag.training.train_span_reader`; what it reaches is in `CARD.md`.
"""

from rag.reader.ranker import Ranker
from rag.types import RankedSentence, Ranking, SearchScope

__all__ = ["RankedSentence", "Ranker", "Ranking", "SearchScope"]
