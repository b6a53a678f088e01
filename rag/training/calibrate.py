"""What is fitted on top of the network, and what all of it reaches on articles held out.

Fitted on the tuning articles: the weights of the new order of sentences (listwise softmax, the gold
sentences share the belief), and how likely the place of a short answer must be. A question is asked
of a library of its own part's articles, tuning questions also of a larger one, and some answerable
questions without their article ("far").
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import Library
from index.types import SearchScope
from rag.evaluation.metrics import f1, is_right
from rag.grounding.short_answer import has_asked_type
from rag.query.question import QueryVariant
from rag.reader import span_reader
from rag.reader.gate import PARTIAL_BELOW
from rag.reader.ranker import Ranker, softmax
from rag.reader.span_reader import Calibration, SpanPrediction, SpanReader
from rag.training.dataset import SEED, Dataset, LabelledQuestion
from rag.types import RankedSentence, Ranking

_HITS = 10
_KINDS = ("answerable", "near", "far")
_FAR = {"tuning": 0.3, "held": 0.3}
_ASKED = {"tuning": 1.0, "held": 0.5}
"""Shares of the questions that are asked."""
_LARGER = 0.5
"""Share of the tuning questions asked of a library that holds the learnt articles as well."""
_PENALTY = 1e-3
_RIGHT = 0.9
"""Share of the short answers that should be right."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question, what the first rung made of it, and what the network saw."""

    asked: LabelledQuestion
    kind: str
    """`answerable`, `near` or `far`."""
    reading: Ranking
    seen: Sequence[SpanPrediction | None]
    """Of each sentence of the reading."""
    gold: NDArray[np.bool_]
    """Which sentences hold a gold span."""


def outcomes(library: Library, course: Dataset, part: str, reader: SpanReader) -> list[Outcome]:
    """What the two rungs make of a part's questions."""
    rng = np.random.default_rng(SEED)
    first, found = Ranker(library), []
    own = frozenset(course.parts[part])
    larger = own | frozenset(course.parts["learnt"])
    for one in course.asked[part]:
        kinds = []
        if rng.random() < _ASKED[part]:
            kinds.append("answerable" if one.question.answerable else "near")
        if one.question.answerable and rng.random() < _FAR[part]:
            kinds.append("far")
        # what is tuned is tuned on small and on larger libraries; nothing held out meets the rest
        everywhere = larger if part == "tuning" and rng.random() < _LARGER else own
        for kind in kinds:
            where = everywhere - {one.article} if kind == "far" else everywhere
            text = one.question.question
            hits = library.search(text, _HITS, documents=where)
            reading = first.rank(QueryVariant.of(text), hits, SearchScope(where))
            if reading.sentences:
                seen = reader.predict(text, reading)
                found.append(Outcome(one, kind, reading, seen, _gold(one, reading, kind)))
        if len(found) % 200 < len(kinds):
            print(f"{part}: {len(found)} questions read", file=sys.stderr)  # noqa: T201
    return found


def _gold(asked: LabelledQuestion, reading: Ranking, kind: str) -> NDArray[np.bool_]:
    spans = asked.question.gold if kind == "answerable" else ()
    return np.array(
        [
            any(
                g.document == one.hit.document_id and one.start <= g.start and g.end <= one.end
                for g in spans
            )
            for one in reading.sentences
        ]
    )


def fit(tuning: Sequence[Outcome], encoder: str, network: str) -> Calibration:
    """The numbers of `span_reader.json`, for the encoder and the network of these digests."""
    ranking = _fit_ranking(tuning)
    fitted = Calibration(encoder, network, ranking, 1.0)
    return replace(fitted, certain=_certain(tuning, fitted))


def _fit_ranking(tuning: Sequence[Outcome]) -> NDArray[np.float64]:
    from scipy.optimize import minimize

    used = [one for one in tuning if one.gold.any()]
    tables = [(span_reader.features(one.reading.sentences, one.seen), one.gold) for one in used]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = 0.0, np.zeros(len(weights))
        for matrix, gold in tables:
            belief = softmax(matrix @ weights)
            right = (belief * gold).sum() + 1e-12
            value -= float(np.log(right))
            slope -= matrix.T @ (belief * gold / right - belief)
        penalty = _PENALTY * weights
        return value / len(tables) + float(penalty @ weights), slope / len(tables) + 2 * penalty

    found = minimize(loss, np.zeros(len(span_reader.NAMES)), jac=True, method="L-BFGS-B")
    return np.asarray(found.x)


def _certain(tuning: Sequence[Outcome], fitted: Calibration) -> float:
    """What belief times likelihood must be for enough short answers to be right."""
    asked = [one for one in tuning if one.kind == "answerable"]
    told = sorted(_shorts(asked, fitted), reverse=True)
    right = np.cumsum([one[1] for one in told]) / np.arange(1, len(told) + 1)
    enough = np.flatnonzero(right >= _RIGHT)
    return round(float(told[enough[-1]][0]), 3) if len(enough) else 1.0


