"""The words of a language that rules go by, read from one data file per language, when first asked.

`lists/de.json` and its neighbours; `others.json` has the languages of which less is known. A key
that a file lacks is an empty list: a language without lists is read by what needs none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

MAIN = ("en", "de", "fr", "es", "it", "pt", "nl", "ru", "zh", "ja", "ko", "ar")
"""The languages with a file of their own."""

UNSPACED = ("zh", "ja", "ko")
"""Languages whose words have endings, or other words, right beside them."""


def word_list(code: str, name: str) -> tuple[str, ...]:
    """The words or phrases that a language has under a name: `weekdays`; none where it has none."""
    return load().get(code, {}).get(name, ())


def union(name: str, codes: Iterable[str] = ()) -> tuple[str, ...]:
    """What these languages have under a name, the longest first, each once.

    Args:
        name: of the lists.
        codes: of the languages; without any, all.
    """
    every = {word for code in codes or load() for word in word_list(code, name)}
    return tuple(sorted(every, key=lambda word: (-len(word), word)))


def any_word(phrases: Iterable[str], code: str) -> str:
    """The regular expression of any of these, as whole words where a language parts words."""
    pattern = "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))
    if not pattern:
        return r"(?!)"
    return f"(?:{pattern})" if code in UNSPACED else rf"(?<!\w)(?:{pattern})(?!\w)"


@cache
def load() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """All lists by language and name, read once; who may open no file later calls it before."""
    stored = {code: _file(code) for code in MAIN} | _file("others")
    return {
        code: {name: _words(value) for name, value in lists.items()}
        for code, lists in stored.items()
    }


def _words(value: str | list[str]) -> tuple[str, ...]:
    """A list as it stands; text is parted at semicolons where it has any, else at spaces."""
    if isinstance(value, list):
        return tuple(value)
    return tuple(value.split("; ") if ";" in value else value.split())


def _file(name: str) -> dict[str, Any]:
    text = files("index.languages").joinpath("lists", f"{name}.json").read_text("utf-8")
    stored: dict[str, Any] = json.loads(text)
    return stored
