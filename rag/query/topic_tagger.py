"""What a question is about: which of its words name the topic, told by a linear tagger.

"could you sum up the report on the harbour for me" is about the "report on the harbour". Each word
gets a probability (logistic regression over the words around it and the encoder's vectors of its
pieces); Viterbi's algorithm finds the best sequence. Fitted by `python -m rag.training.train_task`;
the numbers are in `topic.npz`. With another encoder the words around decide alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import QuestionVectors
from index.types import Span
from rag.query.task_classifier import Task

BEGINS = 0.5
"""Logits that a topic's beginning costs: few topics, not many shreds."""
EACH_SIDE = 1.5
"""Logits by which each word of a comparison is likelier to name a side: both are wanted."""

_TOKEN = re.compile(r"[^\W_]+(?:['’\-.&][^\W_]+)*|[^\w\s]")
_BESIDE = range(-3, 3)
"""The words around one that are looked at."""
_PREPOSITIONS = frozenset("about on of regarding concerning covering for between from".split())
_EDGES = frozenset("the a an my any and or of in on".split()) | frozenset("\"“”'?.,!:;-–()")
"""What is cut off a topic's edges."""
_JOINTS = frozenset("and or vs vs. versus with to from than against beside – - / , :".split())
"""What stands between the sides of a comparison."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A fitted tagger."""

    names: dict[str, int]
    """The row of each feature."""
    words: NDArray[np.float32]
    """Weights of the features, shape (features,)."""
    pieces: NDArray[np.float32]
    """Weights of the word's, the one before's and the next one's vector, shape (3 · width,)."""
    bias: float


@dataclass(frozen=True, slots=True, eq=False)
class TopicModel:
    """The fitted numbers, with and without the encoder's vectors."""

    known: frozenset[str]
    """Words that are features themselves; all others are alike."""
    embedded: Weights
    alone: Weights


def topics(
    question: str,
    task: Task,
    vectors: QuestionVectors | None = None,
    fitted: TopicModel | None = None,
) -> tuple[str, ...]:
    """The parts of a question that name what it is about, in order; may be none.

    Args:
        question: as typed.
        task: what it asks to be done; of a comparison each side is a part.
        vectors: of the question, by the encoder that the tagger was fitted with; None without.
        fitted: the numbers to go by; the package's own when None.
    """
    spans = tokens(question)
    if not spans:
        return ()
    logits = _logits(fitted or model(), question, task, spans, vectors)
    if task == "compare":
        inside = viterbi(logits + EACH_SIDE)
        joints = [question[span.start : span.end].lower() in _JOINTS for span in spans]
        inside = [here and not joint for here, joint in zip(inside, joints, strict=True)]
    else:
        inside = viterbi(logits)
    return tuple(_cut(question, spans, inside))


def tokens(question: str) -> list[Span]:
    """Where the words and signs of a question stand."""
    return [Span(*match.span()) for match in _TOKEN.finditer(question)]


def features(words: Sequence[str], task: Task, known: frozenset[str]) -> list[list[str]]:
    """The features of each word of a question.

    Args:
        words: and signs, as typed.
        task: what the question asks to be done.
        known: words that are features themselves.
    """
    forms = [_form(word, known) for word in words]
    seen = ""
    made = []
    for at, form in enumerate(forms):
        before, after = _at(forms, at - 1), _at(forms, at + 1)
        own = [f"{beside}:{_at(forms, at + beside)}" for beside in _BESIDE]
        own += [f"before {before} {form}", f"after {form} {after}"]
        own += [f"{_at(forms, at - 2)} {before}", f"task {task}", f"task {task} {form}"]
        own += [f"first {min(at, 6)}", f"last {min(len(forms) - 1 - at, 3)}", f"after {seen}"]
        if at and words[at][0].isupper():
            own.append("capital")
        if "<rare>" in forms[:at]:
            own.append("rare before")
        if "<rare>" in forms[at:]:
            own.append("rare left")
        made.append(own)
        seen = form if form in _PREPOSITIONS else seen
    return made


