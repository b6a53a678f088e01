"""A fair lock: one at a time, first come, first served, and each sees how many come before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Condition
from typing import Any

from rag.llm.generator import QueuePosition

_POLL_SECONDS = 0.05
"""Between two looks at `stop` while the model is busy."""


class FairLock:
    """A queue before something that only one thread can use at a time."""

    def __init__(self) -> None:
        """Nobody waits yet."""
        self.queue: list[Ticket] = []
        """The first one has the lock."""
        self.moved = Condition()

    def join(self) -> Ticket:
        """A ticket at the end of the queue; whoever takes one has to `end` it."""
        ticket = Ticket(self)
        with self.moved:
            self.queue.append(ticket)
        return ticket


class Ticket:
    """A place in the queue of a `FairLock`, which hands it out."""

    def __init__(self, lock: FairLock) -> None:
        self._lock = lock

    @property
    def ahead(self) -> int:
        """How many come before; 0 when this one has the lock, or is not in the queue any more."""
        with self._lock.moved:
            queue = self._lock.queue
            return queue.index(self) if self in queue else 0

    def wait(self) -> bool:
        """Wait for the lock; False when the ticket was given up meanwhile."""
        lock = self._lock
        with lock.moved:
            lock.moved.wait_for(lambda: self not in lock.queue or lock.queue[0] is self)
            return self in lock.queue

    def give_up(self) -> None:
        """Leave the queue, unless this one has the lock: then whoever uses it ends it."""
        with self._lock.moved:
            if self in self._lock.queue[1:]:
                self._leave()

    def end(self) -> None:
        """Release the lock, or leave the queue: the next one moves up."""
        with self._lock.moved:
            if self in self._lock.queue:
                self._leave()

    def _leave(self) -> None:
        self._lock.queue.remove(self)
        self._lock.moved.notify_all()


def received(
    pieces: SimpleQueue[Any],
    ticket: Ticket,
    stop: Callable[[], bool] | None,
) -> Iterator[Any]:
    """The pieces as they come, and the place in the queue whenever that has changed.

    Args:
        pieces: where they come; None ends them, an exception is raised.
        ticket: the place in the queue.
        stop: asked often; when it says True nothing more is waited for.
    """
    ahead = 0
    while stop is None or not stop():
        try:
            piece = pieces.get(timeout=_POLL_SECONDS)
        except Empty:
            if ticket.ahead != ahead:
                ahead = ticket.ahead
                yield QueuePosition(ahead)
            continue
        if piece is None:
            return
        if isinstance(piece, Exception):
            raise piece
        yield piece
