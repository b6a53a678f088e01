"""Fits what tells a question's task and its topic, on hand-written questions and on SQuAD's.

    python -m rag.training.train_task SQUAD_QUESTIONS.jsonl [--held-out]

`tasks.jsonl` holds questions as people type them, each with its task, some with what they are
about; no topic comes twice, so that only the wording can tell. Those of `split` "test" were written
by somebody else: with `--held-out` they are what is measured and nothing is written, else
everything is fitted on and written to `rag/query/task.npz` and `topic.npz`. SQuAD's questions ask
for facts and explanations: they keep what is asked plainly from being taken for more.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import QuestionVectors, SentenceTransformerEncoder
from rag.query import task_classifier, topic_tagger
from rag.training.dataset import SEED
from rag.training.progress import report

_PLAIN, _PLAIN_WEIGHT = 1_500, 0.3
_SCALE = 6.0
"""Of unit vectors beside features that are 0 or 1."""
_STRENGTH = 0.5
"""Inverse of the ridge's strength, of both models."""
_COMMON = 3
"""Questions that have a word which is a feature of the tagger."""
Row = dict[str, Any]


def questions() -> list[Row]:
    """The hand-written questions."""
    text = files("rag.training").joinpath("tasks.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def plain_questions(file: str) -> list[Row]:
    """SQuAD questions whose form says that they ask for a fact, a yes or a no, or to explain."""
    asked = [json.loads(line)["question"] for line in Path(file).read_text("utf-8").splitlines()]
    picked = random.Random(SEED).sample(asked, _PLAIN)
    return [
        {
            "question": question,
            "task": "explain" if _EXPLAINS.match(question) else "fact",
            "follow_up": number % 3 == 0,
        }
        for number, question in enumerate(picked)
        if not _OTHERWISE.match(question)
    ]


_EXPLAINS = re.compile(
    r"\s*(?:why|how (?:do|does|did|is|are|was|were|can|could)|what (?:is|are|was|were)"
    r" (?!the (?:name|number|date|title|term|year|first|last|largest))|what does .* mean)\b",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(
    r"\s*(?:is|are|was|were|do|does|did|has|have|can|which \w+s\b|name|list|in what way)\b", re.I
)


def label_of(row: Row) -> str:
    """A row's label: its task, and its intent where it has one."""
    return f"{row['task']}/{row['intent']}" if "intent" in row else str(row["task"])


def fit_task(
    rows: Sequence[Row],
    weights: Sequence[float],
    vectors: Sequence[QuestionVectors] | None,
    common: frozenset[str],
) -> dict[str, NDArray[Any]]:
    """The arrays of a classifier; without vectors of one that goes by words alone."""
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    found = [
        task_classifier.features(row["question"], follow_up=row["follow_up"], common=common)
        for row in rows
    ]
    counts = Counter(name for own in found for name in own)
    grams = sorted(name for name, count in counts.items() if count > 1)
    matrix = _matrix(found, grams)
    if vectors is not None:
        embedded = np.stack([vector.vector for vector in vectors]) * _SCALE
        matrix = sparse.hstack([matrix, embedded]).tocsr()
    fitted = LogisticRegression(C=_STRENGTH, max_iter=3_000)
    fitted.fit(matrix, [label_of(row) for row in rows], sample_weight=weights)
    kept = np.abs(fitted.coef_[:, : len(grams)]).max(axis=0) >= _NEGLIGIBLE
    return {
        "labels": np.array(list(fitted.classes_)),
        "grams": np.array(grams)[kept],
        "words": fitted.coef_[:, : len(grams)][:, kept].T.astype(np.float16),
        "vector": (fitted.coef_[:, len(grams) :].T * _SCALE).astype(np.float16),
        "bias": fitted.intercept_.astype(np.float16),
    }


_NEGLIGIBLE = 0.05
"""Weights below are left out: they decide nothing."""


def fit_topic(
    rows: Sequence[Row], vectors: Sequence[QuestionVectors] | None, known: frozenset[str]
) -> dict[str, NDArray[Any]]:
    """The arrays of a tagger; without vectors of one that goes by words alone."""
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    found: list[list[str]] = []
    inside: list[bool] = []
    pieces = []
    for number, row in enumerate(rows):
        spans = topic_tagger.tokens(row["question"])
        words = [row["question"][span.start : span.end] for span in spans]
        found += topic_tagger.features(words, row["task"], known)
        inside += _inside(row)
        if vectors is not None:
            pieces.append(topic_tagger.piece_vectors(spans, vectors[number]))
    counts = Counter(name for own in found for name in own)
    names = sorted(name for name, count in counts.items() if count > 1)
    matrix = _matrix(found, names)
    if vectors is not None:
        matrix = sparse.hstack([matrix, np.vstack(pieces) * _PIECE_SCALE]).tocsr()
    fitted = LogisticRegression(C=_STRENGTH, max_iter=3_000).fit(matrix, inside)
    return {
        "names": np.array(names),
        "words": fitted.coef_[0, : len(names)].astype(np.float16),
        "pieces": (fitted.coef_[0, len(names) :] * _PIECE_SCALE).astype(np.float16),
        "bias": fitted.intercept_[0].astype(np.float16),
    }


_PIECE_SCALE = 4.0


def common_words(rows: Sequence[Row]) -> frozenset[str]:
    """The words that several questions have, which are about different things."""
    counts: Counter[str] = Counter()
    for row in rows:
        spans = topic_tagger.tokens(row["question"])
        counts.update({row["question"][s.start : s.end].lower().replace("’", "'") for s in spans})
    return frozenset(word for word, count in counts.items() if count >= _COMMON)


def _inside(row: Row) -> list[bool]:
    """Which words of a question name what it is about."""
    text = row["question"]
    named = [(at := text.find(part), at + len(part)) for part in row["about"]]
    return [
        any(start <= span.start and span.end <= end for start, end in named)
        for span in topic_tagger.tokens(text)
    ]


def _matrix(found: Sequence[Sequence[str]], names: Sequence[str]) -> Any:
    """Which features each row has, shape (rows, features)."""
    from scipy import sparse

    column = {name: at for at, name in enumerate(names)}
    pairs = [(row, column[name]) for row, own in enumerate(found) for name in own if name in column]
    rows, columns = zip(*pairs, strict=True)
    return sparse.csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(found), len(names)))


