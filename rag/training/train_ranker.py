"""Fit the ranker's coefficients: `python -m rag.training.train_ranker DATA_FOLDER [--questions N]`.

DATA_FOLDER holds `docs/` and `questions.jsonl` in the evaluation shape; the shipped numbers come
from SQuAD 1.1/2.0 development articles (CC BY-SA 4.0). Articles are divided as everywhere here
(`rag.training.dataset`); those held out are only measured on. Steps: build libraries of one to ten
articles, since rarity and BM25 depend on how much there is; ask every question of the library that
holds its article, and a part of the answerable ones of another ("far"); fit a ranking over each
question's sentences; fit a logistic gate over the outcomes.

Deterministic: fixed seeds, full batches. Needs the dependency group `train`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import Library
from rag.evaluation.questions import load_questions
from rag.query.question import QueryVariant
from rag.reader.features import NAMES
from rag.reader.gate import GATE_NAMES, gate_features
from rag.reader.ranker import Candidates, Coefficients, Ranker, softmax
from rag.training.dataset import SEED, article_of, holds_gold, split
from rag.training.progress import report
from rag.training.softmax import fit_softmax

_HITS = 10
# Articles in each library; what is left over makes one more.
_GROUP_SIZES = (1, 1, 2, 2, 3, 4, 6)
_GATE_PENALTY = 0.1
# Near-misses weigh less than plain absences: half of them cannot be told apart by any feature
# here, and a gate that tries refuses answerable questions instead.
_NEAR_WEIGHT = 0.3
_FALSE_REFUSALS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
"""Shares of answerable questions refused, for the curve of the gate."""
_NOT_FITTED = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its candidates' features."""

    article: str
    kind: str
    """`answerable`, `near` or `far`."""
    candidates: Candidates
    gold: NDArray[np.bool_]
    """Which candidates hold a gold span, shape (candidates,)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, measure on the articles held out, and write `rag/reader/coefficients.json`."""
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
    held = split(sorted({example.article for example in examples}))["held"]
    learnt = [example for example in examples if example.article not in held]
    tested = [example for example in examples if example.article in held]
    fitted = _fit_gate(learnt, _fit_ranking(learnt))
    figures = _figures(tested, fitted)
    _write(fitted, figures, len(learnt), held)
    report(json.dumps(figures, indent=1))


def _examples(store: Path, chosen: argparse.Namespace) -> Iterator[Example]:
    """Questions asked of a library that holds their article, and of one that never held it."""
    groups = _groups(sorted((chosen.data / "docs").iterdir()))
    libraries = [_library(store / str(i), files) for i, files in enumerate(groups)]
    rankers = [Ranker(library) for library in libraries]
    home = {path.name: i for i, files in enumerate(groups) for path in files}
    questions = load_questions(chosen.data / "questions.jsonl")
    rng = np.random.default_rng(SEED)
    sample = [questions[i] for i in rng.permutation(len(questions))[: chosen.questions]]
    absent = [question for question in sample if question.answerable][: chosen.far]
    jobs = [(question, False) for question in sample] + [(question, True) for question in absent]
    for done, (question, away) in enumerate(jobs):
        if done % 200 == 0:
            report(f"{done}/{len(jobs)} questions read")
        article = article_of(question)
        which = (home[article] + away) % len(groups)
        hits = libraries[which].search(question.question, _HITS)
        candidates = rankers[which].examine(QueryVariant.of(question.question), hits)
        sentences = [
            (candidate.passage.hit, candidate.position) for candidate in candidates.sentences
        ]
        gold = [
            holds_gold(question, hit.document_id, hit.sentences[i].start, hit.sentences[i].end)
            for hit, i in sentences
        ]
        kind = "far" if away else "answerable" if question.answerable else "near"
        yield Example(article, kind, candidates, np.array(gold))


def _groups(files: Sequence[Path]) -> list[list[Path]]:
    """The articles in a few small and large groups: people's libraries differ too."""
    shuffled = [files[i] for i in np.random.default_rng(SEED).permutation(len(files))]
    starts = np.cumsum((0, *_GROUP_SIZES))
    groups = [shuffled[a:b] for a, b in zip(starts, (*starts[1:], None), strict=True)]
    return [group for group in groups if group]


def _library(folder: Path, files: Sequence[Path]) -> Library:
    library = Library.open(folder)
    library.update(files)
    return library


