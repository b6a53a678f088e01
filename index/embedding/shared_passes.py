"""Forward passes that those who ask at the same time share: who waits goes along with the next.

Eight questions in one pass cost five eighths of eight passes; a single one starts at once and pays
nothing. A row's vectors are the same in whichever company it is read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
        self._changed = threading.Condition()

    def forward(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """The vectors of one row, shape (pieces, d).

        Raises:
            Exception: whatever the network raises for this row when it is alone.
        """
        own = _Row(ids)
        with self._changed:
            self._rows.append(own)
        try:
            while batch := self._next(own):
                self._run(batch)
        finally:
            with self._changed:  # whoever leaves while waiting is not read
                self._rows = [row for row in self._rows if row is not own]
                self._changed.notify_all()
        if own.error is not None:
            raise own.error
        assert own.vectors is not None
        return own.vectors

    def _next(self, own: _Row) -> list[_Row]:
        """The rows that this thread is to read now; empty once its own is read."""
        with self._changed:
            self._changed.wait_for(lambda: own.is_done or (self._free and own in self._rows))
            if own.is_done:
                return []
            self._free -= 1
            # whoever waits longest, and those who are about as long: little is padding
            first = self._rows[0]
            alike = sorted(self._rows, key=lambda row: abs(len(row.ids) - len(first.ids)))[:_ROWS]
            self._rows = [row for row in self._rows if row not in alike]
            return alike

    def _run(self, batch: Sequence[_Row]) -> None:
        try:
            self._read(batch)
        finally:
            with self._changed:
                self._free += 1
                # after an interrupt of this thread somebody else reads them
                self._rows = [row for row in batch if not row.is_done] + self._rows
                self._changed.notify_all()

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
