"""What the network learns from: questions with passages that answer them, or that do not.

Articles are divided once, by name: every fourth is held out and only measured on; of the others a
few are kept for tuning (what is fitted on top of the network); the rest is learnt. A passage is
never seen beside a question of another part.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index import Library, Passage
from index.embedding.encoder import Embeddable
from index.tokenization import STOP_WORDS
from index.types import Span
from rag.evaluation.questions import Question, load_questions

SEED, FIRST_EPOCH = 20261122, 1000
_HELD_OUT_EVERY, _TUNING_EVERY, _TUNING_FIRST = 4, 7, 3
_NEAREST = 8
# Shares of the questions that are asked as people type, of a passage that does not answer (of the
# answerable and of the others), and about another name or number of the article.
_NOISY, _ELSEWHERE, _ELSEWHERE_NEAR, _SWAPPED = 0.2, 0.6, 0.15, 0.3
_NAME = re.compile(
    r"(?<=[a-z,'’] )(?:[A-Z][\w'’.-]*[\w])(?: (?:of |the )?[A-Z][\w'’.-]*\w)*"
    r"|\b\d[\d,.]*\d\b|\b\d\b"
)


@dataclass(frozen=True, slots=True)
class TrainingPassage:
    """A passage as lessons use it."""

    document: str
    title: str
    text: str
    sentences: tuple[Span, ...]
    """Counted from the start of `text`."""


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question with the passages it may be asked of, by number."""

    question: Question
    article: str
    own: tuple[tuple[int, tuple[Span, ...]], ...]
    """Passages that answer and where; of an unanswerable question, those it was written about."""
    other: tuple[int, ...]
    """Passages that are near in meaning and do not answer, nearest first."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question, a passage, and where in it the answers stand; nowhere when it does not answer."""

    question: str
    page: int
    answers: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything there is to learn and to measure on."""

    pages: tuple[TrainingPassage, ...]
    parts: dict[str, tuple[str, ...]]
    """Articles that are `learnt`, kept for `tuning`, and `held` out."""
    asked: dict[str, tuple[LabelledQuestion, ...]]
    """Questions by part."""


def split(articles: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The articles by part, from their sorted names."""
    held = articles[::_HELD_OUT_EVERY]
    rest = [one for one in articles if one not in held]
    tuning = rest[_TUNING_FIRST::_TUNING_EVERY]
    learnt = tuple(one for one in rest if one not in tuning)
    return {"learnt": learnt, "tuning": tuple(tuning), "held": tuple(held)}


def load_dataset(library: Library, data: Path) -> Dataset:
    """The questions of a data folder with passages of a library that holds its documents."""
    parts = split(sorted(one.id for one in library.documents()))
    part_of = {article: part for part, articles in parts.items() for article in articles}
    titles = {one.id: one.title for one in library.documents()}
    placed = [(a, p) for a in sorted(part_of) for p in library.passages(a)]
    pages = tuple(_page(article, titles[article], p) for article, p in placed)
    made = library.encoder.encode([Embeddable("", page.text, page.sentences) for page in pages])
    vectors = np.stack([one.passage for one in made])
    numbers = {
        part: np.array([i for i, page in enumerate(pages) if page.document in articles])
        for part, articles in parts.items()
    }
    asked: dict[str, list[LabelledQuestion]] = {part: [] for part in parts}
    for question in load_questions(data / "questions.jsonl"):
        place = question.gold[0] if question.gold else question.paragraph
        assert place is not None
        part = part_of[place.document]
        likeness = vectors[numbers[part]] @ library.encoder.encode_query(question.question).vector
        nearest = numbers[part][np.argsort(-likeness)[:_NEAREST]]
        asked[part].append(_asked(question, place.document, placed, [int(i) for i in nearest]))
    return Dataset(pages, parts, {part: tuple(some) for part, some in asked.items()})


def _page(article: str, title: str, passage: Passage) -> TrainingPassage:
    spans = (Span(s.start - passage.start, s.end - passage.start) for s in passage.sentences)
    return TrainingPassage(article, title, passage.text, tuple(spans))


def _asked(
    question: Question, article: str, placed: Sequence[tuple[str, Passage]], nearest: Sequence[int]
) -> LabelledQuestion:
    """Where a question is answered, and where near by it is not."""
    own = []
    for i, (document, passage) in enumerate(placed):
        at = question.paragraph
        if document == article and at and passage.start < at.end and at.start < passage.end:
            inside = tuple(
                Span(gold.start - passage.start, gold.end - passage.start)
                for gold in question.gold
                if passage.start <= gold.start and gold.end <= passage.end
            )
            own.append((i, inside))
    own_numbers = {i for i, _ in own}
    if question.answerable:
        own = [one for one in own if one[1]]
    return LabelledQuestion(
        question, article, tuple(own), tuple(i for i in nearest if i not in own_numbers)
    )


def epoch(course: Dataset, number: int) -> list[Example]:
    """The lessons of one time through the questions, in random order; another for each number."""
    rng = random.Random(FIRST_EPOCH + number)
    found: list[Example] = []
    for one in course.asked["learnt"]:
        found += _lessons(one, course, rng)
    rng.shuffle(found)
    return found


def _lessons(one: LabelledQuestion, course: Dataset, rng: random.Random) -> Iterator[Example]:
    text, answerable = one.question.question, one.question.answerable
    typed = perturb(text, rng.randrange(4)) if rng.random() < _NOISY else text
    if one.own:
        page, answers = one.own[0]
        yield Example(typed, page, answers)
        if answerable and rng.random() < _SWAPPED:
            other = swapped(text, one.article, page, course, rng)
            if other is not None:
                yield Example(other, page, ())
    if one.other and rng.random() < (_ELSEWHERE if answerable else _ELSEWHERE_NEAR):
        nearest = rng.random() < 0.5
        yield Example(typed, one.other[0] if nearest else rng.choice(one.other[:5]), ())


def perturb(question: str, how: int) -> str:
    """As people type: lower case, no question mark, both, or keywords only."""
    bare = question.rstrip("? ")
    if how == 3:
        words = [w for w in re.findall(r"[\w'’.,$%-]+", question) if w.lower() not in STOP_WORDS]
        return " ".join(words) or bare
    return (question.lower(), bare, bare.lower())[how]


def swapped(
    question: str, article: str, page: int, course: Dataset, rng: random.Random
) -> str | None:
    """The question about another name or number of the article, which the passage does not hold.

    None when it names nothing that the passage holds.
    """
    text = course.pages[page].text
    found = [match for match in _NAME.finditer(question) if match[0] in text]
    if not found:
        return None
    match = rng.choice(found)
    pool = [
        one
        for one in _told(article, course, match[0][0].isdigit())
        if one not in text and (not match[0].isdigit() or len(one) == len(match[0]))
    ]
    if not pool:
        return None
    return question[: match.start()] + rng.choice(pool) + question[match.end() :]


def _told(article: str, course: Dataset, number: bool) -> list[str]:
    """The names, or the numbers, of an article."""
    texts = (page.text for page in course.pages if page.document == article)
    found = {match[0] for text in texts for match in _NAME.finditer(text)}
    return sorted(one for one in found if one[0].isdigit() == number)
