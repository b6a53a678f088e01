"""Statement and sentences → the sentences it rests on, and how sure that is.

What a capable model writes has no pointers. Each of its statements is compared with the sentences
it was shown: those that together hold most of it are its sources, and a judgement fitted on
hand-written statements says whether they carry it. A number or a name that is not in them, and a
denial that is, is not for the judgement to allow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import QuestionVectors
from index.errors import PilcrowError
from index.tokenization import words
from rag.grounding.verification.comparison import CHANGING, NAMES, Side, compare
from rag.query.text_features import content_stems, negations, numbers
from rag.types import Quotation


@dataclass(frozen=True, slots=True)
class AttributionLimits:
    """What is looked at for one statement; chosen on `tests/benchmarks/statements.jsonl`."""

    candidates: int = 6
    """Sentences compared closely, those that share most words."""
    most: int = 3
    """Sentences that one statement may rest on."""
    novel: float = 0.3
    """Share of its content words that a statement's document need not have said."""
    gain: float = 0.08
    """What another sentence has to add to what is held of a statement, from 0 to 1."""


LIMITS = AttributionLimits()
_FIRM = tuple(NAMES.index(name) for name in ("numbers", "names", "loop", "moved_numbers"))
_RESERVED = tuple(
    NAMES.index(name) for name in ("denies", "denied", "negated", "antonym", "modality")
)
_LEAST, _EVEN = 1e-3, 0.5
_SHORTEST = 3
"""Words of a statement that can be a part of a sentence."""
_ASIDE = re.compile(r", (?!and\b|or\b)\w[^,;]{8,}, (?=\w+(?:ed|s)?\b)")
"""Features that are never allowed for by the others."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """Where a statement comes from."""

    sources: tuple[Quotation, ...]
    """The sentences it rests on, in their order; at least one."""
    probability: float
    """That they carry it, in [0, 1]."""
    may_ask: bool = True
    """Whether a second opinion counts: on what is denied, the opposite or only possible there, a
    model is no judge."""

    @property
    def is_told(self) -> bool:
        """Whether a sentence says it word for word."""
        return self.probability == 1.0

    @property
    def stands(self) -> bool:
        """Whether the statement may be shown where there is no second opinion."""
        return self.probability >= judgement().threshold

    @property
    def is_doubtful(self) -> bool:
        """Whether a second opinion decides if it is shown."""
        return self.may_ask and judgement().doubtful <= self.probability < 1.0

    def is_confirmed_by(self, log_odds: float) -> bool:
        """Whether it may be shown with what a model thinks of it.

        Args:
            log_odds: of yes against no, in nats.
        """
        return judgement().joined(self.probability, log_odds) >= _EVEN


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """A logistic regression over the features of `comparison`."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float
    threshold: float
    doubtful: float
    """Probability from which on a model is asked."""
    second: tuple[float, float, float]
    """Weights of the logit, of a model's log-odds, and a bias, for both together."""

    def joined(self, probability: float, log_odds: float) -> float:
        """The probability with a model's opinion."""
        own, model, bias = self.second
        held = min(max(probability, _LEAST), 1 - _LEAST)
        return float(1 / (1 + np.exp(-(own * np.log(held / (1 - held)) + model * log_odds + bias))))

    def probability(self, features: NDArray[np.float64]) -> float:
        """That sources with these features carry their statement."""
        if features[list(_FIRM)].any():
            return 0.0
        logit = ((features - self.mean) / self.scale) @ self.weights + self.bias
        return float(1 / (1 + np.exp(-logit)))


@cache
def judgement() -> Judgement:
    """The fitted judgement of `judgement.json`."""
    text = files("rag.grounding.verification").joinpath("judgement.json").read_text("utf-8")
    saved = json.loads(text)
    if tuple(saved["features"]) != NAMES:
        raise PilcrowError("judgement.json is of another version: install Pilcrow again")
    mean, scale, weights = (np.array(saved[k], np.float64) for k in ("mean", "scale", "weights"))
    bias, threshold, doubtful = (float(saved[key]) for key in ("bias", "threshold", "doubtful"))
    own, model, offset = map(float, saved["second"])
    return Judgement(mean, scale, weights, bias, threshold, doubtful, (own, model, offset))


def is_abridged(statement: str, sentence: str) -> bool:
    """Whether a statement is a sentence, or an unbroken part of one, word for word.

    What stands between two commas may be left out as well. Not where what was left out denies or
    doubts, or may have changed what the rest says.
    """
    said = words(statement)
    if len(said) < _SHORTEST or negations(statement) != negations(sentence):
        return False
    for told in map(words, (sentence, *_without_asides(sentence))):
        at = next((i for i in range(len(told)) if told[i : i + len(said)] == said), None)
        if at is not None:
            return not (set(words(sentence)) - set(said)) & CHANGING
    return False


