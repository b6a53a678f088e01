"""Which close reader is used: our own, a cross-encoder of the person's choice, or none."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from index.embedding.encoder import Encoder
from index.embedding.torch_backend import CrossEncoder
from rag.reader.cross import CrossEncoderReranker
from rag.reader.span_model import SpanModel
from rag.reader.span_reader import SpanReader, calibration
from rag.types import Ranking

OWN, NONE = "own", "none"


class Reranker(Protocol):
    """Reads the best sentences of a reading again."""

    @property
    def certain(self) -> float:
        """A short answer is shown when its sentence's score times `likely` is at least this."""
        ...

    def read(self, question: str, reading: Ranking) -> Ranking:
        """The reading in a new order; of at least one sentence."""
        ...


def load_reranker(choice: str, encoder: Encoder, threads: int) -> Reranker | None:
    """The close reader for a library of this encoder; nothing is loaded yet.

    None when there shall be none, and for our own when the encoder is another one than it grew
    from: what the first rung says would mean something else.

    Args:
        choice: `own`, `none`, or a cross-encoder: its folder or its name.
        encoder: the library's.
        threads: cores to read on.

    Raises:
        ModelMissing: when there is no such cross-encoder.
    """
    if choice == NONE or (choice == OWN and encoder.identity.revision != calibration().encoder):
        return None
    if choice != OWN:
        return CrossEncoderReranker(CrossEncoder(choice, threads))
    return SpanReader(encoder, _network(threads))


@cache
def _network(threads: int) -> SpanModel:
    """One for all assistants of a process."""
    return SpanModel(threads)
