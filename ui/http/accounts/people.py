"""Somebody who has an account, and whose request is being answered just now."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from index.errors import PilcrowError

Role = Literal["reader", "editor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may what those before it may: ask and read; change the documents; change the settings."""
PERSON = "pilcrow.person"
"""Where a request's scope says who asks, for what is done apart from it."""
_Step = TypeVar("_Step")


class NotPermitted(PilcrowError):
    """This account may not do that."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has an account, as it is now."""

    id: str
    """Made at random with the account: another account of the same name has another one."""
    name: str
    role: Role
    collections: tuple[str, ...] = ()
    """The collections that may be seen; empty for all of the library."""
    session: int = 0
    """Grows with each new password: who signed in with an earlier one has to do so again."""
    has_password: bool = False
    has_key: bool = False

    def may_be(self, role: Role) -> bool:
        """Whether this person may what that role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


_asking: ContextVar[Person | None] = ContextVar("asking", default=None)


def asking() -> Person | None:
    """Who asks, as far as this thread or task knows; None where nobody has signed in."""
    return _asking.get()


@contextmanager
def asked_by(person: Person | None) -> Iterator[None]:
    """While this lasts, it is this person who asks."""
    before = _asking.set(person)
    try:
        yield
    finally:
        _asking.reset(before)


def steps_for(
    person: Person | None, steps: Generator[_Step, None, None]
) -> Generator[_Step, None, None]:
    """The steps of a generator, each taken for this person, in whatever thread that is."""
    try:
        while True:
            with asked_by(person):
                try:
                    step = next(steps)
                except StopIteration:
                    return
            yield step
    finally:
        with asked_by(person):
            steps.close()
