"""Which close reader is used: our own, a cross-encoder of the person's choice, or none."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from index.embedding.encoder import Encoder
from index.embedding.torch_backend import CrossEncoder
from rag.reader.cross import CrossReader
from rag.reader.span_model import TrainedNetwork
from rag.reader.span_reader import CloseReader, fitted
from rag.types import Reading

OWN, NONE = "own", "none"


class SecondRung(Protocol):
    """Reads the best sentences of a reading again."""

    @property
    def certain(self) -> float:
        """A short answer is shown when its sentence's score times `likely` is at least this."""
        ...

    def read(self, question: str, reading: Reading) -> Reading:
        """The reading in a new order; of at least one sentence."""
        ...


def close_reader(choice: str, encoder: Encoder, threads: int) -> SecondRung | None:
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
    if choice == NONE or (choice == OWN and encoder.identity.revision != fitted().encoder):
        return None
    if choice != OWN:
        return CrossReader(CrossEncoder(choice, threads))
    return CloseReader(encoder, _network(threads))


@cache
def _network(threads: int) -> TrainedNetwork:
    """One for all assistants of a process."""
    return TrainedNetwork(threads)
