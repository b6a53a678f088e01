"""What is fitted on top of the network, and what all of it reaches on articles held out.

Fitted on the tuning articles: the weights of the new order of sentences (listwise softmax), and how
likely the place of a short answer must be. A question is asked of a library of its own part's
articles, tuning questions also of a larger one, and some answerable questions without their article
("far").
"""

from __future__ import annotations

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
from rag.reader.ranker import Ranker
from rag.reader.span_reader import Calibration, SpanPrediction, SpanReader
from rag.training.dataset import SEED, Dataset, LabelledQuestion, holds_gold
from rag.training.progress import report
from rag.training.softmax import fit_softmax
from rag.types import RankedSentence, Ranking

_HITS = 10
_KINDS = ("answerable", "near", "far")
_FAR = {"tuning": 0.3, "held": 0.3}
_ASKED = {"tuning": 1.0, "held": 0.5}
"""Shares of the questions that are asked."""
_LARGER = 0.5
"""Share of the tuning questions asked of a library that holds the learnt articles as well."""
_RIGHT = 0.9
"""Share of the short answers that should be right."""
_NEAR_SHOWN = 0.02
"""Share of the near misses that may be headed by a short answer, which then is wrong."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question, what the first-stage ranker made of it, and what the network saw."""

    labelled: LabelledQuestion
    kind: str
    """`answerable`, `near` or `far`."""
    ranking: Ranking
    predictions: Sequence[SpanPrediction | None]
    """Of each sentence of the ranking."""
    gold: NDArray[np.bool_]
    """Which sentences hold a gold span."""


def outcomes(library: Library, dataset: Dataset, part: str, reader: SpanReader) -> list[Outcome]:
    """What the two stages make of a part's questions."""
    rng = np.random.default_rng(SEED)
    ranker, made = Ranker(library), list[Outcome]()
    own = frozenset(dataset.parts[part])
    larger = own | frozenset(dataset.parts["learnt"])
    for labelled in dataset.questions[part]:
        kinds = []
        if rng.random() < _ASKED[part]:
            kinds.append("answerable" if labelled.question.answerable else "near")
        if labelled.question.answerable and rng.random() < _FAR[part]:
            kinds.append("far")
        # what is tuned is tuned on small and on larger libraries; nothing held out meets the rest
        everywhere = larger if part == "tuning" and rng.random() < _LARGER else own
        for kind in kinds:
            where = everywhere - {labelled.article} if kind == "far" else everywhere
            text = labelled.question.question
            hits = library.search(text, _HITS, documents=where)
            ranking = ranker.rank(QueryVariant.of(text), hits, SearchScope(where))
            if ranking.sentences:
                seen = reader.predict(text, ranking)
                made.append(Outcome(labelled, kind, ranking, seen, _gold(labelled, ranking, kind)))
        if len(made) % 200 < len(kinds):
            report(f"{part}: {len(made)} questions read")
    return made


def _gold(labelled: LabelledQuestion, ranking: Ranking, kind: str) -> NDArray[np.bool_]:
    """Which sentences hold a gold span; none when the question's article was hidden."""
    question = labelled.question
    return np.array(
        [
            kind == "answerable" and holds_gold(question, s.hit.document_id, s.start, s.end)
            for s in ranking.sentences
        ]
    )


def fit(tuning: Sequence[Outcome], encoder: str, network: str) -> Calibration:
    """The numbers of `span_reader.json`, for the encoder and the network of these digests."""
    used = [outcome for outcome in tuning if outcome.gold.any()]
    weights = fit_softmax(
        [span_reader.features(one.ranking.sentences, one.predictions) for one in used],
        [one.gold for one in used],
    )
    fitted = Calibration(encoder, network, weights, 1.0)
    return replace(fitted, certain=_certain(tuning, fitted))


def _certain(tuning: Sequence[Outcome], fitted: Calibration) -> float:
    """What belief times likelihood must be: enough are right, and near misses show hardly any."""
    asked = {k: [one for one in tuning if one.kind == k] for k in ("answerable", "near")}
    shorts = sorted(_shorts(asked["answerable"], fitted), reverse=True)
    wrong = np.sort([likely for likely, _, _ in _shorts(asked["near"], fitted)])
    right = np.cumsum([correct for _, correct, _ in shorts]) / np.arange(1, len(shorts) + 1)
    shown = [len(wrong) - np.searchsorted(wrong, likely) for likely, _, _ in shorts]
    few = np.array(shown) <= _NEAR_SHOWN * len(asked["near"])
    enough = np.flatnonzero((right >= _RIGHT) & few)
    return round(float(shorts[enough[-1]][0]), 3) if len(enough) else 1.0


