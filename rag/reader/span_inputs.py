"""A question and a passage as the network reads them together: one row of word pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.embedding.encoder import Encoder
from index.types import Span

QUESTION_PIECES, TITLE_PIECES, PASSAGE_PIECES = 48, 16, 224
"""Word pieces of a question, a title and a passage that are read; the rest is cut off."""
_START, _END = 101, 102  # BERT's [CLS] and [SEP]


@dataclass(frozen=True, slots=True)
class Pair:
    """`[CLS] question [SEP] title : passage [SEP]`."""

    ids: tuple[int, ...]
    """The word pieces' numbers in the vocabulary."""
    question_length: int
    """How many belong to the question, with what stands around it."""
    passage_start: int
    """Which is the first of the passage."""
    spans: tuple[Span, ...]
    """Where each of the passage's word pieces stands in its text."""
    sentences: tuple[int, ...]
    """Which sentence each of them belongs to, from 0; -1 for none."""


def pair(encoder: Encoder, question: str, title: str, text: str, sentences: Sequence[Span]) -> Pair:
    """The row for one passage.

    Args:
        encoder: whose word pieces the network knows.
        question: as typed.
        title: of the passage's document.
        text: the passage.
        sentences: of the passage, in order, counted from the start of `text`.
    """
    question_ids = encoder.pieces(question).ids[:QUESTION_PIECES]
    title_ids = encoder.pieces(f"{title} :").ids[:TITLE_PIECES]
    passage = encoder.pieces(text)
    spans = passage.spans[:PASSAGE_PIECES]
    return Pair(
        ids=(_START, *question_ids, _END, *title_ids, *passage.ids[:PASSAGE_PIECES], _END),
        question_length=len(question_ids) + 2,
        passage_start=len(question_ids) + 2 + len(title_ids),
        spans=spans,
        sentences=tuple(_owner(span, sentences) for span in spans),
    )


def _owner(piece: Span, sentences: Sequence[Span]) -> int:
    inside = (i for i, s in enumerate(sentences) if s.start <= piece.start < s.end)
    return next(inside, -1)
