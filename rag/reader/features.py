"""What can be seen, without a trained reader, of how well a sentence answers a question.

Every feature is bounded, so that one odd document cannot outshout the rest. Names and order are
part of the trained coefficients (`coefficients.json`), which are refused when they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from index.languages.word_lists import UNSPACED, word_list
from index.tokenization import STOP_WORDS
from index.types import Hit, ScoredSentence
from rag.query.question import QueryVariant
from rag.query.text_features import TextFeatures, features_of, stem

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

_TYPE_FIT = {True: 1.0, False: 0.0, None: 0.5}


@dataclass(frozen=True, slots=True, eq=False)
class QuestionWeights:
    """What the words of a question are worth in one library."""

    weights: Mapping[str, float]
    """Its content stems with their rarity in the library; sums to 1 unless empty."""
    unknown: float
    """Share of that weight on words that are nowhere in the library, in [0, 1]."""
    is_content: NDArray[np.bool_]
    """Which of the word pieces belong to words that name something, shape (pieces,)."""


@dataclass(frozen=True)
class PassageFeatures:
    """A passage with what it says on its surface, shared by the sentences in it."""

    hit: Hit

    @cached_property
    def sentences(self) -> tuple[TextFeatures, ...]:
        """Its sentences, in order."""
        return tuple(features_of(sentence.text) for sentence in self.hit.sentences)

    @cached_property
    def text(self) -> TextFeatures:
        """The whole passage."""
        return features_of(self.hit.text)

    @cached_property
    def attribution(self) -> TextFeatures:
        """Source and author: a question may name them ("as The Verge reported")."""
        return features_of(f"{self.hit.source} {self.hit.author}")

    @cached_property
    def words(self) -> frozenset[str]:
        """Words of the passage, its title and its attribution."""
        title = features_of(self.hit.title)
        return self.text.word_set | title.word_set | self.attribution.word_set

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of the passage (its sentences cover all its words), its title, its attribution."""
        own = frozenset[str]().union(*(sentence.stems for sentence in self.sentences))
        return own | features_of(self.hit.title).stems | self.attribution.stems


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer."""

    passage: PassageFeatures
    position: int
    """Which sentence of the passage, from 0."""

    @property
    def sentence(self) -> ScoredSentence:
        """The sentence as compared with the question."""
        return self.passage.hit.sentences[self.position]

    @property
    def features(self) -> TextFeatures:
        """What the sentence says on its surface."""
        return self.passage.sentences[self.position]

    def neighbours(self) -> Sequence[TextFeatures]:
        """The sentences before and after it, where there are such: a speaker often stands there."""
        every, i = self.passage.sentences, self.position
        return (*every[max(i - 1, 0) : i], *every[i + 1 : i + 2])


def weigh(
    text: TextFeatures,
    idf: Mapping[str, float],
    pieces: Sequence[str],
    language: str = "en",
) -> QuestionWeights:
    """The weights of a question's words and word pieces.

    Args:
        text: the question.
        idf: for each of its words how rare it is in the library; 1 when it is nowhere.
        pieces: its word pieces.
        language: by whose small words the pieces are told that name something.
    """
    weights: dict[str, float] = {}
    for word in text.words:
        if word not in STOP_WORDS:
            weights[stem(word)] = max(weights.get(stem(word), 0.0), idf.get(word, 1.0))
    total = sum(weights.values())
    joining = _joining(language)
    is_content = np.array([_names_something(piece, joining, language) for piece in pieces], bool)
    return QuestionWeights(
        weights={word: weight / total for word, weight in weights.items()} if total else {},
        unknown=sum(w for w in weights.values() if w == 1.0) / total if total else 0.0,
        is_content=is_content if is_content.any() else np.ones(len(pieces), bool),
    )


def _names_something(piece: str, joining: Set[str], language: str) -> bool:
    """Whether a word piece belongs to a word that names something."""
    if piece.startswith("##") and language not in UNSPACED:
        return True
    bare = piece.removeprefix("##")
    return bare.isalnum() and bare not in joining


@cache
def _joining(language: str) -> frozenset[str]:
    """Words of a language that join others, or ask."""
    if language == "en":
        return STOP_WORDS
    lists = ("small", "joining", "asking", "asks_number", "asks_when", "asks_who", "asks_where",
             "asks_why")  # fmt: skip
    phrases = " ".join(phrase for name in lists for phrase in word_list(language, name))
    return STOP_WORDS.union(phrases.split())


def features(
    question: QueryVariant, weights: QuestionWeights, candidates: Sequence[Candidate]
) -> Matrix:
    """One row a candidate, one column a feature in the order of `NAMES`; float32."""
    late = _late_features(weights, candidates)
    rows = [_own(question, weights, *pair) for pair in zip(candidates, late, strict=True)]
    own = np.array(rows, np.float32).reshape(-1, len(OWN))
    columns = [OWN.index(name) for name in RELATIVE]
    best = own[:, columns].max(axis=0) if len(own) else np.zeros(len(columns), np.float32)
    return np.hstack([own, own[:, columns] - best]).astype(np.float32)


def _late_features(
    weights: QuestionWeights, candidates: Sequence[Candidate]
) -> NDArray[np.float32]:
    """Late interaction of each candidate, shape (n, 3), float32.

    The mean over the question's word pieces, the mean over those of words that name something, and
    the least of these; 0 for a candidate whose word pieces are not known.
    """
    late = np.zeros((len(candidates), 3), np.float32)
    similarities = [candidate.sentence.token_max_similarities for candidate in candidates]
    known = [i for i, row in enumerate(similarities) if row]
    if known:
        every = np.array([similarities[i] for i in known], np.float32)
        content = np.ascontiguousarray(every[:, weights.is_content])
        late[known] = np.stack([every.mean(axis=1), content.mean(axis=1), content.min(axis=1)], 1)
    return late


def _own(
    question: QueryVariant,
    weights: QuestionWeights,
    candidate: Candidate,
    late: NDArray[np.float32],
) -> list[float]:
    """The features of `OWN`, in their order."""
    text, passage, hit = candidate.features, candidate.passage, candidate.passage.hit
    near = text.stems.union(*(neighbour.stems for neighbour in candidate.neighbours()))
    asked = question.features
    # a sentence that names no year is dated by its document
    dated = {hit.date[:4]} if asked.numbers and hit.date and not text.years else set()
    return [
        candidate.sentence.score,
        *late.tolist(),
        _covered(weights.weights, text.stems),
        _covered(weights.weights, near),
        _covered(weights.weights, passage.stems),
        _named(asked.names, text, passage.attribution),
        _share(asked.names, lambda: passage.words),
        _share(asked.numbers, lambda: text.numbers | dated),
        _TYPE_FIT[question.has_answer_type(text)],
        hit.score if hit.plain_score is None else hit.plain_score,
        hit.dense,
        hit.lexical / (hit.lexical + 10.0),
        1.0 / hit.rank,
        min(len(text.text), 400) / 400.0,
        float(candidate.position == 0),
        _share(asked.numbers, lambda: passage.text.numbers | dated),
    ]


def _covered(weights: Mapping[str, float], stems: Set[str]) -> float:
    return sum(weight for word, weight in weights.items() if word in stems)


def _named(wanted: Set[str], text: TextFeatures, attribution: TextFeatures) -> float:
    """The share of wanted names that a sentence or its passage's attribution holds."""

    def there() -> Set[str]:
        held = text.word_set | attribution.word_set
        # a name of plain letters is one of the words; `U.S` and `O'Brien` are several of them
        whole = all(name.isascii() and name.isalnum() for name in wanted - held)
        return held if whole else held | text.names

    return _share(wanted, there)


def _share(wanted: Set[str], there: Callable[[], Set[str]]) -> float:
    """The share of wanted things that are there; 1, and nobody looks, when nothing is wanted."""
    return len(wanted & there()) / len(wanted) if wanted else 1.0
