"""What a library embeds with, and the vectors of the last questions."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from index.embedding.encoder import (
    Encoder,
    EncoderIdentity,
    QuestionVectors,
    SentenceTransformerEncoder,
)
from index.errors import LibraryDamaged, ModelMissing
from index.storage.store import Store
from index.system.priority import QueryPriority

# Questions whose vectors are kept: searching, reading and asking again share one forward pass.
_REMEMBERED = 64


class LibraryEncoder:
    """The encoder of one library: loaded on first use, and another one after a rebuild.

    Safe from many threads.
    """

    def __init__(
        self, store: Store, given: Encoder | None, threads: int, priority: QueryPriority
    ) -> None:
        """Load nothing yet.

        Args:
            store: what notes which encoder the library was made with.
            given: what embeds; when None what the library was made with.
            threads: cores to use.
            priority: told of questions that are embedded.
        """
        self._store = store
        self._given = given
        self._threads = threads
        self._priority = priority
        self._lock = threading.Lock()
        self._made_with: tuple[EncoderIdentity | None, Encoder] | None = None
        self._questions: dict[tuple[EncoderIdentity, str], QuestionVectors] = {}
        self._questions_lock = threading.Lock()

    @property
    def current(self) -> Encoder:
        """What embeds here: the one that was given, else the one that the library was made with.

        Raises:
            ModelMissing: when that one is not where it was.
        """
        with self._lock:
            if self._given is not None:
                return self._given
            with self._store.reading() as reader:
                stored, folder = None, ""
                with suppress(LibraryDamaged):  # a full rebuild mends that, with the packaged one
                    stored, folder = reader.encoder, reader.encoder_folder
            if self._made_with is None or self._made_with[0] != stored:
                self._made_with = stored, self._load(stored, folder)
            return self._made_with[1]

    def use(self, encoder: Encoder) -> None:
        """Embed with another encoder from now on."""
        with self._lock:
            self._given = encoder

    @property
    def made_with(self) -> EncoderIdentity | None:
        """What the library's vectors were made with; None while there are none."""
        with self._store.reading() as reader:
            return reader.encoder

    def encode_query(self, text: str) -> QuestionVectors:
        """A question's vectors; the last few are remembered."""
        encoder = self.current
        key = (encoder.identity, text)
        with self._questions_lock:
            if key in self._questions:
                return self._questions[key]
        with self._priority.question():
            made = encoder.encode_query(text)
        with self._questions_lock:
            if len(self._questions) >= _REMEMBERED:
                self._questions.pop(next(iter(self._questions)))
            self._questions[key] = made
        return made

    def _load(self, stored: EncoderIdentity | None, folder: str) -> Encoder:
        """The encoder of a folder; the packaged one when there is none."""
        if not folder:
            return SentenceTransformerEncoder(threads=self._threads)
        try:
            return SentenceTransformerEncoder(Path(folder), threads=self._threads)
        except ModelMissing as error:
            name = stored.name if stored else "another encoder"
            raise ModelMissing(
                f"this library was made with {name}, which is no longer in {folder!r}. Put it back "
                "there, or make the library anew: pilcrow rebuild --encoder english"
            ) from error
