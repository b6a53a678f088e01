"""Which sentence answers a question in another language, and does any?

For encoders that know many languages. What `ranker.py` and `gate.py` weigh was fitted on English
and its encoder: a question in German shares no word with an English sentence, names aside, and its
words have other endings. Where the encoder knows English alone, words say more than vectors, and
only whether any sentence answers is decided here. The numbers (`across.json`) are fitted by
`python -m rag.training.train_across`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import Encoder
from index.languages.detection import is_latin, language
from index.languages.word_lists import word_list
from index.types import Hit
from rag.reader.features import NAMES, Matrix

Pairing = Literal["same", "near", "far"]
"""A question in its documents' language, in another one of the same script, or of another script.
Vectors lie the less close the further the languages are, so each has numbers of its own."""

RANKED_BY = (
    "cosine", "late", "late_content", "overlap", "overlap_near", "numbers", "passage", "dense",
    "bm25", "rank", "length", "first",
)  # fmt: skip
_ABOVE = ("cosine", "late", "late_content", "dense")
"""How far the best stands out among what was found counts too: that depends on no language."""
_OF_BEST = ("cosine", "late", "late_content", "overlap", "passage")
_HIGHEST = ("late", "late_content", "passage", "dense", "overlap_passage")
GATE_NAMES = (*_OF_BEST, *(f"{name}_highest" for name in _HIGHEST),
              *(f"{name}_above" for name in _ABOVE), "belief", "ahead")  # fmt: skip


Script = Literal["latin", "cjk"]
"""What an encoder for English makes something of, and what it makes next to nothing of."""
_WORDS = ("overlap", "overlap_near", "overlap_passage", "bm25")
WORDS_GATE_NAMES = (
    *_WORDS, "names", "numbers_passage", *(f"{name}_highest" for name in _WORDS),
    "names_passage_highest", "late_highest", "late_content_highest",
    *(f"{name}_above" for name in (*_WORDS, "late", "late_content", "dense")), "belief", "ahead",
)  # fmt: skip
"""What the gate sees where the encoder does not know the documents' language."""
CHARACTERS = "characters"
"""Of scripts without words the gate sees `covered_characters` too."""


_LOOKED_AT = 3
"""Passages by which the documents' language is told."""


def language_of(hits: Sequence[Hit], asked: str) -> str:
    """The code of the language that the closest passages are in.

    Args:
        hits: best first.
        asked: the code of the question's language. Where the closest passage of a mixed library is
            in it, that decides, unless it is English, which a few words of any language pass for.
    """
    if asked != "en" and hits and language(hits[0].text) == asked:
        return asked
    return language(" ".join(hit.text for hit in hits[:_LOOKED_AT]))


def pairing_of(question: str, hits: Sequence[Hit], encoder: Encoder) -> Pairing | None:
    """How a question and the closest passages pair; None with an encoder for English alone."""
    if encoder.is_english:
        return None
    asked = language(question)
    return pairing(asked, language_of(hits, asked))


