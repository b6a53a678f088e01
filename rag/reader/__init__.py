"""Our own small reader: which sentence answers, whether any does, and in which words.

First rung: features without a model file (`features.py`), weighed by coefficients that are plain
data in this package (`coefficients.json`), fitted by `python -m rag.reader.train`. Second rung: a
network that reads the best passages with the question (`close.py`, `network.py`), trained by
`python -m rag.reader.train_network`; what it reaches is in `CARD.md`.
"""

from rag.reader.reader import Reader, Reading, ReadSentence, Within

__all__ = ["ReadSentence", "Reader", "Reading", "Within"]
