"""Which sentence answers, whether any does, and in which words.

First stage (`ranker.py`): features without a model file (`features.py`), weighed by coefficients
that are plain data in this package (`coefficients.json`), fitted by
`python -m rag.training.train_ranker`; then the gate (`gate.py`, `gate.json`), fitted by
`python -m rag.training.train_gate`. Second stage (`rerankers.py`): a network that reads the best
passages with the question (`span_reader.py`, `span_model.py`), trained by
`python -m rag.training.train_span_reader`; what it reaches is in `MODEL_CARD.md`.
"""
