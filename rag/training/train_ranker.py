"""Fit the reader's coefficients: `python -m rag.training.train_ranker DATA_FOLDER [--questions N]`.

DATA_FOLDER holds `docs/` and `questions.jsonl` in the evaluation shape; the shipped numbers come
from SQuAD 1.1/2.0 development articles (CC BY-SA 4.0). Every fourth article is held out of fitting
and only measured on. Steps: build libraries of one to ten articles, since rarity and BM25 depend
on how much there is; ask every question of the library that holds its article, and a part of the
answerable ones of another ("far"); fit a ranking over each question's sentences (listwise softmax,
the gold sentences share the belief); fit a logistic gate over the outcomes.

Needs nothing beyond what Pilcrow installs (scipy and scikit-learn come with the encoder).
Deterministic: fixed seeds, full batches.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import Library
from rag.evaluation.run import Question, load_questions
from rag.query.question import QueryVariant
from rag.reader.features import NAMES, Matrix, QuestionWeights
from rag.reader.gate import GATE_NAMES, gate_features
from rag.reader.ranker import Ranker

_SEED = 20261122
_HITS = 10
_HELD_OUT_EVERY = 4
_PENALTY = 1e-3
# Articles in each library; what is left over makes one more.
_GROUP_SIZES = (1, 1, 2, 2, 3, 4, 6)
_GATE_PENALTY = 0.1
# Near-misses weigh less than plain absences: half of them cannot be told apart by any feature
# here, and a gate that tries refuses answerable questions instead.
_NEAR_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its candidates' features."""

    article: str
    kind: str
    """`answerable`, `near` or `far`."""
    weights: QuestionWeights
    matrix: Matrix
    """Features, shape (candidates, len(NAMES))."""
    gold: NDArray[np.bool_]
    """Which candidates hold a gold span, shape (candidates,)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, measure on the articles held out, and write `coefficients.json` beside this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder with docs/ and questions.jsonl")
    parser.add_argument("--questions", type=int, default=4000, help="how many to sample")
    parser.add_argument(
        "--far", type=int, default=1500, help="how many to ask without their article"
    )
    parser.add_argument("--store", type=Path, help="keep the library here, for another run")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        examples = list(_examples(chosen.store or Path(folder), chosen))
    articles = sorted({one.article for one in examples})
    held = set(articles[::_HELD_OUT_EVERY])
    fitted = [one for one in examples if one.article not in held]
    tested = [one for one in examples if one.article in held]
    mean, scale, weights = _fit_ranking(fitted)
    gate = _fit_gate(fitted, mean, scale, weights)
    figures = _figures(tested, mean, scale, weights, gate)
    _write(mean, scale, weights, gate, figures, len(fitted), sorted(held))
    print(json.dumps(figures, indent=1), file=sys.stderr)  # noqa: T201


def _examples(store: Path, chosen: argparse.Namespace) -> Iterator[Example]:
    """Questions asked of a library that holds their article, and of one that never held it."""
    groups = _groups(sorted((chosen.data / "docs").iterdir()))
    libraries = [_library(store / str(i), files) for i, files in enumerate(groups)]
    readers = [Ranker(library) for library in libraries]
    home = {path.name: i for i, files in enumerate(groups) for path in files}
    questions = load_questions(chosen.data / "questions.jsonl")
    rng = np.random.default_rng(_SEED)
    sample = [questions[i] for i in rng.permutation(len(questions))[: chosen.questions]]
    absent = [q for q in sample if q.answerable][: chosen.far]
    jobs = [(q, False) for q in sample] + [(q, True) for q in absent]
    for done, (question, away) in enumerate(jobs):
        if done % 200 == 0:
            print(f"{done}/{len(jobs)} questions read", file=sys.stderr)  # noqa: T201
        article = _article(question)
        which = (home[article] + away) % len(groups)
        hits = libraries[which].search(question.question, _HITS)
        seen = readers[which].examine(QueryVariant.of(question.question), hits)
        gold = [
            _holds_gold(question, hit.document_id, hit.sentences[i].start, hit.sentences[i].end)
            for hit, i in ((one.passage.hit, one.position) for one in seen.sentences)
        ]
        kind = "far" if away else "answerable" if question.answerable else "near"
        yield Example(article, kind, seen.weights, seen.matrix, np.array(gold))


def _groups(files: Sequence[Path]) -> list[list[Path]]:
    """The articles in a few small and large groups: people's libraries differ too."""
    shuffled = [files[i] for i in np.random.default_rng(_SEED).permutation(len(files))]
    starts = np.cumsum((0, *_GROUP_SIZES))
    groups = [shuffled[a:b] for a, b in zip(starts, (*starts[1:], None), strict=True)]
    return [group for group in groups if group]


def _library(folder: Path, files: Sequence[Path]) -> Library:
    library = Library.open(folder)
    library.update(files)
    return library


