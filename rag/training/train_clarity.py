"""Fits when a question is asked back, on conversations that say which questions are unclear.

    python -m rag.training.train_clarity STORE QUESTIONS.jsonl [STORE QUESTIONS.jsonl …]

Questions are those of `rag.evaluation.questions`, with a `history`; each store holds the documents
of the file after it. The threshold is the one that asks back 2.5 % of the questions that can be
answered, in conversations held out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import Library
from index.types import EVERYWHERE
from rag.assistant import Assistant
from rag.evaluation import Question, load_questions
from rag.reader import gate
from rag.replies import clarity
from rag.retrieval import Retriever
from rag.training.dataset import SEED
from rag.training.progress import report

_COST = 0.025
_RIDGE = 5.0
_FOLDS, _REPEATS = 10, 5
Array = NDArray[np.float64]


def examine(store: str, file: str) -> tuple[Array, list[Question], NDArray[np.bool_]]:
    """Each question's features, the questions, and which of them the gate refuses."""
    rows: list[Array] = []
    refused: list[bool] = []
    questions = load_questions(file)
    with Library.open(Path(store)) as library:
        assistant, retriever = Assistant(library, None), Retriever(library, None)
        for question in questions:
            asked, _ = assistant.analyze(question.question, question.history or ())
            found = retriever.retrieve(asked, EVERYWHERE)
            rows.append(clarity.clarity_features(library, asked, found.hits, found.ranking))
            refused.append(gate.decide(found.ranking.answerable) == "not_found")
    return np.array(rows), questions, np.array(refused)


def fit(features: Array, unclear: Array) -> tuple[Array, float]:
    """Weights and bias of a logistic regression with a ridge, by Newton's method."""
    matrix = np.c_[features, np.ones(len(features))]
    ridge = np.diag([_RIDGE] * features.shape[1] + [1e-6])
    weights = np.zeros(matrix.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-matrix @ weights))
        gradient = matrix.T @ (p - unclear) + ridge @ weights
        weights -= np.linalg.solve((matrix.T * (p * (1 - p))) @ matrix + ridge, gradient)
    return weights[:-1], float(weights[-1])


def held_out(features: Array, unclear: Array, groups: Sequence[str]) -> Array:
    """Each question's probability by fits that have not seen its conversation."""
    total = np.zeros(len(unclear))
    for repeat in range(_REPEATS):
        rng = np.random.default_rng(SEED + repeat)
        fold_of = {group: int(rng.integers(_FOLDS)) for group in sorted(set(groups))}
        folds = np.array([fold_of[group] for group in groups])
        for fold in range(_FOLDS):
            weights, bias = fit(features[folds != fold], unclear[folds != fold])
            logits = features[folds == fold] @ weights + bias
            total[folds == fold] += 1 / (1 + np.exp(-logits)) / _REPEATS
    return total


def main(arguments: Sequence[str]) -> None:
    """Fit, report on conversations held out, and write `clarity.json`."""
    if not arguments or len(arguments) % 2:
        sys.exit(__doc__)
    examined = [examine(*pair) for pair in zip(arguments[::2], arguments[1::2], strict=True)]
    raw = np.concatenate([rows for rows, _, _ in examined])
    refused = np.concatenate([flags for _, _, flags in examined])
    questions = [question for _, asked, _ in examined for question in asked]
    mean, scale = raw.mean(axis=0), raw.std(axis=0) + 1e-9
    features = (raw - mean) / scale
    unclear = np.array([question.group == "unclear" for question in questions], np.float64)
    answerable = np.array([question.answerable for question in questions])
    # the turns of a conversation share the beginning of their id
    groups = [question.id.rsplit("-", 1)[0] for question in questions]
    believed = held_out(features, unclear, groups)
    asked_first = np.sort(believed[answerable & ~refused])[::-1]
    threshold = float(asked_first[int(_COST * answerable.sum())]) + 1e-6
    asked = believed >= threshold
    report(f"of {int(unclear.sum())} unclear questions asked back or refused, held out: "
           f"{(asked | refused)[unclear == 1].mean():.3f}, refused alone "
           f"{refused[unclear == 1].mean():.3f}")  # fmt: skip
    report(f"asked back though answerable: {(asked & ~refused)[answerable].mean():.3f}")
    other = ~answerable & (unclear == 0)
    report(f"asked back of the other unanswerable ones: {asked[other].mean():.3f}, of these "
           f"refused else {(asked & refused)[other].mean():.3f}")  # fmt: skip
    weights, bias = fit(features, unclear)
    saved = {
        "features": list(clarity.NAMES),
        **{name: [round(float(v), 6) for v in values]
           for name, values in (("mean", mean), ("scale", scale), ("weights", weights))},
        "bias": round(bias, 6),
        "threshold": round(threshold, 6),
    }  # fmt: skip
    target = Path(__file__).parent.parent / "replies" / "clarity.json"
    target.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
