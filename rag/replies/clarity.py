"""Does a question say what it is about? A logistic regression over its words and what it finds.

"When was the product launched?" finds many documents nearly equally well and names nothing that
tells them apart. Fitted by `python -m rag.training.train_clarity`; the numbers are in
`clarity.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from index.embedding.centring import unit
from index.library import Library
from index.tokenization import STOP_WORDS
from index.types import EVERYWHERE, Hit, SearchScope
from rag.query.question import QueryVariant, Question
from rag.query.text_features import with_capitals
from rag.types import Ranking

NAMES = ("numbers", "rarest", "definite", "pronouns", "this", "previous", "gap", "spread", "dense",
         "best")  # fmt: skip
"""The question's digits, its rarest word, how many of its words are like "the film", and how many
pronouns it has for each word that names something, its "this",
how near the question before is, how far the third document is behind, over how many documents
belief is spread, how near the best passage is, and how clear the best sentence is."""

# what begins with a capital is a name: "the Paris summit" says which one
# "the first" and "the most" point at nothing that was said before
_DEFINITE = re.compile(
    r"\b(?i:the|this|that|these|those)\s+(?!(?:first|second|third|last|next|most|least|only)\b)"
    r"[^\WA-Z]\w*"
)
_SPECIFIED = re.compile(r"\b(?i:the)\s+[^\WA-Z]\w*\s+(?:of|on|about|between|against|with)\s+\w")
_THIS = re.compile(r"\b(?:this|these)\s+\w+", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:he|she|it|they|his|her|its|their|him|them)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The fitted numbers: a standardised logistic regression and where it asks back."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float
    threshold: float
    """Probability from which a question is asked back."""


def is_unclear(
    library: Library,
    question: Question,
    hits: Sequence[Hit],
    ranking: Ranking,
    scope: SearchScope = EVERYWHERE,
) -> bool:
    """Whether a question had better be asked back; see `clarity_features`."""
    fitted = coefficients()
    features = clarity_features(library, question, hits, ranking, scope)
    standard = (features - fitted.mean) / fitted.scale
    logit = float(standard @ fitted.weights) + fitted.bias
    return bool(1.0 / (1.0 + np.exp(-logit)) >= fitted.threshold)


def says_which_one(question: str) -> bool:
    """Whether a question says itself what its first "the" is: "the talks on data"."""
    first = _DEFINITE.search(question)
    return (
        first is not None
        and _SPECIFIED.match(question, first.start()) is not None
        and not _PRONOUN.search(question)
    )


def pointer_of(question: str) -> str:
    """The words by which a question points at what it does not name; empty when there are none."""
    # "that" mostly joins clauses
    definite = [m.group() for m in _DEFINITE.finditer(question) if m.group()[:4].lower() != "that"]
    found = _PRONOUN.search(question)
    return found.group() if found else next(iter(definite), "")


def clarity_features(
    library: Library,
    question: Question,
    hits: Sequence[Hit],
    ranking: Ranking,
    scope: SearchScope = EVERYWHERE,
) -> NDArray[np.float64]:
    """The numbers of `NAMES`; float64, shape (len(NAMES),).

    Args:
        library: whose words are counted.
        question: in its conversation.
        hits: what was found for it.
        ranking: of their sentences.
        scope: where it was looked for.
    """
    text = with_capitals(question.text, (hit.text for hit in hits))
    content = max(len(question.as_typed.features.stems), 1)
    votes: dict[str, float] = {}
    for hit in hits:
        votes[hit.document_id] = max(votes.get(hit.document_id, 0.0), hit.score)
    best = sorted(votes.values(), reverse=True) + [0.0] * 3
    belief: dict[str, float] = {}
    for sentence in ranking.sentences:
        key = sentence.hit.document_id
        belief[key] = belief.get(key, 0.0) + sentence.score
    return np.array(
        [
            any(c.isdigit() for c in text),
            _rarest(library, question.as_typed, scope),
            len(_DEFINITE.findall(text)) / content,
            len(_PRONOUN.findall(text)) / content,
            bool(_THIS.search(text)),
            _likeness(library, text, question.previous),
            best[0] - best[2],
            _entropy(belief),
            hits[0].dense if hits else 0.0,
            ranking.sentences[0].score if ranking.sentences else 0.0,
        ],
        np.float64,
    )


def _rarest(library: Library, question: QueryVariant, scope: SearchScope) -> float:
    content = [word for word in question.features.words if word not in STOP_WORDS]
    idf = library.idf(content, scope=scope)
    return max((idf[word] for word in content), default=0.0)


def _likeness(library: Library, text: str, previous: str) -> float:
    """Cosine of a question and the one before it; 0 when it is the first."""
    if not previous:
        return 0.0
    a, b = (unit(library.encode_query(said).vector) for said in (text, previous))
    return float(a @ b)


def _entropy(belief: Mapping[str, float]) -> float:
    """Of belief shared out among documents, in nats."""
    shares = np.array(list(belief.values()) or [1.0])
    shares = shares / max(shares.sum(), 1e-12)
    return float(-(shares * np.log(np.maximum(shares, 1e-12))).sum())


@cache
def coefficients() -> Fitted:
    """The fitted numbers of this package; ValueError when they are for other features."""
    data = json.loads(files("rag.replies").joinpath("clarity.json").read_text("utf-8"))
    if tuple(data["features"]) != NAMES:
        raise ValueError(
            "clarity.json is for other features: run python -m rag.training.train_clarity"
        )
    arrays = {name: np.array(data[name]) for name in ("mean", "scale", "weights")}
    return Fitted(**arrays, bias=float(data["bias"]), threshold=float(data["threshold"]))
