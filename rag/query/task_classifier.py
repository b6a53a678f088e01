"""The task of a question: a multinomial logistic regression over its words and its embedding.

Fitted by `python -m rag.training.train_task` on hand-written questions; the numbers are in
`task.npz`. With another encoder than the one it was fitted with, the words decide alone.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import QuestionVectors

Task = Literal[
    "fact", "explain", "compare", "summarise", "overview", "list", "timeline", "yes_no", "quote",
    "keyword", "order", "more", "rephrase", "which_first", "small_talk", "library",
]  # fmt: skip

ABOUT_LAST_ANSWER: frozenset[Task] = frozenset({"more", "rephrase", "which_first"})
"""Tasks that are done with the answer before; a first question has none of them."""

PLAIN: frozenset[Task] = frozenset({"fact", "explain", "yes_no"})
"""Tasks of questions that ask for what a sentence or a paragraph holds."""

CERTAIN, CERTAIN_ALONE = 0.35, 0.25
"""Probability from which on a task is another one than a plain question's; by words alone."""

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[?!:,]")
_ALIKE = {"versus": "vs"}
_PLURAL = re.compile(r"[^su]s$")
"""Of "which ships" and "which ship" one asks for a list."""
_NOUN = 4
"""Words after "which" within which its noun stands, and one."""
_LONGEST = 3
"""Words in a row that count as a feature."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What a question asks to be done."""

    task: Task
    intent: str
    """Of small talk and of questions about the library: which sort; else empty."""
    probability: float
    """That it is this task, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A fitted classifier."""

    grams: dict[str, int]
    """The row of each feature."""
    words: NDArray[np.float32]
    """Weights of the features, shape (features, labels)."""
    vector: NDArray[np.float32]
    """Weights of the question's vector, shape (d, labels); (0, labels) where none is looked at."""
    bias: NDArray[np.float32]
    """Shape (labels,)."""


@dataclass(frozen=True, slots=True, eq=False)
class TaskModel:
    """The fitted numbers, with and without an embedding."""

    labels: tuple[str, ...]
    """`task` or `task/intent`."""
    common: frozenset[str]
    """The words that several questions have, which are about different things."""
    encoder: str
    """The revision of the encoder whose vectors were looked at."""
    embedded: Weights
    alone: Weights


def classify(
    question: str,
    *,
    follow_up: bool = False,
    vectors: QuestionVectors | None = None,
    fitted: TaskModel | None = None,
) -> Classification:
    """What a question asks to be done.

    Args:
        question: as typed.
        follow_up: whether there are turns before it.
        vectors: of the question, by the encoder of `model().encoder`; None when there are none.
        fitted: the numbers to go by; the package's own when None.
    """
    fitted = fitted or model()
    if not question.strip() or _is_foreign(question, fitted):
        return Classification("fact", "", 0.0)
    shares = _shares(fitted, question, follow_up, vectors)
    tasks: dict[Task, float] = {}
    for label, share in shares.items():
        task: Any = label.partition("/")[0]
        tasks[task] = tasks.get(task, 0.0) + share
    best = max(tasks, key=lambda task: tasks[task])
    if best not in PLAIN and tasks[best] < (CERTAIN if vectors else CERTAIN_ALONE):
        best = max(PLAIN, key=lambda task: tasks[task])
    intents = {label: share for label, share in shares.items() if label.startswith(f"{best}/")}
    intent = max(intents, key=lambda label: intents[label]).partition("/")[2] if intents else ""
    return Classification(best, intent, tasks[best])


def tokens_of(question: str) -> list[str]:
    """The words of a question in lower case, numbers all alike, and its telling signs."""
    found = [token.lower().replace("’", "'") for token in _TOKEN.findall(question)]
    return ["<number>" if token.isdigit() else _ALIKE.get(token, token) for token in found]


def features(question: str, *, follow_up: bool, common: Container[str]) -> list[str]:
    """The features of a question: runs of words, how it begins and ends, and its shape.

    Args:
        question: as typed.
        follow_up: whether there are turns before it.
        common: words of which it is known how people ask with them; all others name something.
    """
    tokens = tokens_of(question)
    runs = [
        "_".join(tokens[first : first + length])
        for length in range(1, _LONGEST + 1)
        for first in range(len(tokens) - length + 1)
    ]
    ends = [f"^{'_'.join(tokens[:n])}" for n in (1, 2)] + [
        f"{'_'.join(tokens[-n:])}$" for n in (1, 2)
    ]
    numbers = [
        f"{asking} {'several' if any(map(_PLURAL.search, tokens[at + 1 : at + _NOUN])) else 'one'}"
        for at, asking in enumerate(tokens)
        if asking == "which"
    ]
    capitals = len(re.findall(r"(?<!^)\b[A-Z]", question))
    rare = sum(token[0].isalpha() and token not in common for token in tokens)
    shape = [
        f"rare {min(rare, 4)}",
        f"length {min(len(tokens), 12) // 2}",
        f"capitals {min(capitals, 3)}",
        "asked" if question.rstrip().endswith("?") else "told",
    ]
    return list(
        dict.fromkeys([*runs, *ends, *numbers, *shape, *(["follow-up"] if follow_up else [])])
    )


def _is_foreign(question: str, fitted: TaskModel) -> bool:
    """Whether it has other letters than English has, and not one word that was fitted on."""
    found = [token for token in tokens_of(question) if token[0].isalpha()]
    return bool(found) and not question.isascii() and fitted.common.isdisjoint(found)


def _shares(
    fitted: TaskModel, question: str, follow_up: bool, vectors: QuestionVectors | None
) -> dict[str, float]:
    """The probability of each label that a question in this place can have."""
    weights = fitted.alone if vectors is None else fitted.embedded
    rows = [
        weights.grams[name]
        for name in features(question, follow_up=follow_up, common=fitted.common)
        if name in weights.grams
    ]
    logits = weights.bias + weights.words[rows].sum(axis=0)
    if vectors is not None:
        logits = logits + vectors.vector @ weights.vector
    grown = np.exp(logits - logits.max())
    shares = dict(zip(fitted.labels, map(float, grown / grown.sum()), strict=True))
    if not follow_up:
        for task in ABOUT_LAST_ANSWER:
            shares[task] = 0.0
    total = sum(shares.values())
    return {label: share / total for label, share in shares.items()}


@cache
def model() -> TaskModel:
    """The fitted numbers of this package."""
    with files("rag.query").joinpath("task.npz").open("rb") as file, np.load(file) as data:
        return of_arrays(data)


def of_arrays(data: Mapping[str, Any]) -> TaskModel:
    """The fitted numbers of the arrays of `task.npz`."""
    return TaskModel(
        labels=tuple(map(str, data["labels"])),
        common=frozenset(map(str, data["common"])),
        encoder=str(data["encoder"]),
        embedded=_weights(data, "embedded"),
        alone=_weights(data, "alone"),
    )


def _weights(data: Mapping[str, Any], name: str) -> Weights:
    grams: Sequence[str] = data[f"{name}_grams"]
    return Weights(
        {str(gram): row for row, gram in enumerate(grams)},
        data[f"{name}_words"].astype(np.float32),
        data[f"{name}_vector"].astype(np.float32),
        data[f"{name}_bias"].astype(np.float32),
    )
