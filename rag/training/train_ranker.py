"""Fit the ranker's coefficients: `python -m rag.training.train_ranker DATA_FOLDER [--questions N]`.

DATA_FOLDER holds `docs/` and `questions.jsonl` in the evaluation shape; the shipped numbers come
from SQuAD 1.1/2.0 development articles (CC BY-SA 4.0). Articles are divided as everywhere here
(`rag.training.dataset`); those held out are only measured on. Steps: build libraries of one to ten
articles, since rarity and BM25 depend on how much there is; ask every answerable question of the
library that holds its article; fit a ranking over each question's sentences. The gate stands on
this ranking and is fitted after it (`train_gate`).

Deterministic: fixed seeds, full batches. Needs the dependency group `train`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import Library
from rag.evaluation.questions import load_questions
from rag.query.question import QueryVariant
from rag.reader.features import NAMES
from rag.reader.ranker import Candidates, Coefficients, Ranker
from rag.training.dataset import SEED, article_of, holds_gold, split
from rag.training.progress import report
from rag.training.softmax import fit_softmax

_HITS = 10
# Articles in each library; what is left over makes one more.
_GROUP_SIZES = (1, 1, 2, 2, 3, 4, 6)


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its candidates' features."""

    article: str
    candidates: Candidates
    gold: NDArray[np.bool_]
    """Which candidates hold a gold span, shape (candidates,)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, measure on the articles held out, and write `rag/reader/coefficients.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder with docs/ and questions.jsonl")
    parser.add_argument("--questions", type=int, default=4000, help="how many to sample")
    parser.add_argument("--store", type=Path, help="keep the library here, for another run")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        examples = list(_examples(chosen.store or Path(folder), chosen))
    held = split(sorted({example.article for example in examples}))["held"]
    learnt = [example for example in examples if example.article not in held]
    tested = [example for example in examples if example.article in held]
    fitted = _fit_ranking(learnt)
    figures = _figures(tested, fitted)
    _write(fitted, figures, len(learnt), held)
    report(json.dumps(figures, indent=1))


def _examples(store: Path, chosen: argparse.Namespace) -> Iterator[Example]:
    """Answerable questions asked of a library that holds their article."""
    groups = _groups(sorted((chosen.data / "docs").iterdir()))
    libraries = [_library(store / str(i), files) for i, files in enumerate(groups)]
    rankers = [Ranker(library) for library in libraries]
    home = {path.name: i for i, files in enumerate(groups) for path in files}
    questions = load_questions(chosen.data / "questions.jsonl")
    rng = np.random.default_rng(SEED)
    sample = [questions[i] for i in rng.permutation(len(questions))[: chosen.questions]]
    for done, question in enumerate(example for example in sample if example.answerable):
        if done % 200 == 0:
            report(f"{done} questions read")
        article = article_of(question)
        hits = libraries[home[article]].search(question.question, _HITS)
        candidates = rankers[home[article]].examine(QueryVariant.of(question.question), hits)
        sentences = [
            (candidate.passage.hit, candidate.position) for candidate in candidates.sentences
        ]
        gold = [
            holds_gold(question, hit.document_id, hit.sentences[i].start, hit.sentences[i].end)
            for hit, i in sentences
        ]
        yield Example(article, candidates, np.array(gold))


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
    """Standardisation and weights of the ranking."""
    used = [example for example in examples if example.gold.any()]
    matrices = [example.candidates.matrix.astype(np.float64) for example in used]
    stacked = np.concatenate(matrices)
    mean, scale = stacked.mean(axis=0), stacked.std(axis=0) + 1e-6
    weights = fit_softmax(
        [(matrix - mean) / scale for matrix in matrices], [example.gold for example in used]
    )
    return Coefficients(mean, scale, weights)


def _scores(example: Example, fitted: Coefficients) -> NDArray[np.float64]:
    """The ranking's scores of an example's candidates, in nats."""
    return ((example.candidates.matrix - fitted.mean) / fitted.scale) @ fitted.weights


def _figures(examples: Sequence[Example], fitted: Coefficients) -> dict[str, Any]:
    """What the fitted numbers reach on articles that were not fitted on."""
    right_first = [example.gold[np.argmax(_scores(example, fitted))] for example in examples]
    found = [example.gold.any() for example in examples]
    return {
        "questions": len(examples),
        "gold_among_candidates": round(float(np.mean(found)), 4),
        "right_sentence_first": round(float(np.mean(right_first)), 4),
    }


def _write(
    fitted: Coefficients, figures: dict[str, Any], fitted_on: int, held_out: Sequence[str]
) -> None:
    def plain(values: NDArray[np.float64]) -> list[float]:
        return [round(float(value), 5) for value in values]

    data = {
        "features": list(NAMES),
        "mean": plain(fitted.mean),
        "scale": plain(fitted.scale),
        "weights": plain(fitted.weights),
        "fitted_on": fitted_on,
        "held_out": list(held_out),
        "measured": figures,
    }
    target = Path(__file__).parents[1] / "reader" / "coefficients.json"
    target.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
