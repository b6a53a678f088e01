"""Who reads the best passages again with the question: our network, another one, or nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import Encoder, SentenceTransformerEncoder
from index.embedding.torch_backend import CrossEncoder
from rag.reader.ranker import softmax
from rag.reader.span_model import SpanModel
from rag.reader.span_reader import SpanReader, calibration
from rag.types import Ranking

OWN, NONE = "own", "none"
CROSS_ENCODER_SENTENCES = 24
"""Sentences that a cross-encoder reads: the first-stage ranker's best."""


class Reranker(Protocol):
    """Ranks the best sentences of a ranking again."""

    @property
    def short_answer_threshold(self) -> float:
        """A short answer is shown when its sentence's score times `likely` is at least this."""
        ...

    def rerank(self, question: str, ranking: Ranking) -> Ranking:
        """The ranking in a new order; of at least one sentence."""
        ...


class Scorer(Protocol):
    """Question and texts → one number each, higher is better."""

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """Shape (texts,)."""
        ...


class CrossEncoderReranker:
    """A cross-encoder of the person's choice in the place of our own network.

    It orders the sentences. The probability that any of them answers stays the first stage's: what
    its numbers mean, nobody has measured for it.
    """

    short_answer_threshold = inf  # it says nothing about where in a sentence the answer stands

    def __init__(self, scorer: Scorer) -> None:
        """Order by these scores."""
        self._scorer = scorer

    def rerank(self, question: str, ranking: Ranking) -> Ranking:
        """The ranking in another order; the scores of the sentences it does not read stay."""
        best = ranking.sentences[:CROSS_ENCODER_SENTENCES]
        others = ranking.sentences[CROSS_ENCODER_SENTENCES:]
        kept = sum(sentence.score for sentence in best)
        logits = self._scorer.scores(question, [sentence.text for sentence in best])
        shares = softmax(logits) * kept
        scored = [replace(s, score=float(share)) for s, share in zip(best, shares, strict=True)]
        ordered = sorted([*scored, *others], key=lambda sentence: -sentence.score)
        return replace(ranking, sentences=tuple(ordered))


def load_reranker(choice: str, encoder: Encoder, threads: int) -> Reranker | None:
    """The reranker for a library of this encoder; nothing is loaded yet.

    None when there shall be none, and for our own when the encoder is another one for English than
    it grew from: what the first stage says would mean something else. With one for many languages
    it reads what is English, and looks word pieces up in the packaged one.

    Args:
        choice: `own`, `none`, or a cross-encoder: its folder or its name.
        encoder: the library's.
        threads: cores to read on.

    Raises:
        ModelMissing: when there is no such cross-encoder.
    """
    if choice == NONE:
        return None
    if choice != OWN:
        return CrossEncoderReranker(CrossEncoder(choice, threads))
    if encoder.identity.revision != calibration().encoder:
        if encoder.is_english:
            return None
        encoder = SentenceTransformerEncoder(threads=threads)
    return SpanReader(encoder, _span_model(threads))


@cache
def _span_model(threads: int) -> SpanModel:
    """One for all assistants of a process."""
    return SpanModel(threads)