def _fit_ranking(examples: Sequence[Example]) -> Coefficients:
    """Standardisation and weights of the ranking; the gate is not fitted yet."""
    used = [example for example in examples if example.gold.any()]
    matrices = [example.candidates.matrix.astype(np.float64) for example in used]
    stacked = np.concatenate(matrices)
    mean, scale = stacked.mean(axis=0), stacked.std(axis=0) + 1e-6
    weights = fit_softmax(
        [(matrix - mean) / scale for matrix in matrices], [example.gold for example in used]
    )
    return Coefficients(mean, scale, weights, _NOT_FITTED, _NOT_FITTED, _NOT_FITTED, 0.0)


def _scores(example: Example, fitted: Coefficients) -> NDArray[np.float64]:
    """The ranking's scores of an example's candidates, in nats."""
    return ((example.candidates.matrix - fitted.mean) / fitted.scale) @ fitted.weights


def _gate_rows(examples: Sequence[Example], fitted: Coefficients) -> NDArray[np.float64]:
    """What the gate sees of each example, shape (examples, len(GATE_NAMES))."""
    rows = []
    for example in examples:
        scores = _scores(example, fitted)
        order = np.argsort(-scores, kind="stable")
        best_first, seen = scores[order], example.candidates
        rows.append(
            gate_features(seen.weights, seen.matrix[order], best_first, softmax(best_first))
        )
    return np.array(rows)


def _fit_gate(examples: Sequence[Example], ranking: Coefficients) -> Coefficients:
    """The ranking with standardisation, weights and bias of P(answerable): logistic regression."""
    from sklearn.linear_model import LogisticRegression

    rows = _gate_rows(examples, ranking)
    answerable = np.array([example.kind == "answerable" for example in examples])
    weight = np.array([_NEAR_WEIGHT if example.kind == "near" else 1.0 for example in examples])
    # each side counts as much as the other, so that 0.5 means "as likely as not"
    weight[answerable] *= weight[~answerable].sum() / weight[answerable].sum()
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    gate = LogisticRegression(C=_GATE_PENALTY, max_iter=5000)
    gate.fit((rows - mean) / scale, answerable, sample_weight=weight)
    return replace(
        ranking,
        gate_mean=mean,
        gate_scale=scale,
        gate_weights=gate.coef_[0],
        gate_bias=float(gate.intercept_[0]),
    )


def _figures(examples: Sequence[Example], fitted: Coefficients) -> dict[str, Any]:
    """What the fitted numbers reach on articles that were not fitted on."""
    rows = (_gate_rows(examples, fitted) - fitted.gate_mean) / fitted.gate_scale
    answerable = 1 / (1 + np.exp(-(rows @ fitted.gate_weights + fitted.gate_bias)))
    kinds = np.array([example.kind for example in examples])
    asked = [example for example in examples if example.kind == "answerable"]
    right_first = [example.gold[np.argmax(_scores(example, fitted))] for example in asked]
    curve = []
    for lost in _FALSE_REFUSALS:
        threshold = float(np.quantile(answerable[kinds == "answerable"], lost))
        refused = {
            kind: round(float((answerable[kinds == kind] < threshold).mean()), 3)
            for kind in ("far", "near")
        }
        curve.append({"false_refusals": lost, "threshold": round(threshold, 3), **refused})
    found = [example.gold.any() for example in asked]
    return {
        "questions": len(examples),
        "gold_among_candidates": round(float(np.mean(found)), 4),
        "right_sentence_first": round(float(np.mean(right_first)), 4),
        "curve": curve,
    }


def _write(
    fitted: Coefficients, figures: dict[str, Any], fitted_on: int, held_out: Sequence[str]
) -> None:
    def plain(values: NDArray[np.float64]) -> list[float]:
        return [round(float(value), 5) for value in values]

    data = {
        "features": list(NAMES),
        "gate_features": list(GATE_NAMES),
        "mean": plain(fitted.mean),
        "scale": plain(fitted.scale),
        "weights": plain(fitted.weights),
        "gate_mean": plain(fitted.gate_mean),
        "gate_scale": plain(fitted.gate_scale),
        "gate_weights": plain(fitted.gate_weights),
        "gate_bias": round(fitted.gate_bias, 5),
        "fitted_on": fitted_on,
        "held_out": list(held_out),
        "measured": figures,
    }
    target = Path(__file__).parents[1] / "reader" / "coefficients.json"
    target.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
