"""What programs hand to a library, checked before anything is done with it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from index.errors import InputError
from index.system.ignoring import IgnoreRules
from index.tokenization import CONTROLS, sound
from index.types import EVERYWHERE, SearchScope

LONGEST_TAG = 60
"""Characters of a tag that is given to a document, and of a collection's name."""
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_CONTROL = re.compile(f"[{CONTROLS}]")
_FILTERS = ("tags", "authors", "sources", "folders", "kinds", "sections", "collections")
_T = TypeVar("_T")


def scope_with(scope: SearchScope, documents: Any, dates: Any) -> SearchScope:
    """A scope with what is given beside it in its place.

    Raises:
        InputError: when it is not what it should be.
    """
    check_scope(documents, dates, scope)
    check_scope(scope.documents, scope.dates)
    return replace(
        scope,
        documents=scope.documents if documents is None else documents,
        dates=scope.dates if dates is None else dates,
    )


def check_scope(documents: Any, dates: Any, scope: SearchScope = EVERYWHERE) -> None:
    """Make sure that this is where one may look: documents by their ids, and two ISO dates.

    Raises:
        InputError: when it is not, naming it.
    """
    named = isinstance(documents, Collection) and not isinstance(documents, str)
    if documents is not None and not (named and all(isinstance(id_, str) for id_ in documents)):
        raise InputError(f"documents are a list of ids, not {documents!r:.80}")
    pair = isinstance(dates, tuple | list) and len(dates) == 2
    if dates is not None and not (
        pair and all(isinstance(date, str) and _DATE.fullmatch(date) for date in dates)
    ):
        raise InputError(f"dates are two ISO dates, the first and the last, not {dates!r:.80}")
    for name in _FILTERS:
        values = getattr(scope, name)
        if isinstance(values, str) or not all(isinstance(value, str) for value in values):
            raise InputError(f"{name} are a list of texts, not {values!r:.80}")


def query_text(given: object) -> str:
    """A question as it is searched for.

    Raises:
        InputError: when it is no text, or an empty one.
    """
    if not isinstance(given, str) or not given.strip():
        raise InputError("the query is empty: type a question or a few words")
    return sound(given)


def check_count(k: object) -> None:
    """Make sure that this is how many passages one may ask for.

    Raises:
        InputError: when it is no positive whole number.
    """
    if not isinstance(k, int) or k < 1:
        raise InputError(f"k must be a whole number, at least 1, not {k!r:.80}")


def label(given: object, kind: str, *, optional: bool = False) -> str:
    """A tag or a collection's name as it is kept.

    Args:
        given: what was typed.
        kind: `tag` or `collection`, for the error.
        optional: whether it may be empty.

    Raises:
        InputError: when it is none.
    """
    words = _CONTROL.sub(" ", sound(given)).split() if isinstance(given, str) else None
    name = None if words is None else " ".join(words).lstrip("#").strip()
    if name is None or len(name) > LONGEST_TAG or not (name or optional):
        raise InputError(f"a {kind} has 1 to {LONGEST_TAG} characters, like law or law/eu")
    return name


def ignore_globs(given: Iterable[str]) -> list[str]:
    """Globs of what is ignored, blank ones left out.

    Raises:
        InputError: when one is none, naming it.
    """
    globs = [glob for glob in as_list(given, "globs") if isinstance(glob, str) and glob.strip()]
    for glob in globs:
        try:
            if "\0" in glob or "\n" in glob:
                raise ValueError("they are kept a line each, where no name has these")
            IgnoreRules(Path(), [glob]).ignores(Path("x"))
        except ValueError as error:
            raise InputError(f"{glob!r:.80} is no glob of files, as in .gitignore") from error
    return globs


def ids_of(given: Iterable[str]) -> list[str]:
    """Ids of documents, each once, in the order they were named.

    Raises:
        InputError: when it is one id alone.
    """
    return list(dict.fromkeys(as_list(given, "document ids")))


def as_list(given: Iterable[_T], what: str) -> list[_T]:
    """What was handed in, as a list.

    Args:
        given: a list, or what can be made one.
        what: its name, for the error.

    Raises:
        InputError: when it is one thing alone, whose letters nobody means.
    """
    if isinstance(given, str | bytes | os.PathLike) or not isinstance(given, Iterable):
        raise InputError(f"{what} come in a list, like [{given!r}]")
    return list(given)