def fit(
    written: Sequence[Row], plain: Sequence[Row], encoder: SentenceTransformerEncoder
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """The arrays of `task.npz` and of `topic.npz`.

    Args:
        written: hand-written questions.
        plain: questions of which only the task is known, which count less.
        encoder: whose vectors are looked at.
    """
    rows = [*written, *plain]
    weights = [1.0] * len(written) + [_PLAIN_WEIGHT] * len(plain)
    vectors = [encoder.encode_query(row["question"]) for row in rows]
    words = Counter(w for row in rows for w in set(task_classifier.tokens_of(row["question"])))
    common = frozenset(word for word, count in words.items() if count > 1)
    made = {
        "embedded": fit_task(rows, weights, vectors, common),
        "alone": fit_task(rows, weights, None, common),
    }
    named = [row for row in written if "about" in row]
    spoken = [vectors[number] for number, row in enumerate(written) if "about" in row]
    known = common_words(named)
    tagged = {"embedded": fit_topic(named, spoken, known), "alone": fit_topic(named, None, known)}
    task: dict[str, NDArray[Any]] = {
        "labels": made["embedded"]["labels"],
        "common": np.array(sorted(common)),
        "encoder": np.array(encoder.identity.revision),
    }
    topic: dict[str, NDArray[Any]] = {"known": np.array(sorted(known))}
    for name in ("embedded", "alone"):
        task |= {f"{name}_{key}": v for key, v in made[name].items() if key != "labels"}
        topic |= {f"{name}_{key}": v for key, v in tagged[name].items()}
    return task, topic


def measure(
    rows: Sequence[Row],
    task: task_classifier.TaskModel,
    topic: topic_tagger.TopicModel,
    encoder: SentenceTransformerEncoder | None,
) -> None:
    """Prints how many tasks are right, and how much of the topics is found."""
    right: dict[str, list[bool]] = {}
    shares: list[float] = []
    for row in rows:
        vectors = encoder.encode_query(row["question"]) if encoder else None
        told = task_classifier.classify(
            row["question"], follow_up=row["follow_up"], vectors=vectors, fitted=task
        )
        right.setdefault(row["task"], []).append(told.task == row["task"])
        if "about" in row:
            named = topic_tagger.topics(row["question"], row["task"], vectors, topic)
            shares.append(_f1(" ".join(named), " ".join(row["about"])))
    means = {name: sum(values) / len(values) for name, values in right.items()}
    whole = [value for values in right.values() for value in values]
    report("with vectors" if encoder else "words alone")
    each = ", ".join(f"{name} {value:.2f}" for name, value in means.items())
    report(f"  task  {sum(whole) / len(whole):.3f} ({each})")
    report(f"  topic {sum(shares) / len(shares):.3f} (F1 of words)")


def _f1(found: str, wanted: str) -> float:
    a, b = set(found.lower().split()), set(wanted.lower().split())
    return 1.0 if a == b else 2 * len(a & b) / (len(a) + len(b))


def main(arguments: Sequence[str]) -> None:
    """Fits both and measures them; see the module."""
    file, *options = arguments
    encoder, written = SentenceTransformerEncoder(), questions()
    plain = plain_questions(file)
    if options == ["--held-out"]:
        arrays = fit([row for row in written if row["split"] == "train"], plain, encoder)
        fitted = task_classifier.of_arrays(arrays[0]), topic_tagger.of_arrays(arrays[1])
        unseen = [row for row in written if row["split"] == "test"]
        measure(unseen, *fitted, encoder)
        measure(unseen, *fitted, None)
        return
    task, topic = fit(written, plain, encoder)
    folder = Path(str(files("rag.query")))
    np.savez_compressed(folder / "task.npz", allow_pickle=False, **task)
    np.savez_compressed(folder / "topic.npz", allow_pickle=False, **topic)


if __name__ == "__main__":
    main(sys.argv[1:])
