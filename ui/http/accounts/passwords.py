"""Passwords, stored so that nobody can read them back: argon2id, as RFC 9106 advises.

The only file that imports argon2.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from index.errors import InputError
from index.tokenization import sound

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 8
"""Characters (NIST SP 800-63B)."""
LONGEST = 1_000
"""Characters that are looked at; hashing takes time that grows with them."""


@cache
def _hasher() -> PasswordHasher:
    """The second of RFC 9106's two choices: 64 MiB of memory, three passes."""
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    """A hash that no password has, to be compared with where there is no account."""
    import secrets

    return _hasher().hash(secrets.token_hex())


def hashed(password: str) -> str:
    """What is stored of a password.

    Raises:
        InputError: when it is too short or too long, or no text.
    """
    if sound(password) != password or "\0" in password:
        raise InputError("a password is text; this one has letters that are none in UTF-8")
    if not SHORTEST <= len(password) <= LONGEST:
        raise InputError(f"a password has {SHORTEST} to {LONGEST} characters")
    return _hasher().hash(password)


def is_right(stored: str, password: str) -> bool:
    """Whether a password is the stored one; where none is stored, False after as long a time."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    fits = len(password) <= LONGEST and sound(password) == password
    try:
        same = _hasher().verify(stored or _nobodys(), password if fits else "")
    except (Argon2Error, InvalidHashError):
        return False
    return same and bool(stored) and fits
