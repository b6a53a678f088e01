"""What can be seen, without a trained reader, of how well a sentence answers a question.

Every feature is bounded, so that one odd document cannot outshout the rest. Names and order are
part of the trained coefficients (`coefficients.json`), which are refused when they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.tokenization import STOP_WORDS, words
from rag.query.answer_type import has_answer_type
from rag.query.text_features import content_stems, names, numbers, stem, years

Matrix = NDArray[np.float32]

OWN = (
    "cosine", "late", "late_content", "late_weakest", "overlap", "overlap_near",
    "overlap_passage", "names", "names_passage", "numbers", "kind", "passage", "dense", "bm25",
    "rank", "length", "first", "numbers_passage",
)  # fmt: skip
"""Features of a sentence by itself."""
RELATIVE = ("cosine", "late", "late_content", "overlap", "overlap_near", "passage")
"""Features that are also given as the distance to the best candidate's."""
NAMES = (*OWN, *(f"{name}_behind" for name in RELATIVE))

_FIT = {True: 1.0, False: 0.0, None: 0.5}


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart once."""

    text: str
    weights: Mapping[str, float]
    """Its content stems with their rarity in the library; sums to 1 unless empty."""
    unknown: float
    """Share of that weight on words that are nowhere in the library, in [0, 1]."""
    names: frozenset[str]
    numbers: frozenset[str]
    is_content: NDArray[np.bool_]
    """Which of the word pieces belong to words that name something, shape (pieces,)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer, with what is known of it and its surroundings."""

    text: str
    before: str
    """The sentence before it in its passage, or nothing."""
    after: str
    """The sentence after it in its passage, or nothing: a quote's speaker often stands there."""
    passage: str
    title: str
    attribution: str
    """Source and author: a question may name them ("as The Verge reported")."""
    year: str
    """Of its document, empty when unknown: it dates a sentence that names no year itself."""
    first: bool
    """Whether it opens its passage."""
    cosine: float
    passage_score: float
    dense: float
    bm25: float
    rank: int
    """Of its passage, from 1."""
    token_max_similarities: tuple[float, ...]
    """For each of the question's word pieces the best cosine in this sentence."""


def analyze(text: str, idf: Mapping[str, float], pieces: Sequence[str]) -> Question:
    """A question ready to be compared with sentences.

    Args:
        text: the question.
        rarity: for each of its words how rare it is in the library; 1 when it is nowhere.
        pieces: its word pieces.
    """
    weights: dict[str, float] = {}
    for word in words(text):
        if word not in STOP_WORDS:
            weights[stem(word)] = max(weights.get(stem(word), 0.0), idf.get(word, 1.0))
    total = sum(weights.values())
    is_content = np.array(
        [
            piece.startswith("##") or (piece.isalnum() and piece not in STOP_WORDS)
            for piece in pieces
        ],
        dtype=bool,
    )
    return Question(
        text=text,
        weights={word: weight / total for word, weight in weights.items()} if total else {},
        unknown=sum(w for w in weights.values() if w == 1.0) / total if total else 0.0,
        names=frozenset(names(text)),
        numbers=frozenset(numbers(text)),
        is_content=is_content if is_content.any() else np.ones(len(pieces), bool),
    )


def features(question: Question, candidates: Sequence[Candidate]) -> Matrix:
    """One row a candidate, one column a feature in the order of `NAMES`; float32."""
    own = np.array([_own(question, one) for one in candidates], np.float32).reshape(-1, len(OWN))
    columns = [OWN.index(name) for name in RELATIVE]
    best = own[:, columns].max(axis=0) if len(own) else np.zeros(len(columns), np.float32)
    return np.hstack([own, own[:, columns] - best]).astype(np.float32)


def _own(question: Question, one: Candidate) -> list[float]:
    here = set(content_stems(one.text))
    near = here | set(content_stems(one.before)) | set(content_stems(one.after))
    attribution = set(words(one.attribution))
    around = set(content_stems(f"{one.passage} {one.title} {one.attribution}"))
    late = np.array(one.token_max_similarities, np.float32)
    told = late[question.is_content] if len(late) else late
    named = names(one.text)
    numbered, passage_numbered = numbers(one.text), numbers(one.passage)
    if one.year and not years(one.text):
        numbered, passage_numbered = numbered | {one.year}, passage_numbered | {one.year}
    return [
        one.cosine,
        float(late.mean()) if len(late) else 0.0,
        float(told.mean()) if len(told) else 0.0,
        float(told.min()) if len(told) else 0.0,
        _covered(question.weights, here),
        _covered(question.weights, near),
        _covered(question.weights, around),
        _share(question.names, named | set(words(one.text)) | attribution),
        _share(question.names, set(words(one.passage)) | set(words(one.title)) | attribution),
        _share(question.numbers, numbered),
        _FIT[has_answer_type(question.text, one.text)],
        one.passage_score,
        one.dense,
        one.bm25 / (one.bm25 + 10.0),
        1.0 / one.rank,
        min(len(one.text), 400) / 400.0,
        float(one.first),
        _share(question.numbers, passage_numbered),
    ]


def _covered(weights: Mapping[str, float], stems: Set[str]) -> float:
    return sum(weight for word, weight in weights.items() if word in stems)


def _share(wanted: Set[str], there: Set[str]) -> float:
    """The share of wanted things that are there; 1 when nothing is wanted."""
    return len(wanted & there) / len(wanted) if wanted else 1.0
