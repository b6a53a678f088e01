"""Questions asked of libraries of their articles, as the network is trained on them.

Of a library that holds their article, some of one that does not ("far"), some as people type them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import Hit, Library
from index.lexical import ASKING
from index.types import Span
from rag.evaluation import Question, load_questions
from rag.reader import second
from rag.reader.network import Asked, Read
from rag.reader.reader import Reader, first_rung

SEED = 20261122
HELD_OUT_EVERY = 4
_FITTED_GROUPS, _HELD_GROUPS = (1, 1, 2, 3, 5), (1, 2)
"""Articles in each library; what is left over makes one more."""
_NOISY, _FAR, _FAR_HELD = 0.25, 1800, 700
_HITS = 10
KEPT = 24
"""Sentences kept of each question, the first rung's best."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A question with the first rung's best sentences, best first."""

    text: str
    """The question as typed."""
    article: str
    kind: str
    """`answerable`, `near` or `far`."""
    noisy: bool
    answers: tuple[str, ...]
    asked: Asked
    sentences: tuple[Read, ...]
    first: NDArray[np.float32]
    """The first rung's scores, in nats, shape (sentences,)."""
    gate: float
    """The first rung's logit that the question is answered."""
    gold: NDArray[np.bool_]
    """Which sentences hold a gold span, shape (sentences,)."""
    spans: tuple[Span | None, ...]
    """Where in each sentence's text the gold answer stands."""


def ask_all(folder: Path, data: Path) -> Iterator[Example]:
    """Every question where its article is; some where it is not; some as people type them."""
    rng = np.random.default_rng(SEED)
    files = sorted((data / "docs").iterdir())
    held = files[::HELD_OUT_EVERY]
    fitted = [file for file in files if file not in held]
    sides = [_groups(fitted, _FITTED_GROUPS, rng), _groups(held, _HELD_GROUPS, rng)]
    shelves = [_Shelf(folder, side, group) for side, some in enumerate(sides) for group in some]
    home = {file.name: shelf for shelf in shelves for file in shelf.files}
    far_left = [_FAR, _FAR_HELD]
    questions = load_questions(data / "questions.jsonl")
    for done, i in enumerate(rng.permutation(len(questions))):
        if done % 500 == 0:
            _say(f"{done}/{len(questions)} questions asked")
        question = questions[i]
        shelf = home[_article(question)]
        kind = "answerable" if question.answerable else "near"
        yield shelf.ask(question, question.question, kind)
        if shelf.side == 0 and rng.random() < _NOISY:
            yield shelf.ask(question, _noisy(question.question, int(rng.integers(4))), kind, True)
        if question.answerable and far_left[shelf.side]:
            far_left[shelf.side] -= 1
            others = [one for one in shelves if one.side == shelf.side and one is not shelf]
            yield others[int(rng.integers(len(others)))].ask(question, question.question, "far")


def _groups(
    files: Sequence[Path], sizes: Sequence[int], rng: np.random.Generator
) -> list[list[Path]]:
    shuffled = [files[i] for i in rng.permutation(len(files))]
    starts = [int(at) for at in np.cumsum((0, *sizes))]
    groups = [shuffled[a:b] for a, b in zip(starts, [*starts[1:], len(files)], strict=True)]
    return [group for group in groups if group]


def _noisy(question: str, how: int) -> str:
    """As people type: lower case, no question mark, both, or keywords only."""
    bare = question.rstrip("? ")
    if how == 3:
        words = [w for w in re.findall(r"[\w'’.,$%-]+", question) if w.lower() not in ASKING]
        return " ".join(words) or bare
    return (question.lower(), bare, bare.lower())[how]


def _article(question: Question) -> str:
    place = question.gold[0] if question.gold else question.paragraph
    assert place is not None
    return place.document


class _Shelf:
    """A library of some articles, with its reader; made in a folder of its own."""

    def __init__(self, folder: Path, side: int, files: Sequence[Path]) -> None:
        self.side, self.files = side, files
        self._library = Library.open(folder / files[0].name)
        self._library.update(files)
        self._reader = Reader(self._library)

    def ask(self, question: Question, text: str, kind: str, noisy: bool = False) -> Example:
        """One example: the first rung's best sentences, with gold where there is any."""
        seen = self._reader.examine(text, self._library.search(text, _HITS))
        standard, scores, gate = first_rung(seen)
        order = [int(i) for i in np.argsort(-scores, kind="stable")]
        reads = second.sentences(self._library, seen.places, standard, order, KEPT)
        kept = [i for i, _ in reads]
        found = [_gold(question, *seen.places[i]) for i in kept]
        return Example(
            text=text,
            article=_article(question),
            kind=kind,
            noisy=noisy,
            answers=question.answers,
            asked=second.asked(self._library, text),
            sentences=tuple(read for _, read in reads),
            first=scores[kept].astype(np.float32),
            gate=gate,
            gold=np.array([one is not None for one in found], bool),
            spans=tuple(found),
        )


def _gold(question: Question, hit: Hit, position: int) -> Span | None:
    """Where in a sentence's text a gold answer stands."""
    one = hit.sentences[position]
    for gold in question.gold:
        if gold.document == hit.document_id and one.start <= gold.start and gold.end <= one.end:
            return Span(gold.start - one.start, gold.end - one.start)
    return None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
