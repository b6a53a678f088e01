"""What is learnt from: questions with passages that answer them, or that do not.

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
_PERTURBED, _ELSEWHERE, _ELSEWHERE_NEAR, _SWAPPED = 0.2, 0.6, 0.15, 0.3
_NAME = re.compile(
    r"(?<=[a-z,'’] )(?:[A-Z][\w'’.-]*[\w])(?: (?:of |the )?[A-Z][\w'’.-]*\w)*"
    r"|\b\d[\d,.]*\d\b|\b\d\b"
)


@dataclass(frozen=True, slots=True)
class TrainingPassage:
    """A passage as examples use it."""

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
    passage: int
    """By its number in the dataset."""
    answers: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything there is to learn and to measure on."""

    passages: tuple[TrainingPassage, ...]
    parts: dict[str, tuple[str, ...]]
    """Articles that are `learnt` (training), kept for `tuning` (validation), and `held` out."""
    questions: dict[str, tuple[LabelledQuestion, ...]]
    """By part."""


def split(articles: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The articles by part, from their sorted names."""
    held = articles[::_HELD_OUT_EVERY]
    rest = [article for article in articles if article not in held]
    tuning = rest[_TUNING_FIRST::_TUNING_EVERY]
    learnt = tuple(article for article in rest if article not in tuning)
    return {"learnt": learnt, "tuning": tuple(tuning), "held": tuple(held)}


def article_of(question: Question) -> str:
    """The article that a question was written about."""
    place = question.gold[0] if question.gold else question.paragraph
    assert place is not None
    return place.document


def holds_gold(question: Question, document_id: str, start: int, end: int) -> bool:
    """Whether a part of a document holds a whole gold span of a question."""
    return any(
        span.document == document_id and start <= span.start and span.end <= end
        for span in question.gold
    )


def load_dataset(library: Library, data: Path) -> Dataset:
    """The questions of a data folder with passages of a library that holds its documents."""
    parts = split(sorted(record.id for record in library.documents()))
    part_of = {article: part for part, articles in parts.items() for article in articles}
    titles = {record.id: record.title for record in library.documents()}
    placed = [(a, p) for a in sorted(part_of) for p in library.passages(a)]
    passages = tuple(_training_passage(article, titles[article], p) for article, p in placed)
    made = library.encoder.encode(
        [Embeddable("", passage.text, passage.sentences) for passage in passages]
    )
    vectors = np.stack([embedded.passage for embedded in made])
    numbers = {
        part: np.array([i for i, one in enumerate(passages) if one.document in articles])
        for part, articles in parts.items()
    }
    labelled: dict[str, list[LabelledQuestion]] = {part: [] for part in parts}
    for question in load_questions(data / "questions.jsonl"):
        article = article_of(question)
        part = part_of[article]
        likeness = vectors[numbers[part]] @ library.encoder.encode_query(question.question).vector
        nearest = numbers[part][np.argsort(-likeness)[:_NEAREST]]
        labelled[part].append(_labelled(question, article, placed, [int(i) for i in nearest]))
    return Dataset(passages, parts, {part: tuple(some) for part, some in labelled.items()})


def _training_passage(article: str, title: str, passage: Passage) -> TrainingPassage:
    spans = (Span(s.start - passage.start, s.end - passage.start) for s in passage.sentences)
    return TrainingPassage(article, title, passage.text, tuple(spans))


def _labelled(
    question: Question, article: str, placed: Sequence[tuple[str, Passage]], nearest: Sequence[int]
) -> LabelledQuestion:
    """A question with where it is answered, and where near by it is not."""
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
        own = [(i, answers) for i, answers in own if answers]
    return LabelledQuestion(
        question, article, tuple(own), tuple(i for i in nearest if i not in own_numbers)
    )


def epoch(dataset: Dataset, number: int) -> list[Example]:
    """The examples of one time through the questions, shuffled; others for each number."""
    rng = random.Random(FIRST_EPOCH + number)
    examples: list[Example] = []
    for labelled in dataset.questions["learnt"]:
        examples += _examples(labelled, dataset, rng)
    rng.shuffle(examples)
    return examples


def _examples(
    labelled: LabelledQuestion, dataset: Dataset, rng: random.Random
) -> Iterator[Example]:
    text, answerable = labelled.question.question, labelled.question.answerable
    typed = perturb(text, rng.randrange(4)) if rng.random() < _PERTURBED else text
    if labelled.own:
        passage, answers = labelled.own[0]
        yield Example(typed, passage, answers)
        if answerable and rng.random() < _SWAPPED:
            other = swapped(text, labelled.article, passage, dataset, rng)
            if other is not None:
                yield Example(other, passage, ())
    if labelled.other and rng.random() < (_ELSEWHERE if answerable else _ELSEWHERE_NEAR):
        nearest = rng.random() < 0.5
        yield Example(typed, labelled.other[0] if nearest else rng.choice(labelled.other[:5]), ())


def perturb(question: str, how: int) -> str:
    """As people type: lower case, no question mark, both, or keywords only."""
    bare = question.rstrip("? ")
    if how == 3:
        words = [w for w in re.findall(r"[\w'’.,$%-]+", question) if w.lower() not in STOP_WORDS]
        return " ".join(words) or bare
    return (question.lower(), bare, bare.lower())[how]


def swapped(
    question: str, article: str, passage: int, dataset: Dataset, rng: random.Random
) -> str | None:
    """The question about another name or number of the article, which the passage does not hold.

    None when it names nothing that the passage holds.
    """
    text = dataset.passages[passage].text
    named = [match for match in _NAME.finditer(question) if match[0] in text]
    if not named:
        return None
    match = rng.choice(named)
    pool = [
        name
        for name in _names_in(article, dataset, match[0][0].isdigit())
        if name not in text and (not match[0].isdigit() or len(name) == len(match[0]))
    ]
    if not pool:
        return None
    return question[: match.start()] + rng.choice(pool) + question[match.end() :]


def _names_in(article: str, dataset: Dataset, number: bool) -> list[str]:
    """The names, or the numbers, of an article."""
    texts = (passage.text for passage in dataset.passages if passage.document == article)
    named = {match[0] for text in texts for match in _NAME.finditer(text)}
    return sorted(name for name in named if name[0].isdigit() == number)
