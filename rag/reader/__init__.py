"""Our own small reader: which sentence answers, and whether any does.

First rung: features without a model file (`features.py`), weighed by coefficients that are plain
data in this package (`coefficients.json`), fitted by `python -m rag.reader.train`.
"""

from rag.reader.reader import Reader, Reading, ReadSentence, Within

__all__ = ["ReadSentence", "Reader", "Reading", "Within"]
