"""The second stage: a trained network reads the question together with the best few passages.

The first stage compares words and vectors that were made apart from each other. Here question and
passage go through one network together. It marks every word piece of a passage: how well an answer
begins here and ends here. Of the best answer in each sentence and of the first stage's score fitted
numbers (`span_reader.json`) make a new order of the sentences; the best one's is the short answer.
Whether any of them answers at all the first stage goes on deciding: this network was not better at
that on articles it had not learnt (MODEL_CARD.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import Encoder
from index.languages.detection import language
from index.tokenization import has_cjk
from index.types import Hit, Span
from rag.query.text_features import in_english
from rag.query.word_lists import NUMBER
from rag.reader.ranker import softmax
from rag.reader.span_inputs import Pair, pair
from rag.types import RankedSentence, Ranking

Matrix = NDArray[np.float64]
TokenLogits = NDArray[np.float32]
"""What the network makes of a pair, shape (pieces, 4): how well an answer begins here and ends
here, as logits, the first piece standing for "no answer in this passage"; and two more numbers that
it learnt beside them and that are not used, how much this piece's sentence supports an answer and
(at the first piece) whether the passage answers."""

PASSAGES_READ = 3
"""Passages that are read, those of the first stage's best sentences; five give no more."""
LONGEST_SPAN = 24
"""Word pieces of a short answer at most."""
_BEGINS, _ENDS = 0, 1
_LEAST = 1e-9
_NUMBER = re.compile(NUMBER)

NAMES = ("first", "read", "span")
"""What the order of the sentences is made of: the first stage's score (its logarithm), whether the
sentence was read here, and the best answer in it."""


class Network(Protocol):
    """Reads pairs; `span_model.SpanModel` is the one that ships."""

    def token_logits(self, pairs: Sequence[Pair]) -> list[TokenLogits]:
        """The logits of each pair's word pieces."""
        ...


@dataclass(frozen=True, slots=True)
class SpanPrediction:
    """What the network makes of one sentence, beside the other ones of its passage."""

    span: float
    """The best answer in it, in logits over "no answer in this passage"."""
    place: Span
    """Where that answer stands, in the passage's text."""
    likely: float
    """The probability of that place, in [0, 1], among all places of the passage and none."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What was fitted on articles that the network has not learnt."""

    encoder: str
    """Revision of the encoder that the network grew from and the first stage stands on."""
    network: str
    """SHA-256 of the network's file."""
    ranking: NDArray[np.float64]
    """Weights of `NAMES`."""
    certain: float
    """A short answer is shown when its sentence's score times how likely its place is reaches
    this: nine in ten are right then."""


class SpanReader:
    """Reads the best passages of a ranking again, together with the question."""

    def __init__(self, encoder: Encoder, network: Network) -> None:
        """Read with a network that knows the encoder's word pieces."""
        self._encoder = encoder
        self._network = network

    @property
    def short_answer_threshold(self) -> float:
        """A short answer is shown when its sentence's score times `likely` is at least this."""
        return calibration().certain

    def rerank(self, question: str, ranking: Ranking) -> Ranking:
        """The ranking in a new order, with the words in each sentence that answer best.

        As it is when it is not in English: the network has learnt nothing else.

        Args:
            question: in the wording that was searched for.
            ranking: the first stage's, of at least one sentence.
        """
        text = " ".join(hit.text for hit in best_hits(ranking.sentences))
        if language(question) != "en" or has_cjk(question) or not in_english(text):
            return ranking
        return rerank(ranking, self.predict(question, ranking), calibration())

    def predict(self, question: str, ranking: Ranking) -> list[SpanPrediction | None]:
        """What the network makes of each sentence; None where it has not read it."""
        hits = best_hits(ranking.sentences)
        pairs = [self._pair(question, hit) for hit in hits]
        by_hit = {
            hit.key: predict_spans(pair_, logits)
            for hit, pair_, logits in zip(
                hits, pairs, self._network.token_logits(pairs), strict=True
            )
        }
        return [by_hit.get(s.hit.key, {}).get(s.position) for s in ranking.sentences]

    def _pair(self, question: str, hit: Hit) -> Pair:
        spans = [Span(s.start - hit.start, s.end - hit.start) for s in hit.sentences]
        return pair(self._encoder, question, hit.title, hit.text, spans)


