"""Encoders for workers on Ray, some of which do not live long; and an import that is killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from index import Library, ModelMissing
from index.embedding.encoder import Embeddable, PassageVectors
from index.ingest.parcels import Workers
from tests.support.fakes import BagOfWordsEncoder


def bag_of_words(threads: int) -> BagOfWordsEncoder:
    """For a worker whose library was made with it."""
    return BagOfWordsEncoder()


def missing(threads: int) -> BagOfWordsEncoder:
    """As where a model's folder is not on every machine."""
    raise ModelMissing("no model.safetensors in '/models': not a model folder")


class _Killing(BagOfWordsEncoder):
    """Kills a process, once in the life of a marker, when it is to go on after a first stride."""

    def __init__(self, marker: Path, process: int) -> None:
        super().__init__()
        self._marker, self._process = marker, process

    def encode(self, passages: Sequence[Embeddable]) -> list[PassageVectors]:
        with (self._marker.parent / "encoded").open("a") as counted:
            counted.write("." * len(passages))
        if self.encoded and not self._marker.exists():
            self._marker.touch()
            os.kill(self._process or os.getpid(), signal.SIGKILL)
        return super().encode(passages)


def killing(marker: Path, process: int, threads: int) -> BagOfWordsEncoder:
    """One that kills a process, its own when that is 0."""
    return _Killing(marker, process)


def main(place: str, shelf: str, marker: str = "") -> None:
    """An import, whose first worker kills it where there is a marker."""
    from tests.index.storage import ray_workers  # whose name workers know, as they do not this one

    make: Callable[[int], BagOfWordsEncoder] = ray_workers.bag_of_words
    if marker:
        make = partial(ray_workers.killing, Path(marker), os.getpid())
    with Library.open(place, encoder=BagOfWordsEncoder()) as library:
        library.update([shelf], workers=Workers(make_encoder=make))


if __name__ == "__main__":
    main(*sys.argv[1:])