def _article(question: Question) -> str:
    place = question.gold[0] if question.gold else question.paragraph
    assert place is not None
    return place.document


def _holds_gold(question: Question, document_id: str, start: int, end: int) -> bool:
    return any(
        span.document == document_id and start <= span.start and span.end <= end
        for span in question.gold
    )


def _fit_ranking(
    examples: Sequence[Example],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Standardisation and weights of the listwise softmax: the gold sentences share the belief."""
    from scipy.optimize import minimize

    used = [one for one in examples if one.gold.any()]
    stacked = np.concatenate([one.matrix for one in used]).astype(np.float64)
    mean, scale = stacked.mean(axis=0), stacked.std(axis=0) + 1e-6
    rows = (stacked - mean) / scale
    gold = np.concatenate([one.gold for one in used])
    starts = np.cumsum([0, *(len(one.matrix) for one in used)])[:-1]
    owner = np.repeat(np.arange(len(used)), [len(one.matrix) for one in used])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = rows @ weights
        scores -= np.maximum.reduceat(scores, starts)[owner]
        belief = np.exp(scores)
        every = np.add.reduceat(belief, starts)
        right = np.add.reduceat(belief * gold, starts)
        pull = belief * gold / right[owner] - belief / every[owner]
        value = np.log(every / right).mean() + _PENALTY * weights @ weights
        return value, -rows.T @ pull / len(used) + 2 * _PENALTY * weights

    found = minimize(loss, np.zeros(len(NAMES)), jac=True, method="L-BFGS-B")
    return mean, scale, found.x


def _gate_rows(
    examples: Sequence[Example],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    rows = []
    for one in examples:
        scores = ((one.matrix - mean) / scale) @ weights
        order = np.argsort(-scores, kind="stable")
        belief = np.exp(scores[order] - scores.max())
        belief /= belief.sum()
        rows.append(gate_features(one.weights, one.matrix[order], scores[order], belief))
    return np.array(rows)


def _fit_gate(
    examples: Sequence[Example],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Standardisation, weights and bias of P(answerable), by logistic regression."""
    from sklearn.linear_model import LogisticRegression

    rows = _gate_rows(examples, mean, scale, weights)
    answerable = np.array([one.kind == "answerable" for one in examples])
    weight = np.array([_NEAR_WEIGHT if one.kind == "near" else 1.0 for one in examples])
    # each side counts as much as the other, so that 0.5 means "as likely as not"
    weight[answerable] *= weight[~answerable].sum() / weight[answerable].sum()
    centre, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    fitted = LogisticRegression(C=_GATE_PENALTY, max_iter=5000)
    fitted.fit((rows - centre) / spread, answerable, sample_weight=weight)
    return centre, spread, fitted.coef_[0], float(fitted.intercept_[0])


def _figures(
    examples: Sequence[Example],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    weights: NDArray[np.float64],
    gate: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float],
) -> dict[str, Any]:
    """What the fitted numbers reach on articles that were not fitted on."""
    centre, spread, gate_weights, bias = gate
    logits = ((_gate_rows(examples, mean, scale, weights) - centre) / spread) @ gate_weights + bias
    belief = 1 / (1 + np.exp(-logits))
    kinds = np.array([one.kind for one in examples])
    asked = [one for one in examples if one.kind == "answerable"]
    first = [one.gold[np.argmax(((one.matrix - mean) / scale) @ weights)] for one in asked]
    curve = []
    for lost in (0.01, 0.02, 0.03, 0.05, 0.1, 0.2):
        threshold = float(np.quantile(belief[kinds == "answerable"], lost))
        refused = {
            k: round(float((belief[kinds == k] < threshold).mean()), 3) for k in ("far", "near")
        }
        curve.append({"false_refusals": lost, "threshold": round(threshold, 3), **refused})
    return {
        "questions": len(examples),
        "gold_among_candidates": round(float(np.mean([one.gold.any() for one in asked])), 4),
        "right_sentence_first": round(float(np.mean(first)), 4),
        "curve": curve,
    }


def _write(
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    weights: NDArray[np.float64],
    gate: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float],
    figures: dict[str, Any],
    fitted_on: int,
    held_out: list[str],
) -> None:
    def plain(values: NDArray[np.float64]) -> list[float]:
        return [round(float(value), 5) for value in values]

    data = {
        "features": list(NAMES),
        "gate_features": list(GATE_NAMES),
        "mean": plain(mean),
        "scale": plain(scale),
        "weights": plain(weights),
        "gate_mean": plain(gate[0]),
        "gate_scale": plain(gate[1]),
        "gate_weights": plain(gate[2]),
        "gate_bias": round(gate[3], 5),
        "fitted_on": fitted_on,
        "held_out": held_out,
        "measured": figures,
    }
    target = Path(__file__).parents[1] / "reader" / "coefficients.json"
    target.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