def _shorts(some: Sequence[Outcome], fitted: Calibration) -> Iterator[tuple[float, bool, float]]:
    """How likely each short answer is, whether it is right, its F1; of questions let through."""
    for one in some:
        best = span_reader.rerank(one.reading, one.seen, fitted).sentences[0]
        question = one.asked.question
        through = one.kind == "answerable" or one.reading.answerable >= PARTIAL_BELOW
        if (
            through
            and best.short
            and has_asked_type(QueryVariant.of(question.question), best.short)
        ):
            golds = question.answers
            yield (
                best.score * best.likely,
                is_right(best.short, golds, "any"),
                f1(best.short, golds),
            )


def figures(some: Sequence[Outcome], fitted: Calibration) -> dict[str, Any]:
    """What the search, the first and the second rung reach, and the short answers."""
    kinds = [one.kind for one in some]
    asked = [one for one in some if one.kind == "answerable"]
    first = [one.reading for one in asked]
    second = [span_reader.rerank(one.reading, one.seen, fitted) for one in asked]
    return {
        "questions": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "search": {"right_passage_first": _share(map(_found_first, asked))},
        "first": _rung(asked, first),
        "second": _rung(asked, second),
        "another_sentence_first": _share(
            _place(a.sentences[0], False) != _place(b.sentences[0], False)
            for a, b in zip(first, second, strict=True)
        ),
        "among_six": _among_six(asked, second),
        "short": _short_figures(some, fitted),
    }


def _found_first(one: Outcome) -> bool:
    read = zip(one.reading.sentences, one.gold, strict=True)
    return any(sentence.hit.rank == 1 and gold for sentence, gold in read)


def _rung(asked: Sequence[Outcome], readings: Sequence[Ranking]) -> dict[str, float]:
    return {
        "right_sentence_first": _share(_first_right(asked, readings)),
        "right_passage_first": _share(_first_right(asked, readings, whole=True)),
    }


def _among_six(asked: Sequence[Outcome], second: Sequence[Ranking]) -> dict[str, float]:
    """How often a gold sentence comes before the five others found that are nearest in meaning.

    By the cosine, by late interaction and by the two rungs; of the questions whose gold was found.
    """
    ways: dict[str, list[bool]] = {"cosine": [], "late": [], "first": [], "second": []}
    for one, reading in zip(asked, second, strict=True):
        if not one.gold.any():
            continue
        read = one.reading.sentences
        told = [sentence.hit.sentences[sentence.position] for sentence in read]
        later = {_place(sentence, False): sentence.score for sentence in reading.sentences}
        scores = {
            "cosine": np.array([sentence.score for sentence in told]),
            "late": np.array([sentence.late for sentence in told]),
            "first": np.array([sentence.score for sentence in read]),
            "second": np.array([later[_place(sentence, False)] for sentence in read]),
        }
        gold = int(np.argmax(one.gold))
        others = [i for i in np.argsort(-scores["cosine"]) if not one.gold[i]][:5]
        for way, score in scores.items():
            ways[way].append(all(score[gold] >= score[other] for other in others))
    return {way: _share(right) for way, right in ways.items()}


def _short_figures(some: Sequence[Outcome], fitted: Calibration) -> dict[str, float]:
    """Of the answerable questions, how many get a short answer and what it is worth; of others."""
    told = {kind: [one for one in some if one.kind == kind] for kind in _KINDS}
    shorts = {kind: list(_shorts(of, fitted)) for kind, of in told.items()}
    shown = {kind: [one for one in of if one[0] >= fitted.certain] for kind, of in shorts.items()}
    here = shown["answerable"]
    answerable = max(len(told["answerable"]), 1)
    return {
        "f1_always_shown": round(sum(one[2] for one in shorts["answerable"]) / answerable, 3),
        "shown": round(len(here) / answerable, 3),
        "right": _share(one[1] for one in here),
        "f1": round(float(np.mean([one[2] for one in here])), 3) if here else 0.0,
        **{f"shown_{k}": round(len(shown[k]) / max(len(told[k]), 1), 3) for k in ("near", "far")},
    }


def _first_right(
    some: Sequence[Outcome], readings: Sequence[Ranking], *, whole: bool = False
) -> Iterator[bool]:
    """Of each answerable question: whether the best sentence, or its passage, holds the answer."""
    for one, reading in zip(some, readings, strict=True):
        read = zip(one.reading.sentences, one.gold, strict=True)
        right = {_place(sentence, whole) for sentence, gold in read if gold}
        yield _place(reading.sentences[0], whole) in right


def _place(one: RankedSentence, whole: bool) -> tuple[str, int]:
    return one.hit.document_id, one.hit.start if whole else one.start


def _share(some: Iterable[Any]) -> float:
    values = [bool(one) for one in some]
    return round(float(np.mean(values)), 3) if values else 0.0
