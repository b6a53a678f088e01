"""Who asks goes first: long work waits between two steps while a question is being answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_WAIT = 1.0
"""Seconds to wait at most, and to work before waiting again: under questions all the time work goes
on at about half its speed."""


class QueryPriority:
    """Counts the questions under way. Safe from many threads."""

    def __init__(self) -> None:
        """No question is under way."""
        self._asked = 0
        self._changed = threading.Condition()
        self._waited = float("-inf")
        """When the last wait was over, on the monotonic clock."""

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

    def wait_for_queries(self, longest: float = LONGEST_WAIT) -> bool:
        """Wait until no question is under way, or for so many seconds; says whether none is.

        Who has waited may work as long again before the next wait.
        """
        with self._changed:
            if self._asked and time.monotonic() - self._waited >= longest:
                self._changed.wait_for(lambda: not self._asked, longest)
                self._waited = time.monotonic()
            return not self._asked
