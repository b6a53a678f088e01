"""Adds one long paragraph to a library: `python -m tests.programs.memory_program FOLDER MEGABYTES`.

Word pieces are counted by the real encoder, whose memory is what it is about; the vectors are made
up. Prints the bytes of memory that it took, at most, beside what was there before, and those.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index import Library
from index.embedding.encoder import (
    Embeddable,
    EncoderIdentity,
    PassageVectors,
    SentenceTransformerEncoder,
)
from tests.support.fakes import BagOfWordsEncoder

PROSE = (
    "The ship lifted the broken end of cable {0} from {0} metres of water. Dr. Smith, who was on "
    "board in the year {0}, said that it had taken nine hours. "
)


class RealPieces(BagOfWordsEncoder):
    """Counts as the default encoder does, embeds in no time, in vectors of its size."""

    def __init__(self) -> None:
        super().__init__()
        self._real = SentenceTransformerEncoder()
        real = self._real.identity
        self.identity = EncoderIdentity("real pieces", "1", real.dimension, real.max_pieces, "none")

    def count(self, text: str) -> int:
        return self._real.count(text)

    def encode(self, passages: Sequence[Embeddable]) -> list[PassageVectors]:
        return [self._made(len(passage.sentences)) for passage in passages]

    def _made(self, sentences: int) -> PassageVectors:
        size = self.identity.dimension
        rows = np.full((sentences, size), size**-0.5, np.float32)
        pieces = np.ones((200, 96), np.int8)
        return PassageVectors(rows[0], rows, pieces, (200, *[0] * (sentences - 1)))


def peak(who: int) -> int:
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(folder: Path, megabytes: float) -> None:
    text = "".join(PROSE.format(number) for number in range(int(megabytes * 6_200)))
    (folder / "long.txt").write_text(text)
    del text
    with Library.open(folder / "library", encoder=RealPieces()) as library:
        (folder / "short.txt").write_text("The ship is here.")
        library.update([folder / "short.txt"])
        before = peak(resource.RUSAGE_SELF)
        report = library.update([folder / "long.txt"])
        assert report.added == ("long.txt",), report
        taken = peak(resource.RUSAGE_SELF) - before
    print(taken, before)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