def _shorts(some: Sequence[Outcome], fitted: Calibration) -> Iterator[tuple[float, bool, float]]:
    """How likely each short answer is, whether it is right, its F1; of questions let through."""
    for outcome in some:
        best = span_reader.rerank(outcome.ranking, outcome.predictions, fitted).sentences[0]
        question = outcome.labelled.question
        through = outcome.kind == "answerable" or outcome.ranking.answerable >= PARTIAL_BELOW
        asked = QueryVariant.of(question.question)
        if through and best.short and has_asked_type(asked, best.short):
            golds = question.answers
            yield (
                best.score * best.likely,
                is_right(best.short, golds, "any"),
                f1(best.short, golds),
            )


def figures(some: Sequence[Outcome], fitted: Calibration) -> dict[str, Any]:
    """What the search, the first and the second stage reach, and the short answers."""
    kinds = [outcome.kind for outcome in some]
    asked = [outcome for outcome in some if outcome.kind == "answerable"]
    first = [outcome.ranking for outcome in asked]
    second = [span_reader.rerank(one.ranking, one.predictions, fitted) for one in asked]
    return {
        "questions": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "search": {"right_passage_first": _share(map(_found_first, asked))},
        "first": _stage(asked, first),
        "second": _stage(asked, second),
        "another_sentence_first": _share(
            _key(a.sentences[0]) != _key(b.sentences[0]) for a, b in zip(first, second, strict=True)
        ),
        "among_six": _among_six(asked, second),
        "short": _short_figures(some, fitted),
    }


def _found_first(outcome: Outcome) -> bool:
    sentences = zip(outcome.ranking.sentences, outcome.gold, strict=True)
    return any(sentence.hit.rank == 1 and gold for sentence, gold in sentences)


def _stage(asked: Sequence[Outcome], rankings: Sequence[Ranking]) -> dict[str, float]:
    return {
        "right_sentence_first": _share(_first_right(asked, rankings)),
        "right_passage_first": _share(_first_right(asked, rankings, whole=True)),
    }


def _among_six(asked: Sequence[Outcome], second: Sequence[Ranking]) -> dict[str, float]:
    """How often a gold sentence comes before the five others found that are nearest in meaning.

    By the cosine, by late interaction and by the two stages; of the questions whose gold was found.
    """
    ways: dict[str, list[bool]] = {"cosine": [], "late": [], "first": [], "second": []}
    for outcome, reranked in zip(asked, second, strict=True):
        if not outcome.gold.any():
            continue
        ranked = outcome.ranking.sentences
        searched = [sentence.hit.sentences[sentence.position] for sentence in ranked]
        later = {_key(sentence): sentence.score for sentence in reranked.sentences}
        scores = {
            "cosine": np.array([sentence.score for sentence in searched]),
            "late": np.array([sentence.late for sentence in searched]),
            "first": np.array([sentence.score for sentence in ranked]),
            "second": np.array([later[_key(sentence)] for sentence in ranked]),
        }
        gold = int(np.argmax(outcome.gold))
        others = [i for i in np.argsort(-scores["cosine"]) if not outcome.gold[i]][:5]
        for way, score in scores.items():
            ways[way].append(all(score[gold] >= score[other] for other in others))
    return {way: _share(right) for way, right in ways.items()}


def _short_figures(some: Sequence[Outcome], fitted: Calibration) -> dict[str, float]:
    """Of the answerable questions, how many get a short answer and what it is worth; of others."""
    asked = {kind: [one for one in some if one.kind == kind] for kind in _KINDS}
    shorts = {kind: list(_shorts(of, fitted)) for kind, of in asked.items()}
    shown = {kind: [one for one in of if one[0] >= fitted.certain] for kind, of in shorts.items()}
    answered = shown["answerable"]
    answerable = max(len(asked["answerable"]), 1)
    return {
        "f1_always_shown": round(sum(short[2] for short in shorts["answerable"]) / answerable, 3),
        "shown": round(len(answered) / answerable, 3),
        "right": _share(one[1] for one in answered),
        "f1": round(float(np.mean([one[2] for one in answered])), 3) if answered else 0.0,
        **{f"shown_{k}": round(len(shown[k]) / max(len(asked[k]), 1), 3) for k in ("near", "far")},
    }


def _first_right(
    some: Sequence[Outcome], rankings: Sequence[Ranking], *, whole: bool = False
) -> Iterator[bool]:
    """Of each answerable question: whether the best sentence, or its passage, holds the answer."""
    for outcome, ranking in zip(some, rankings, strict=True):
        sentences = zip(outcome.ranking.sentences, outcome.gold, strict=True)
        right = {_key(sentence, whole) for sentence, gold in sentences if gold}
        yield _key(ranking.sentences[0], whole) in right


def _key(sentence: RankedSentence, whole: bool = False) -> tuple[str, int]:
    """What tells sentences apart, or their passages."""
    return sentence.hit.document_id, sentence.hit.start if whole else sentence.start


def _share(some: Iterable[Any]) -> float:
    values = [bool(one) for one in some]
    return round(float(np.mean(values)), 3) if values else 0.0
