"""What can be seen, without a trained reader, of how well a sentence answers a question.

Every feature is bounded, so that one odd document cannot outshout the rest. Names and order are
part of the trained coefficients (`coefficients.json`), which are refused when they differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.lexical import ASKING, words
from rag.wording import content_stems, dates, names, numbers, stem

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

_KINDS = (
    ("number", re.compile(r"\bhow (?:many|much|old|long|far|large|big|high|tall|often)\b|"
                          r"\b(?:percent|percentage|number|amount|population|score)\b", re.I)),
    ("when", re.compile(r"\bwhen\b|\b(?:what|which|in what|in which) (?:\w+ )?"
                        r"(?:year|date|day|month|decade|century|time)\b|\bhow long ago\b", re.I)),
    ("who", re.compile(r"\bwho(?:se|m)?\b|\b(?:what|which) (?:\w+ ){0,2}(?:person|man|woman|player|"
                       r"king|queen|president|author|leader|scientist|team|company|group|"
                       r"organi[sz]ation)\b", re.I)),
    ("where", re.compile(r"\bwhere\b|\b(?:what|which) (?:\w+ )?(?:city|country|state|place|"
                         r"region|river|continent|town|location|area)\b", re.I)),
    ("why", re.compile(r"\bwhy\b|\b(?:what|which) (?:\w+ )?(?:reason|cause|purpose)\b", re.I)),
)  # fmt: skip
_REASON = re.compile(r"\b(?:because|since|due to|so that|in order to|reason|therefore|caused? by|"
                     r"result(?:ed|s|ing)?|led to|to \w+)\b", re.I)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart once."""

    text: str
    kind: str
    """`number`, `when`, `who`, `where`, `why` or `other`: what the answer should look like."""
    weights: Mapping[str, float]
    """Its content stems with their rarity in the library; sums to 1 unless empty."""
    unknown: float
    """Share of that weight on words that are nowhere in the library, in [0, 1]."""
    names: frozenset[str]
    numbers: frozenset[str]
    telling: NDArray[np.bool_]
    """Which of the word pieces belong to words that name something, shape (pieces,)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer, with what is known of it and its surroundings."""

    text: str
    before: str
    """The sentence before it in its passage, or nothing."""
    passage: str
    title: str
    first: bool
    """Whether it opens its passage."""
    cosine: float
    passage_score: float
    dense: float
    bm25: float
    rank: int
    """Of its passage, from 1."""
    closeness: tuple[float, ...]
    """For each of the question's word pieces the best cosine in this sentence."""


def question_kind(text: str) -> str:
    """What an answer to this question should look like."""
    return next((kind for kind, pattern in _KINDS if pattern.search(text)), "other")


def take_apart(text: str, rarity: Mapping[str, float], pieces: Sequence[str]) -> Question:
    """A question ready to be compared with sentences.

    Args:
        text: the question.
        rarity: for each of its words how rare it is in the library; 1 when it is nowhere.
        pieces: its word pieces.
    """
    weights: dict[str, float] = {}
    for word in words(text):
        if word not in ASKING:
            weights[stem(word)] = max(weights.get(stem(word), 0.0), rarity.get(word, 1.0))
    total = sum(weights.values())
    telling = np.array(
        [piece.startswith("##") or (piece.isalnum() and piece not in ASKING) for piece in pieces],
        dtype=bool,
    )
    return Question(
        text=text,
        kind=question_kind(text),
        weights={word: weight / total for word, weight in weights.items()} if total else {},
        unknown=sum(w for w in weights.values() if w == 1.0) / total if total else 0.0,
        names=frozenset(names(text)),
        numbers=frozenset(numbers(text)),
        telling=telling if telling.any() else np.ones(len(pieces), bool),
    )


def features(question: Question, candidates: Sequence[Candidate]) -> Matrix:
    """One row a candidate, one column a feature in the order of `NAMES`; float32."""
    own = np.array([_own(question, one) for one in candidates], np.float32).reshape(-1, len(OWN))
    columns = [OWN.index(name) for name in RELATIVE]
    best = own[:, columns].max(axis=0) if len(own) else np.zeros(len(columns), np.float32)
    return np.hstack([own, own[:, columns] - best]).astype(np.float32)


def _own(question: Question, one: Candidate) -> list[float]:
    here = set(content_stems(one.text))
    near = here | set(content_stems(one.before))
    around = set(content_stems(one.passage)) | set(content_stems(one.title))
    late = np.array(one.closeness, np.float32)
    told = late[question.telling] if len(late) else late
    named = names(one.text)
    return [
        one.cosine,
        float(late.mean()) if len(late) else 0.0,
        float(told.mean()) if len(told) else 0.0,
        float(told.min()) if len(told) else 0.0,
        _covered(question.weights, here),
        _covered(question.weights, near),
        _covered(question.weights, around),
        _share(question.names, named | set(words(one.text))),
        _share(question.names, set(words(one.passage)) | set(words(one.title))),
        _share(question.numbers, numbers(one.text)),
        _fits(question, one.text, named),
        one.passage_score,
        one.dense,
        one.bm25 / (one.bm25 + 10.0),
        1.0 / one.rank,
        min(len(one.text), 400) / 400.0,
        float(one.first),
        _share(question.numbers, numbers(one.passage)),
    ]


def _covered(weights: Mapping[str, float], stems: set[str]) -> float:
    return sum(weight for word, weight in weights.items() if word in stems)


def _share(wanted: frozenset[str], there: set[str]) -> float:
    """The share of wanted things that are there; 1 when nothing is wanted."""
    return len(wanted & there) / len(wanted) if wanted else 1.0


def _fits(question: Question, text: str, named: set[str]) -> float:
    """Whether the sentence has something new of the kind asked for; 0.5 when any kind will do."""
    match question.kind:
        case "number":
            return float(bool(numbers(text) - question.numbers))
        case "when":
            return float(bool(dates(text) - question.numbers - set(words(question.text))))
        case "who" | "where":
            return float(bool(named - question.names - set(words(question.text))))
        case "why":
            return float(bool(_REASON.search(text)))
    return 0.5