def best_hits(sentences: Sequence[RankedSentence], most: int = PASSAGES_READ) -> list[Hit]:
    """The hits of the best sentences, each once, in their order."""
    return list({sentence.hit.key: sentence.hit for sentence in sentences}.values())[:most]


def predict_spans(pair: Pair, logits: TokenLogits) -> dict[int, SpanPrediction]:
    """What the network makes of each sentence of a passage, by its position.

    A sentence of which nothing was read is left out.
    """
    nothing = logits[0].astype(np.float64)
    read = logits[pair.passage_start : pair.passage_start + len(pair.spans)].astype(np.float64)
    owner = np.array(pair.sentences, int)
    # what all places of the passage and "none" hold together, as a logarithm, for both ends
    all_spans = [np.logaddexp.reduce([nothing[at], *read[:, at]]) for at in (_BEGINS, _ENDS)]
    predictions = {}
    for position in sorted(set(pair.sentences) - {-1}):
        rows = np.flatnonzero(owner == position)
        first, last, logit = best_span(read[rows])
        place = Span(pair.spans[rows[first]].start, pair.spans[rows[last]].end)
        predictions[position] = SpanPrediction(
            span=float(logit - nothing[_BEGINS] - nothing[_ENDS]),
            place=place,
            likely=float(np.exp(logit - sum(all_spans))),
        )
    return predictions


def best_span(read: NDArray[np.float64]) -> tuple[int, int, float]:
    """The best first and last word piece of an answer, and their logits together.

    Args:
        read: logits of one sentence's pieces, shape (pieces, 4), at least one.
    """
    both = read[:, _BEGINS, None] + read[None, :, _ENDS]
    allowed = np.triu(np.ones_like(both)) - np.triu(np.ones_like(both), LONGEST_SPAN)
    both = np.where(allowed > 0, both, -np.inf)
    first, last = np.unravel_index(int(np.argmax(both)), both.shape)
    return int(first), int(last), float(both[first, last])


def features(
    sentences: Sequence[RankedSentence], predictions: Sequence[SpanPrediction | None]
) -> Matrix:
    """One row of `NAMES` for each sentence, shape (n, len(NAMES)), float64."""
    rows = [
        (np.log(sentence.score + _LEAST), *((1.0, seen.span) if seen else (0.0, 0.0)))
        for sentence, seen in zip(sentences, predictions, strict=True)
    ]
    return np.array(rows, np.float64)


def rerank(
    ranking: Ranking, predictions: Sequence[SpanPrediction | None], fitted: Calibration
) -> Ranking:
    """The ranking as the fitted numbers see it, best sentence first.

    Args:
        ranking: the first stage's, at least one sentence.
        predictions: what the network makes of each sentence; None where it has not read it.
        fitted: the numbers.
    """
    shares = softmax(features(ranking.sentences, predictions) @ fitted.ranking)
    order = np.argsort(-shares, kind="stable")
    sentences = [_with(ranking.sentences[i], predictions[i], float(shares[i])) for i in order]
    return replace(ranking, sentences=tuple(sentences))


def _with(
    sentence: RankedSentence, prediction: SpanPrediction | None, score: float
) -> RankedSentence:
    if prediction is None:
        return replace(sentence, score=score)
    text = sentence.hit.text
    start, end = whole_numbers(text, prediction.place.start, prediction.place.end)
    return replace(sentence, score=score, short=text[start:end], likely=prediction.likely)


def whole_numbers(text: str, start: int, end: int) -> tuple[int, int]:
    """A part of a text, widened where it begins or ends inside a number.

    Word pieces end at every comma: the network may point at the `900` of `5,900`.
    """
    for number in _NUMBER.finditer(text):
        if number.start() < end and start < number.end():
            start, end = min(start, number.start()), max(end, number.end())
    return start, end


@cache
def calibration() -> Calibration:
    """The fitted numbers of this package; ValueError when they are for other features."""
    data = json.loads(files("rag.reader").joinpath("span_reader.json").read_text("utf-8"))
    if tuple(data["features"]) != NAMES:
        raise ValueError(
            "span_reader.json is for other features: run python -m rag.training.train_span_reader"
        )
    return Calibration(
        encoder=data["encoder"],
        network=data["network"],
        ranking=np.array(data["ranking"]),
        certain=float(data["certain"]),
    )