def pairing(asked: str, read: str) -> Pairing:
    """How two languages pair, by their codes."""
    if asked == read:
        return "same"
    return "near" if is_latin(asked) and is_latin(read) else "far"


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A standardised linear score: of a sentence, or of whether any answers."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float = 0.0

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The score of each row, as a logit."""
        scores: NDArray[np.float64] = ((rows - self.mean) / self.scale) @ self.weights + self.bias
        return scores


def score_across(matrix: Matrix, kind: Pairing) -> tuple[NDArray[np.float64], float]:
    """Scores (logits) of sentences, shape (n,), and the logit that one of them answers.

    Args:
        matrix: features of at least one sentence, shape (n, len(NAMES)).
        kind: how the question's language and theirs pair.
    """
    ranking, gate = fitted(kind)
    scores = ranking.score(ranking_rows(matrix))
    return scores, float(gate.score(gate_row(matrix, scores)))


def believe_words(row: NDArray[np.float64], script: Script) -> float:
    """The logit that a sentence answers, where the encoder knows English and they are in another.

    Args:
        row: from `words_row`.
        script: what the sentences are written in.
    """
    return float(fitted_words(script).score(row))


def words_row(
    question: str,
    passages: Sequence[str],
    matrix: Matrix,
    scores: NDArray[np.float64],
    script: Script,
) -> NDArray[np.float64]:
    """What the gate of `believe_words` sees, shape (len(words_gate_names(script)),).

    Args:
        question: as it was searched for.
        passages: those that the sentences stand in, each with its title.
        matrix: features of at least one sentence, shape (n, len(NAMES)).
        scores: of these sentences, as logits, shape (n,).
        script: what they are written in.
    """
    row = gate_row(matrix, scores, WORDS_GATE_NAMES)
    return np.append(row, covered_characters(question, passages)) if script == "cjk" else row


def words_gate_names(script: Script) -> tuple[str, ...]:
    """The names of what the gate sees in a script."""
    return (*WORDS_GATE_NAMES, CHARACTERS) if script == "cjk" else WORDS_GATE_NAMES


def covered_characters(question: str, passages: Sequence[str]) -> float:
    """The share of a question's characters that one passage holds at most, in [0, 1].

    Without those that join or ask, and without what is left alone between them. Pairs of
    characters, by which is searched, fall apart wherever a word is put in another way: 参赛队 and
    队伍 share none.
    """
    left = _joining_or_asking(language(question)).split(question)
    wanted = {sign for part in left if len(part) > 1 for sign in part}
    if not wanted:
        return 0.0
    return max((len(wanted.intersection(text)) for text in passages), default=0) / len(wanted)


@cache
def _joining_or_asking(code: str) -> re.Pattern[str]:
    """Whatever is no part of what a question is about, in a language without spaces."""
    lists = ("joining", "asks_number", "asks_when", "asks_who", "asks_where", "asks_why")
    words = {word for name in lists for word in word_list(code, name)}
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile("|".join([r"[\W_]+", *map(re.escape, longest_first)]))


def ranking_rows(matrix: Matrix) -> NDArray[np.float64]:
    """What the ranking sees of sentences, shape (n, len(RANKED_BY))."""
    return matrix[:, [NAMES.index(name) for name in RANKED_BY]].astype(np.float64)


def gate_row(
    matrix: Matrix, scores: NDArray[np.float64], names: Sequence[str] = GATE_NAMES
) -> NDArray[np.float64]:
    """What the gate sees of sentences with these scores, shape (len(names),)."""
    best = int(np.argmax(scores))
    return np.array([_seen(matrix, scores, best, name) for name in names], np.float64)


def _seen(matrix: Matrix, scores: NDArray[np.float64], best: int, name: str) -> float:
    """A feature of the best sentence, the highest of any, or how far that is above the middle."""
    if name == "belief":
        grown = np.exp(scores - scores.max())
        return float(grown.max() / grown.sum())
    if name == "ahead":
        passages = np.unique(matrix[:, NAMES.index("passage")])
        return float(passages[-1] - passages[-2]) if len(passages) > 1 else 0.0
    if name in NAMES:
        return float(matrix[best, NAMES.index(name)])
    feature, _, how = name.rpartition("_")
    values = matrix[:, NAMES.index(feature)]
    return float(values.max() - (np.median(values) if how == "above" else 0.0))


@cache
def fitted(kind: Pairing) -> tuple[Fitted, Fitted]:
    """The numbers of ranking and gate; ValueError when they are for other features."""
    data = json.loads(files("rag.reader").joinpath("across.json").read_text("utf-8"))
    if tuple(data["ranked by"]) != RANKED_BY or tuple(data["gate"]) != GATE_NAMES:
        raise ValueError("across.json is for other features: python -m rag.training.train_across")
    return _of(data[kind]["ranking"]), _of(data[kind]["gating"])


@cache
def fitted_words(script: Script) -> Fitted:
    """The gate's numbers for an encoder of English; ValueError when they are for other features."""
    data = json.loads(files("rag.reader").joinpath("across.json").read_text("utf-8"))["words"]
    if tuple(data[script]["gate"]) != words_gate_names(script):
        raise ValueError("across.json is for other features: python -m rag.training.train_across")
    return _of(data[script]["gating"])


def _of(row: dict[str, Any]) -> Fitted:
    return Fitted(
        np.array(row["mean"]), np.array(row["scale"]), np.array(row["weights"]),
        float(row.get("bias", 0.0)),
    )  # fmt: skip