def _without_asides(sentence: str) -> Iterator[str]:
    """The sentence without one of its parts between two commas, for each that is no list."""
    for match in _ASIDE.finditer(sentence):
        yield sentence[: match.start()] + " " + sentence[match.end() :]


class Attributor:
    """Attributes the statements of one answer; each text is embedded once."""

    def __init__(
        self, encode: Callable[[str], QuestionVectors], sources: Sequence[Quotation]
    ) -> None:
        """Prepare to look in these sentences.

        Args:
            encode: the vectors of a text.
            sources: single sentences, in the order of their documents.
        """
        self._encode = encode
        self._sources = sources
        self._stems = [frozenset(content_stems(source.text)) for source in sources]
        self._numbers = [numbers(source.text) for source in sources]
        self._sides: dict[str, Side] = {}

    def attribute(self, statement: str) -> Attribution | None:
        """Where a statement comes from; None when no sentence shares a word with it."""
        sources = self.closest(statement)
        if not sources or not content_stems(statement):
            return None
        told = next(
            (source for source in self._sources if is_abridged(statement, source.text)), None
        )
        if told is not None:
            return Attribution((told,), 1.0)
        features = self.features(statement, sources)
        if features[NAMES.index("novel")] > LIMITS.novel:
            return Attribution(sources, 0.0)
        may_ask = not features[list(_RESERVED)].any()
        return Attribution(sources, judgement().probability(features), may_ask)

    def features(self, statement: str, sources: Sequence[Quotation]) -> NDArray[np.float64]:
        """The statement compared with these sources together."""
        sides = [self._side(source.text) for source in sources]
        return compare(self._side(statement), sides, self._around(sources))

    def _around(self, sources: Sequence[Quotation]) -> str:
        """The title, and what the document of the sources says beside them."""
        document = sources[0].document_id
        said = (source.text for source in self._sources if source.document_id == document)
        return " ".join([sources[0].title, sources[0].date, *said])

    def _side(self, text: str) -> Side:
        if text not in self._sides:
            self._sides[text] = Side(text, self._encode(text))
        return self._sides[text]

    def closest(self, statement: str) -> tuple[Quotation, ...]:
        """The sentences of one paragraph that together hold most of a statement.

        Of one paragraph only: what is put together from further apart was not said by anybody.
        """
        stems, told = frozenset(content_stems(statement)), numbers(statement)
        shared = [
            len(stems & own) + 2 * len(told & there)
            for own, there in zip(self._stems, self._numbers, strict=True)
        ]
        order = sorted(range(len(shared)), key=lambda at: -shared[at])[: LIMITS.candidates]
        paragraphs = dict.fromkeys(self._paragraph(at) for at in order if shared[at])
        best: tuple[float, list[int]] = (0.0, [])
        for paragraph in paragraphs:
            best = max(best, self._held_best(statement, stems, told, paragraph))
        return tuple(self._sources[at] for at in sorted(best[1]))

    def _paragraph(self, at: int) -> tuple[str, int]:
        one = self._sources[at]
        return one.document_id, one.paragraph

    def _held_best(
        self,
        statement: str,
        stems: frozenset[str],
        told: frozenset[str],
        paragraph: tuple[str, int],
    ) -> tuple[float, list[int]]:
        """How much of a statement a paragraph holds, and in which of its sentences."""
        near = [at for at in range(len(self._sources)) if self._paragraph(at) == paragraph]
        side = self._side(statement)
        held = {at: self._held(side, stems, told, at) for at in near}
        chosen: list[int] = []
        now = np.zeros(len(held[near[0]]))
        while len(chosen) < LIMITS.most:
            best = max(near, key=lambda at: float(np.maximum(now, held[at]).mean()))
            after = np.maximum(now, held[best])
            if best in chosen or (chosen and after.mean() - now.mean() < LIMITS.gain):
                break
            chosen.append(best)
            now = after
        return float(now.mean()), chosen

    def _held(
        self, side: Side, stems: frozenset[str], told: frozenset[str], at: int
    ) -> NDArray[np.float64]:
        """How much of each word and number of a statement a sentence holds, in [0, 1]."""
        source = self._side(self._sources[at].text)
        likeness = np.asarray(side.vectors.tokens) @ np.asarray(source.vectors.tokens).T
        soft = likeness.max(axis=1) if likeness.size else np.zeros(len(side.vectors.pieces))
        words = [1.0 if w in self._stems[at] else float(soft[i]) ** 2 for w, i in side.pieces]
        facts = [2.0 * (number in self._numbers[at]) for number in told]
        return np.array([*words, *facts] or [0.0], np.float64).clip(0.0, 2.0)
