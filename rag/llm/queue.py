"""One after the other, first come, first served; each sees how many come before."""

from __future__ import annotations

from threading import Condition


class QueuePosition(str):
    """A piece of text with nothing in it yet: its answer waits for its turn.

    Who only joins pieces need not know of it.
    """

    ahead: int
    """How many answers are written before this one; 0 when it is being written."""

    def __new__(cls, ahead: int) -> QueuePosition:
        """No text, and how many come before."""
        piece = super().__new__(cls)
        piece.ahead = ahead
        return piece


class FairLock:
    """A line of people before something that only one of them can use."""

    def __init__(self) -> None:
        """Nobody is there yet."""
        self.line: list[Ticket] = []
        """The first one has its turn."""
        self.moved = Condition()

    def join(self) -> Ticket:
        """A place at the end of the line; whoever takes one has to end it."""
        turn = Ticket(self)
        with self.moved:
            self.line.append(turn)
        return turn


class Ticket:
    """A place in a line."""

    def __init__(self, turns: FairLock) -> None:
        """Made by `Turns.join`."""
        self._turns = turns

    @property
    def ahead(self) -> int:
        """How many come before; 0 when it is this one's turn, or not in the line any more."""
        with self._turns.moved:
            line = self._turns.line
            return line.index(self) if self in line else 0

    def come(self) -> bool:
        """Wait until it is this one's turn; False when it was given up meanwhile."""
        turns = self._turns
        with turns.moved:
            turns.moved.wait_for(lambda: self not in turns.line or turns.line[0] is self)
            return self in turns.line

    def give_up(self) -> None:
        """Leave the line, unless the turn has come: then whoever uses it ends it."""
        with self._turns.moved:
            if self in self._turns.line[1:]:
                self._leave()

    def end(self) -> None:
        """Leave the line: the next one's turn has come."""
        with self._turns.moved:
            if self in self._turns.line:
                self._leave()

    def _leave(self) -> None:
        self._turns.line.remove(self)
        self._turns.moved.notify_all()
