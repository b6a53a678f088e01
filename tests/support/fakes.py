"""Stand-ins that behave: neighbours are real, replies are scripted, nothing is patched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import numpy as np

from index.embedding.centring import unit
from index.embedding.encoder import (
    Embeddable,
    EncoderIdentity,
    PassageVectors,
    QuestionVectors,
    Vector,
    WordPieces,
)
from index.embedding.projection import pack
from index.tokenization import STOP_WORDS, words
from index.types import Span
from rag.llm.generator import Message, Piece, PrefixReuse
from rag.query.text_features import stem
from rag.reader.span_inputs import Pair
from rag.reader.span_reader import TokenLogits

VOCABULARY = frozenset({"boats", "ferries", "fixed", "macro", "moons", "pride", "react"})
"""Words that the encoder below has whole, whatever a library holds."""


class BagOfWordsEncoder:
    """Texts that share words are near: each stem is hashed to one of a few hundred directions."""

    is_english = True
    folder: Path | None = None

    def __init__(self, dimension: int = 256, *, name: str = "bag-of-words") -> None:
        self.identity = EncoderIdentity(name, "1", dimension, 256, "words")
        self.encoded = 0
        """Passages embedded so far: tests count on unchanged ones not being among them."""

    def with_identity(self, **changes: object) -> BagOfWordsEncoder:
        other = type(self)(self.identity.dimension)
        other.identity = replace(self.identity, **changes)  # type: ignore[arg-type]
        return other

    def count(self, text: str) -> int:
        return len(text.split())

    def is_word(self, word: str) -> bool:
        return word in VOCABULARY

    def pieces(self, text: str) -> WordPieces:
        found = [m for m in re.finditer(r"[^\W_]+", text) if words(m.group())]
        spans = tuple(Span(*m.span()) for m in found)
        pieces = tuple(m.group().lower() for m in found)
        return WordPieces(pieces, spans, tuple(_number(stem(piece)) for piece in pieces))

    def encode(self, passages: Sequence[Embeddable]) -> list[PassageVectors]:
        self.encoded += len(passages)
        return [self._vectors(passage) for passage in passages]

    def encode_query(self, text: str) -> QuestionVectors:
        pieces = words(text)
        return QuestionVectors(self._vector(text), self._tokens(text), tuple(pieces))

    def _vectors(self, one: Embeddable) -> PassageVectors:
        parts = [one.text[s.start : s.end] for s in one.sentences]
        tokens = [self._tokens(part) for part in parts]
        return PassageVectors(
            self._vector(f"{one.context} {one.text}"),
            np.stack([self._vector(part) for part in parts]),
            pack(np.concatenate(tokens)),
            tuple(len(token) for token in tokens),
        )

    def _tokens(self, text: str) -> Vector:
        rows = [self._vector(piece) for piece in words(text)]
        return np.stack(rows) if rows else np.zeros((0, self.identity.dimension), np.float32)

    def _vector(self, text: str) -> Vector:
        vector = np.zeros(self.identity.dimension, np.float32)
        for word in words(text):
            if word not in STOP_WORDS:
                vector[_number(stem(word)) % len(vector)] += 1.0
        if not vector.any():
            vector[0] = 1e-3
        return unit(vector)


def _number(word: str) -> int:
    digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "little")


class Highlighter:
    """A network that goes by words: what a question names supports, what stands beside it answers.

    Reads pairs made with `BagOfWordsEncoder`, whose pieces are numbered by their stems.
    """

    def __init__(self) -> None:
        self.read = 0
        """Pairs read so far."""

    def token_logits(self, pairs: Sequence[Pair]) -> list[TokenLogits]:
        self.read += len(pairs)
        return [self._marks(pair) for pair in pairs]

    def _marks(self, pair: Pair) -> TokenLogits:
        asked = set(pair.ids[1 : pair.question_length - 1])
        named = np.array([id in asked for id in pair.ids], np.float32)
        beside = np.convolve(named, [1, 1, 1], "same") * (1 - named)
        share = len(asked & set(pair.ids[pair.passage_start :])) / max(len(asked), 1)
        marks = np.zeros((len(pair.ids), 4), np.float32)
        marks[:, 0] = marks[:, 1] = 3 * beside
        marks[:, 2] = 8 * named - 2
        marks[0] = 2, 2, 0, 12 * share - 6
        return marks


class ScriptedGenerator:
    """Says what it was told to, in small pieces, and remembers what it was asked."""

    name = "scripted"
    context_tokens = 2048
    prompt_tokens = 350

    def __init__(self, replies: Sequence[str] = (), *, piece: int = 5, small: bool = False) -> None:
        self.small = small
        self._replies = list(replies)
        self._piece = piece
        self.loaded = False
        self.asked: list[list[Message]] = []
        """What it was asked; the last of them is what its cache holds."""

    def load(self) -> None:
        self.loaded = True

    def count(self, messages: Sequence[Message]) -> int:
        return sum(len(message["content"].split()) + 4 for message in messages)

    def count_text(self, text: str) -> int:
        return len(text.split())

    def stream(
        self,
        messages: Sequence[Message],
        *,
        ids: Sequence[int],
        max_tokens: int,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Piece]:
        yield PrefixReuse(self._reused(messages))
        self.asked.append(list(messages))
        reply = self.reply(messages)
        for at in range(0, len(reply), self._piece):
            if stop is not None and stop():
                return
            yield reply[at : at + self._piece]

    def log_odds(
        self, messages: Sequence[Message], stop: Callable[[], bool] | None = None
    ) -> float | None:
        """What it thinks of a statement: nothing, unless a test says so."""
        return self.odds(messages) if self.odds is not None else None

    odds: Callable[[Sequence[Message]], float] | None = None

    def reply(self, messages: Sequence[Message]) -> str:
        """What it says to this: the next of its replies, nothing when there are none left."""
        return self._replies.pop(0) if self._replies else ""

    def _reused(self, messages: Sequence[Message]) -> int:
        """Tokens of the turns that are as they were the last time, from the first on."""
        before = self.asked[-1] if self.asked else []
        pairs = zip(messages, before, strict=False)
        return self.count([m for m, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)])
