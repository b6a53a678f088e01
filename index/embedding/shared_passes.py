"""Forward passes that those who ask at the same time share: who waits goes along with the next.

Eight questions in one pass cost five eighths of eight passes; a single one starts at once and pays
nothing. A row's vectors are the same in whichever company it is read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 8
"""Of a pass at most; with 32 half of it is padding, and it takes longer than four of 8."""


@dataclass(slots=True, eq=False)
class _Row:
    """Somebody's word pieces, and what became of them."""

    ids: Sequence[int]
    vectors: NDArray[np.float32] | None = None
    error: Exception | None = None
    batch: Sequence[_Row] = ()
    """The rows, this one among them, that its thread is to read."""
    called: threading.Event = field(default_factory=threading.Event)
    """Set when there are vectors or an error, or a batch."""

    @property
    def is_done(self) -> bool:
        return self.vectors is not None or self.error is not None


class SharedPasses:
    """A queue in front of a network. Safe from many threads."""

    def __init__(self, forward: Callable[[Sequence[Sequence[int]]], Any], at_once: int) -> None:
        """Nobody waits yet.

        Args:
            forward: rows of word pieces → their vectors, shape (rows, longest row, d).
            at_once: passes that may run beside one another.
        """
        self._forward = forward
        self._free = at_once
        self._rows: list[_Row] = []
        """Who waits, in the order they came."""
        self._lock = threading.Lock()

    def forward(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The vectors of one row, shape (pieces, d).

        Raises:
            Exception: whatever the network raises for this row when it is alone.
        """
        own = _Row(ids)
        with self._lock:
            self._rows.append(own)
            self._call()
        try:
            own.called.wait()
            if own.batch:
                self._read(own.batch)
        finally:
            self._leave(own)
        if own.error is not None:
            raise own.error
        assert own.vectors is not None
        return own.vectors

    def _call(self) -> None:
        """Let who waits longest read, with those whose rows are about as long: few are filled up.

        For whoever holds the lock.
        """
        while self._free and self._rows:
            self._free -= 1
            first = self._rows[0]
            alike = sorted(self._rows, key=lambda row: abs(len(row.ids) - len(first.ids)))[:_ROWS]
            self._rows = [row for row in self._rows if row not in alike]
            first.batch = alike
            first.called.set()

    def _leave(self, own: _Row) -> None:
        """Give the others of a batch what they have; after an interrupt another one reads them."""
        with self._lock:
            others = [row for row in own.batch if row is not own]
            self._free += bool(own.batch)
            self._rows = [row for row in (*others, *self._rows) if not row.is_done]
            self._rows = [row for row in self._rows if row is not own]
            self._call()
        for row in others:
            if row.is_done:
                row.called.set()

    def _read(self, batch: Sequence[_Row]) -> None:
        """Read rows in one pass; where that fails each alone, so that no one fails for another."""
        try:
            made = self._forward([row.ids for row in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            for row in batch:
                self._read([row])
            return
        for row, vectors in zip(batch, made, strict=True):
            row.vectors = vectors[: len(row.ids)]
