"""What the store hands out and takes in: frozen rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import PassageVectors, Vector
from index.embedding.projection import Packed
from index.types import Document, Location, Passage, Sentence, Span


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with everything a search needs of it."""

    id: int
    content: int
    document_ids: tuple[str, ...]
    title: str
    source: str
    author: str
    date: str
    paragraph: int
    start: int
    end: int
    text: str
    sentences: tuple[Span, ...]
    vector: Vector
    """Shape (d,), unit length."""
    sentence_vectors: NDArray[np.float16]
    """Shape (sentences, d), unit length."""
    token_counts: tuple[int, ...]
    """Word pieces of each sentence."""
    tokens: Packed
    """Their packed vectors, sentence after sentence, shape (pieces, width)."""
    places: tuple[tuple[int, Location], ...] = ()
    """As in `Hit`, with the next one."""
    written_in: str = ""

    @property
    def section(self) -> str:
        """The headings above where it begins."""
        return self.places[0][1].section if self.places else ""

    def as_passage(self) -> Passage:
        """The passage as its readers know it."""
        parts = tuple(
            Sentence(s.start, s.end, self.text[s.start - self.start : s.end - self.start])
            for s in self.sentences
        )
        return Passage(self.paragraph, self.start, self.end, self.text, parts)


class Labels(NamedTuple):
    """What an article says of itself beside title, source, author and date."""

    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    description: str = ""
    written_in: str = ""


@dataclass(frozen=True, slots=True)
class NewContent:
    """A parsed article with its passages and their vectors, ready to be written."""

    hash: str
    document: Document
    passages: tuple[Passage, ...]
    digests: tuple[bytes, ...]
    vectors: Iterable[PassageVectors]
    """One for each passage; taken once."""
    edition: int = 0
    """Which edition of its format's reader made it."""


@dataclass(frozen=True, slots=True)
class DocumentLocation:
    """Where a document lies: its id, the root it was added with, its path and its content."""

    id: str
    root: str
    path: str
    content: int
    hash: str
