"""Hits → sentences in order of how well they answer, and how likely any of them does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from index.languages.detection import language
from index.library import Library
from index.tokenization import has_cjk
from index.types import EVERYWHERE, Hit, SearchScope
from rag.query.question import QueryVariant
from rag.query.text_features import in_english
from rag.reader.across import Script, believe_words, pairing_of, score_across, words_row
from rag.reader.features import (
    NAMES,
    Candidate,
    Matrix,
    PassageFeatures,
    QuestionWeights,
    features,
    weigh,
)
from rag.reader.gate import CERTAIN, certain, gate_coefficients, gate_features
from rag.types import RankedSentence, Ranking


@dataclass(frozen=True, slots=True)
class RankingLimits:
    """How much is read."""

    passages: int = 6
    """Hits whose sentences are candidates, unless every hit is read."""
    sentences: int = 48
    """Candidates at most."""
    sentences_per_passage: int = 3
    """Candidates at most, times the hits, where that is more."""


LIMITS = RankingLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The sentences that may answer a question, with what can be seen of each."""

    weights: QuestionWeights
    sentences: Sequence[Candidate]
    matrix: Matrix
    """Their features, shape (len(sentences), len(NAMES))."""


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """The fitted numbers of a standardised linear ranking."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]


class Ranker:
    """Ranks the sentences of hits; what it needs of the encoder is in the hits already."""

    def __init__(self, library: Library) -> None:
        """Rank with the library's word counts."""
        self._library = library

    def rank(
        self,
        question: QueryVariant,
        hits: Sequence[Hit],
        scope: SearchScope = EVERYWHERE,
        *,
        wide: bool = False,
    ) -> Ranking:
        """The sentences of the best hits, best answer first, and whether any answers.

        Args:
            question: in the wording that was searched for.
            hits: from `Library.search`, best first.
            scope: where that search looked: words are as rare as they are there.
            wide: whether to read every hit, not only the best few.
        """
        candidates = self.examine(question, hits, scope, wide=wide)
        if not candidates.sentences:
            return Ranking((), 0.0)
        if kind := pairing_of(question.text, hits, self._library.encoder):
            scores, logit = score_across(candidates.matrix, kind)
        elif has_cjk(question.text):
            scores = score_lexical(candidates)
            logit = believe_words(gate_row_by_words(question, candidates, scores, "cjk"), "cjk")
        else:
            _, scores, logit = score_linear(question, candidates)
            if not in_english(" ".join(hit.text for hit in hits[: LIMITS.passages])):
                row = gate_row_by_words(question, candidates, scores, "latin")
                logit = believe_words(row, "latin")
                logit = _at_least(logit, question, candidates, scores)
        order = np.argsort(-scores, kind="stable")
        shares = softmax(scores)
        return Ranking(
            tuple(_ranked(candidates.sentences[i], float(shares[i])) for i in order),
            float(1.0 / (1.0 + np.exp(-logit))),
        )

    def examine(
        self,
        question: QueryVariant,
        hits: Sequence[Hit],
        scope: SearchScope = EVERYWHERE,
        *,
        wide: bool = False,
    ) -> Candidates:
        """The sentences to rank with their features, before anything is weighed; see `rank`."""
        most = len(hits) if wide else LIMITS.passages
        sentences = _candidates(
            hits[:most], max(LIMITS.sentences, LIMITS.sentences_per_passage * most)
        )
        idf = self._library.idf(question.features.words, scope=scope)
        pieces = self._library.encode_query(question.text).pieces
        # what the default encoder makes of other languages was fitted with English words alone
        code = "en" if self._library.encoder.is_english else language(question.text)
        weights = weigh(question.features, idf, pieces, code)
        return Candidates(weights, sentences, features(question, weights, sentences))


def score_linear(
    question: QueryVariant,
    candidates: Candidates,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """What the fitted numbers say of the candidates, of which there is at least one.

    Returns:
        Their features, standardised, shape (n, len(NAMES)); their scores (logits), shape (n,); and
        the logit of the probability that one of them answers.
    """
    fitted = coefficients()
    standard = (candidates.matrix - fitted.mean) / fitted.scale
    scores = standard @ fitted.weights
    logit = gate_coefficients().logit(gate_row(question, candidates, scores))
    return standard, scores, _at_least(logit, question, candidates, scores)


def _at_least(
    logit: float, question: QueryVariant, candidates: Candidates, scores: NDArray[np.float64]
) -> float:
    """The gate's logit, but no less than that of what stands whole in the best sentence."""
    best = int(np.argmax(scores))
    if certain(question, candidates.sentences[best], candidates.matrix[best]):
        return max(logit, CERTAIN)
    return logit


def gate_row(
    question: QueryVariant, candidates: Candidates, scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What the gate sees of candidates with these scores; see `gate_features`."""
    order = np.argsort(-scores, kind="stable")
    return gate_features(
        question,
        candidates.weights,
        [candidates.sentences[i] for i in order],
        candidates.matrix[order],
        float(softmax(scores).max()),
    )


def gate_row_by_words(
    question: QueryVariant, candidates: Candidates, scores: NDArray[np.float64], script: Script
) -> NDArray[np.float64]:
    """What the gate sees where the encoder does not know the documents' language."""
    hits = {candidate.passage.hit.key: candidate.passage.hit for candidate in candidates.sentences}
    passages = [f"{hit.text} {hit.title}" for hit in hits.values()]
    return words_row(question.text, passages, candidates.matrix, scores, script)


def score_lexical(candidates: Candidates) -> NDArray[np.float64]:
    """Scores (logits) for scripts that the encoder hardly knows: only words are looked at.

    The fitted numbers come from English and weigh vectors that say nothing about Chinese.
    """
    matrix = candidates.matrix.astype(np.float64)
    overlap, near, bm25 = (matrix[:, NAMES.index(n)] for n in ("overlap", "overlap_near", "bm25"))
    scores: NDArray[np.float64] = 10 * overlap + 3 * near + 2 * bm25
    return scores


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares in the order of the logits, summing to 1."""
    grown = np.exp(logits - logits.max())
    share: NDArray[np.float64] = grown / grown.sum()
    return share


def _ranked(candidate: Candidate, score: float) -> RankedSentence:
    return RankedSentence(candidate.passage.hit, candidate.position, candidate.features, score)


def _candidates(hits: Sequence[Hit], most: int) -> list[Candidate]:
    """The sentences of the hits to read: all, or the nearest as many as are wanted."""
    passages = [PassageFeatures(hit) for hit in hits]
    every = [Candidate(p, i) for p in passages for i in range(len(p.hit.sentences))]
    if len(every) <= most:
        return every
    # a very long passage must not crowd out the others: the nearest sentences overall
    nearest = sorted(every, key=lambda c: -c.passage.hit.sentences[c.position].score)[:most]
    return sorted(nearest, key=lambda c: (c.passage.hit.rank, c.position))


@cache
def coefficients() -> Coefficients:
    """The fitted numbers of this package; ValueError when they are for other features."""
    data = json.loads(files("rag.reader").joinpath("coefficients.json").read_text("utf-8"))
    if tuple(data["features"]) != NAMES:
        raise ValueError(
            "coefficients.json is for other features: run python -m rag.training.train_ranker"
        )
    return Coefficients(
        mean=np.array(data["mean"]),
        scale=np.array(data["scale"]),
        weights=np.array(data["weights"]),
    )
