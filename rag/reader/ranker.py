"""Hits → sentences in order of how well they answer, and how likely any of them does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from index import Hit
from index.library import Library
from index.tokenization import has_cjk, words
from rag.query.text_features import in_english
from rag.reader.features import NAMES, Candidate, Matrix, Question, analyze, features
from rag.reader.gate_features import GATE_NAMES, gate_features
from rag.types import EVERYWHERE, RankedSentence, Ranking, SearchScope

# Passages read closely, and sentences in them at most: 48, or 3 a passage when many are read.
_PASSAGES, _SENTENCES, _EACH = 6, 48, 3


# Nats by which the gate believes too little in other languages: question words, names by capitals
# and endings are English. Of 120 XQuAD-de questions 41 % were refused at first, 15 % with this, and
# 99 % of those whose article is hidden; of 120 others 33 and 10 %, and 93 %.
_OTHER_LANGUAGE = 1.4


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """A question and the sentences that may answer it, with what can be seen of each."""

    question: Question
    places: Sequence[tuple[Hit, int]]
    """The sentences: a hit, and which of its sentences."""
    matrix: Matrix
    """Their features, shape (len(places), len(NAMES))."""


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """The fitted numbers: a standardised linear ranking and a logistic gate."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    gate_mean: NDArray[np.float64]
    gate_scale: NDArray[np.float64]
    gate_weights: NDArray[np.float64]
    gate_bias: float


class Ranker:
    """Reads the best hits closely; what it needs of the encoder is in the hits already."""

    def __init__(self, library: Library) -> None:
        """Read with the library's word counts."""
        self._library = library

    def read(
        self,
        question: str,
        hits: Sequence[Hit],
        within: SearchScope = EVERYWHERE,
        *,
        wide: bool = False,
    ) -> Ranking:
        """The sentences of the best hits, best answer first, and whether any answers.

        Args:
            question: as typed (or as resolved from the conversation).
            hits: from `Library.search`, best first.
            within: where that search looked: words are as rare as they are there.
            wide: whether to read every hit, not only the best few.
        """
        seen = self.examine(question, hits, within, wide=wide)
        if not seen.places:
            return Ranking((), 0.0)
        judge = score_lexical if has_cjk(question) else score_linear
        _, scores, logit = judge(seen)
        if judge is score_linear and not in_english(" ".join(hit.text for hit in hits[:_PASSAGES])):
            logit += _OTHER_LANGUAGE
        order = np.argsort(-scores, kind="stable")
        belief = softmax(scores)
        return Ranking(
            tuple(_read(seen, int(i), float(belief[i])) for i in order),
            float(1.0 / (1.0 + np.exp(-logit))),
        )

    def examine(
        self,
        question: str,
        hits: Sequence[Hit],
        within: SearchScope = EVERYWHERE,
        *,
        wide: bool = False,
    ) -> Candidates:
        """Everything there is to see, before anything is weighed."""
        most = len(hits) if wide else _PASSAGES
        places = _places(hits[:most], max(_SENTENCES, _EACH * most))
        idf = self._library.idf(words(question), documents=within.documents, dates=within.dates)
        pieces = self._library.question(question).pieces
        taken = analyze(question, idf, pieces)
        return Candidates(taken, places, features(taken, [_candidate(*place) for place in places]))


def score_linear(
    seen: Candidates,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """What the fitted numbers say of the candidates, of which there is at least one.

    Returns:
        Their features, standardised, shape (n, len(NAMES)); their scores in nats, shape (n,); and
        the logit of the probability that one of them answers.
    """
    fitted = coefficients()
    standard = (seen.matrix - fitted.mean) / fitted.scale
    scores = standard @ fitted.weights
    order = np.argsort(-scores, kind="stable")
    belief = softmax(scores)
    gate = gate_features(seen.question, seen.matrix[order], scores[order], belief[order])
    logit = ((gate - fitted.gate_mean) / fitted.gate_scale) @ fitted.gate_weights
    return standard, scores, float(logit + fitted.gate_bias)


def score_lexical(seen: Candidates) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """As `score_linear`, for scripts that the encoder hardly knows: only words are looked at.

    The fitted numbers come from English and weigh vectors that say nothing about Chinese. With
    them 58 % of 60 XQuAD-zh questions had the right sentence first, so 68 %; the round numbers
    below were set on those 60, where .2 of a question's (weighted) pairs of characters part the
    answerable ones (9 in 10 above) from those whose article is hidden (9 in 10 below).
    """
    matrix = seen.matrix.astype(np.float64)
    overlap, near, bm25 = (matrix[:, NAMES.index(n)] for n in ("overlap", "overlap_near", "bm25"))
    scores = 10 * overlap + 3 * near + 2 * bm25
    return matrix, scores, float(25 * (overlap[np.argmax(scores)] - 0.2) + 0.2)


def softmax(nats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of belief, summing to 1."""
    grown = np.exp(nats - nats.max())
    share: NDArray[np.float64] = grown / grown.sum()
    return share


def _read(seen: Candidates, i: int, belief: float) -> RankedSentence:
    hit, position = seen.places[i]
    one = hit.sentences[position]
    return RankedSentence(hit, position, one.start, one.end, one.text, belief)


def _candidate(hit: Hit, position: int) -> Candidate:
    sentence = hit.sentences[position]
    return Candidate(
        text=sentence.text,
        before=hit.sentences[position - 1].text if position else "",
        after=hit.sentences[position + 1].text if position + 1 < len(hit.sentences) else "",
        passage=hit.text,
        title=hit.title,
        attribution=f"{hit.source} {hit.author}",
        year=hit.date[:4],
        first=position == 0,
        cosine=sentence.score,
        passage_score=hit.score,
        dense=hit.dense,
        bm25=hit.lexical,
        rank=hit.rank,
        token_max_similarities=sentence.token_max_similarities,
    )


def _places(hits: Sequence[Hit], most: int) -> list[tuple[Hit, int]]:
    """Which sentences of the hits to read: all, or as many as are wanted."""
    every = [(hit, i) for hit in hits for i in range(len(hit.sentences))]
    if len(every) <= most:
        return every
    # a very long passage must not crowd out the others: the nearest sentences overall
    nearest = sorted(every, key=lambda place: -place[0].sentences[place[1]].score)[:most]
    return sorted(nearest, key=lambda place: (place[0].rank, place[1]))


@cache
def coefficients() -> Coefficients:
    """The fitted numbers of this package; ValueError when they are for other features."""
    data = json.loads(files("rag.reader").joinpath("coefficients.json").read_text("utf-8"))
    if tuple(data["features"]) != NAMES or tuple(data["gate_features"]) != GATE_NAMES:
        raise ValueError(
            "coefficients.json is for other features: run python -m rag.training.train_ranker"
        )
    return Coefficients(
        mean=np.array(data["mean"]),
        scale=np.array(data["scale"]),
        weights=np.array(data["weights"]),
        gate_mean=np.array(data["gate_mean"]),
        gate_scale=np.array(data["gate_scale"]),
        gate_weights=np.array(data["gate_weights"]),
        gate_bias=float(data["gate_bias"]),
    )