def piece_vectors(spans: Sequence[Span], vectors: QuestionVectors) -> NDArray[np.float32]:
    """Each word's mean vector of its pieces, with those beside it; shape (words, 3 · width)."""
    width = vectors.tokens.shape[1]
    own = np.zeros((len(spans) + 2, width), np.float32)
    for row, span in enumerate(spans, start=1):
        held = [
            at
            for at, piece in enumerate(vectors.spans)
            if piece.start < span.end and piece.end > span.start
        ]
        if held:
            own[row] = np.asarray(vectors.tokens, np.float32)[held].mean(axis=0)
    return np.hstack([own[1:-1], own[:-2], own[2:]])


def viterbi(logits: NDArray[np.float32]) -> list[bool]:
    """Which words are inside, so that the sum of logits is highest, each beginning paid for."""
    out, within = 0.0, float(logits[0]) - BEGINS
    steps: list[tuple[bool, bool]] = []
    for logit in map(float, logits[1:]):
        stays, starts = within + logit, out + logit - BEGINS
        steps.append((within > out, stays >= starts))
        out, within = max(out, within), max(stays, starts)
    inside = [within > out]
    for from_within, stayed in reversed(steps):
        inside.append(stayed if inside[-1] else from_within)
    return inside[::-1]


def _logits(
    fitted: TopicModel,
    question: str,
    task: Task,
    spans: Sequence[Span],
    vectors: QuestionVectors | None,
) -> NDArray[np.float32]:
    weights = fitted.embedded if vectors is not None and vectors.spans else fitted.alone
    words = [question[span.start : span.end] for span in spans]
    logits = np.full(len(words), weights.bias, np.float32)
    for at, own in enumerate(features(words, task, fitted.known)):
        rows = [weights.names[name] for name in own if name in weights.names]
        logits[at] += weights.words[rows].sum()
    if vectors is not None and vectors.spans:
        logits += piece_vectors(spans, vectors) @ weights.pieces
    return logits


def _cut(question: str, spans: Sequence[Span], inside: Sequence[bool]) -> list[str]:
    """The runs of words that are inside, without articles and signs at their edges."""
    found: list[list[Span]] = []
    before = False
    for span, here in zip(spans, inside, strict=True):
        if here:
            found += [] if before else [[]]
            found[-1].append(span)
        before = here
    parts = []
    for run in found:
        while run and question[run[0].start : run[0].end].lower() in _EDGES:
            run.pop(0)
        while run and question[run[-1].start : run[-1].end].lower() in _EDGES - {")"}:
            run.pop()
        if run:
            parts.append(question[run[0].start : run[-1].end])
    return parts


def _form(word: str, known: frozenset[str]) -> str:
    lower = word.lower().replace("’", "'")
    if lower.isdigit():
        return "<year>" if len(lower) == 4 else "<number>"
    return lower if lower in known else "<rare>"


def _at(forms: Sequence[str], at: int) -> str:
    return "<start>" if at < 0 else forms[at] if at < len(forms) else "<end>"


@cache
def model() -> TopicModel:
    """The fitted numbers of this package."""
    with files("rag.query").joinpath("topic.npz").open("rb") as file, np.load(file) as data:
        return of_arrays(data)


def of_arrays(data: Mapping[str, Any]) -> TopicModel:
    """The fitted numbers of the arrays of `topic.npz`."""
    known = frozenset(map(str, data["known"]))
    return TopicModel(known, _weights(data, "embedded"), _weights(data, "alone"))


def _weights(data: Mapping[str, Any], name: str) -> Weights:
    return Weights(
        {str(feature): row for row, feature in enumerate(data[f"{name}_names"])},
        data[f"{name}_words"].astype(np.float32),
        data[f"{name}_pieces"].astype(np.float32),
        float(data[f"{name}_bias"]),
    )
