"""Fit `projection.npy`: `python -m index.embedding.train_projection DOCS_FOLDER…`.

Principal components of the default encoder's word pieces over the given texts, uncentred, so that
a cosine stays nearly a cosine. The shipped ones come from the visible SQuAD articles (CC BY-SA 4.0)
and single sentences of MultiHop-RAG (ODC-BY). Deterministic.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.embedding.encoder import SentenceTransformerEncoder
from index.embedding.projection import FILE, WIDTH

_SEED = 20261122
_TEXTS, _EVERY = 600, 3
_SHORTEST = 200


def fit(folders: Sequence[Path]) -> None:
    """Fit on the paragraphs of the text files in some folders, and store the directions."""
    encoder = SentenceTransformerEncoder()
    texts = [
        block
        for folder in folders
        for path in sorted(folder.glob("*.txt"))
        for block in path.read_text(encoding="utf-8").split("\n\n")
        if len(block) > _SHORTEST
    ]
    order = np.random.default_rng(_SEED).permutation(len(texts))[:_TEXTS]
    tokens = np.concatenate([encoder.token_vectors(texts[i])[::_EVERY] for i in order])
    _, vectors = np.linalg.eigh(tokens.T @ tokens)
    main = vectors[:, ::-1][:, :WIDTH].astype(np.float16)
    np.save(Path(__file__).with_name(FILE), main, allow_pickle=False)


if __name__ == "__main__":
    fit([Path(argument) for argument in sys.argv[1:]])
