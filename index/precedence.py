"""Who asks goes first: long work waits between two steps while a question is being answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_WAIT = 2.0
"""Seconds a step waits at most: under questions all the time, work goes on at about half speed."""


class Precedence:
    """Counts the questions under way. Safe from many threads."""

    def __init__(self) -> None:
        """No question is under way."""
        self._asked = 0
        self._changed = threading.Condition()

    @contextmanager
    def question(self) -> Iterator[None]:
        """A question is under way while the block runs."""
        with self._changed:
            self._asked += 1
        try:
            yield
        finally:
            with self._changed:
                self._asked -= 1
                self._changed.notify_all()

    def give_way(self, longest: float = LONGEST_WAIT) -> bool:
        """Wait until no question is under way, or for so many seconds; says whether none is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._asked, longest)
