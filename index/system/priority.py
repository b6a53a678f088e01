"""Who asks goes first: long work waits between two steps while a question is being answered."""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

LONGEST_WAIT = 1.0
"""Seconds to wait at most, and to work before waiting again: under questions all the time work goes
on at about half its speed."""
_LOOK = 0.1
"""Seconds between two looks whether who waits for a turn has left."""


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


class Turns:
    """So many at a time, who is nearer to an answer first, else as they came.

    Thirty-two threads that compute all at once wait for one another at every step; in turns the
    first of them is done early, and the last one no later. Safe from many threads.
    """

    def __init__(self, at_once: int) -> None:
        """Nobody waits yet.

        Args:
            at_once: how many compute at the same time: one a core.
        """
        self._free = at_once
        self._line: list[tuple[int, int, threading.Event]] = []
        """Who waits, in the order they are let in: rank, number, and what tells them."""
        self._numbers = count()
        self._lock = threading.Lock()
        self._mine = threading.local()

    @contextmanager
    def turn(self, rank: int, stop: Callable[[], bool]) -> Iterator[None]:
        """It is this thread's turn while the block runs; inside another such block it is already.

        Args:
            rank: the smallest goes first.
            stop: asked while waiting; when it says True nobody waits any longer.
        """
        if getattr(self._mine, "has_turn", False):
            yield
            return
        self._mine.has_turn = self._wait(rank, stop)
        try:
            yield
        finally:
            if self._mine.has_turn:
                self._mine.has_turn = False
                self._let_in(1)

    def _wait(self, rank: int, stop: Callable[[], bool]) -> bool:
        """Wait for a turn; whether it came."""
        place = (rank, next(self._numbers), threading.Event())
        with self._lock:
            insort(self._line, place)
        came = False
        try:
            self._let_in(0)
            while not (came := place[2].wait(_LOOK)) and not stop():
                pass
        finally:
            with self._lock:
                if place in self._line:
                    self._line.remove(place)
                elif not came:  # it came in the very moment of leaving
                    self._free += 1
            if not came:
                self._let_in(0)
        return came

    def _let_in(self, given_back: int) -> None:
        """Give so many turns back, and all there are to those at the head of the line."""
        with self._lock:
            self._free += given_back
            while self._free and self._line:
                self._free -= 1
                self._line.pop(0)[2].set()
