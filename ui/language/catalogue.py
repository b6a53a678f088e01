"""The page's words in its reader's language: one catalogue, a data file for each language.

A text is written in English where it is said, as in gettext, and is its own key in the files of
`texts/`. Which language is spoken is known for each request (`speaking`) and goes along with what
is drawn in other threads (`steps_in`). English itself needs no file and no library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from babel import Locale

ENGLISH = "en"
LANGUAGES = {
    ENGLISH: "English", "de": "Deutsch", "fr": "Français", "es": "Español", "zh": "中文",
    "ja": "日本語", "ar": "العربية",
}  # fmt: skip
"""The languages that the page is written in, each by its own name."""
COOKIE = "pilcrow-language"
"""Under this name a browser keeps the language that its person has chosen."""
TEXTS = Path(__file__).parent / "texts"
_RIGHT_TO_LEFT = frozenset({"ar"})
_LONGEST_HEADER = 500
"""Characters of what a browser says of its languages; the rest is not looked at."""
_LANGUAGE_RANGE = re.compile(r"\s*([a-zA-Z]{2,3})[\w-]*\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*")
_COOKIE = re.compile(rf"(?:^|;)\s*{COOKIE}=([a-z]+)\s*(?:;|$)")
_ISO_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")

_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)
_Step = TypeVar("_Step")


# --- which language -------------------------------------------------------------------------------


def spoken() -> str:
    """The language that is spoken here and now."""
    return _spoken.get()


def direction(language: str) -> str:
    """Which way a language is written: `ltr`, `rtl`."""
    return "rtl" if language in _RIGHT_TO_LEFT else "ltr"


def language_of(headers: Mapping[str, str]) -> str:
    """The language for whoever sends these headers: the one that was chosen, else the browser's."""
    chosen = _COOKIE.search(headers.get("cookie", ""))
    if chosen and chosen[1] in LANGUAGES:
        return chosen[1]
    wishes: list[tuple[float, int, str]] = []
    for wish in headers.get("accept-language", "")[:_LONGEST_HEADER].split(","):
        if match := _LANGUAGE_RANGE.fullmatch(wish):
            wishes.append((-float(match[2] or 1), len(wishes), match[1].lower()))
    known = (name for weight, _, name in sorted(wishes) if weight and name in LANGUAGES)
    return next(known, ENGLISH)


def language_of_terminal(environment: Mapping[str, str]) -> str:
    """The language of whoever sits at a terminal, by the first of the system's variables set."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return known(re.split(r"[_.@-]", value.lower(), maxsplit=1)[0])
    return ENGLISH


def known(language: object) -> str:
    """The language of this code where the page is written in it, else English."""
    return language if isinstance(language, str) and language in LANGUAGES else ENGLISH


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """While this lasts, texts are in `language`."""
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def steps_in(language: str, steps: Generator[_Step, None, None]) -> Generator[_Step, None, None]:
    """The steps of a generator, each taken in `language`, in whatever thread that is."""
    try:
        while True:
            with speaking(language):
                try:
                    step = next(steps)
                except StopIteration:
                    return
            yield step
    finally:
        with speaking(language):
            steps.close()


# --- its words ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts of one language, by the English ones."""

    texts: Mapping[str, str]
    """Those that the server says."""
    scripts: Mapping[str, str]
    """Those that the page's scripts say."""
    plurals: Mapping[str, Mapping[str, str]]
    """What is counted, by the English noun: for each of the language's plural forms (CLDR's names)
    a text with the place of the number."""


@cache
def catalogue(language: str) -> Catalogue:
    """The texts of a language, read once; English has none, for its texts are the keys."""
    if language == ENGLISH:
        return Catalogue({}, {}, {})
    return Catalogue(**json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8")))


def gettext(text: str, **values: object) -> str:
    """An English text in the language that is spoken, with `values` in its places."""
    text = catalogue(spoken()).texts.get(text, text)
    return text.format(**values) if values else text


def gettext_noop(text: str) -> str:
    """The text itself: one for the catalogue that is translated where it is said."""
    return text


def plural(count: int, noun: str) -> str:
    """`1 document`, `12 documents`, `1,200 documents`.

    Args:
        count: how many.
        noun: what is counted, in English and in the singular.
    """
    forms = catalogue(spoken()).plurals.get(noun)
    if forms is None:
        return f"{number(count)} {noun}{'' if count == 1 else 's'}"
    form = _locale(spoken()).plural_form(abs(count))
    return forms.get(form, forms["other"]).format(count=number(count))


def language_name(code: str) -> str:
    """What another language is called in the one that is spoken: `Deutsch`, `allemand`."""
    return str(_locale(spoken()).languages.get(code, code))


# --- its numbers and dates ------------------------------------------------------------------------


def number(count: int) -> str:
    """`12`, `1,200`."""
    return decimal(count, 0)


def decimal(value: float, places: int = 0) -> str:
    """A number with so many places behind the point: `1,200`, `0.71`."""
    if spoken() == ENGLISH:
        return f"{value:,.{places}f}"
    from babel.numbers import format_decimal

    pattern = f"#,##0.{'0' * places}" if places else "#,##0"
    return str(format_decimal(round(value, places), pattern, _locale(spoken())))


def milliseconds(value: float) -> str:
    """`38 ms`, `1.4 s`."""
    if value < 1000:
        return gettext("{n} ms", n=f"{value:.0f}")
    return gettext("{n} s", n=decimal(value / 1000, 1))


def duration(seconds: float) -> str:
    """`12 s`, `3 min`."""
    if seconds < 90:
        return gettext("{n} s", n=max(1, round(seconds)))
    return gettext("{n} min", n=round(seconds / 60))


def weekday(when: date) -> str:
    """`Thursday`."""
    return f"{when:%A}" if spoken() == ENGLISH else _formatted(when, "EEEE")


def long_date(when: date) -> str:
    """`12 October 2026`."""
    if spoken() == ENGLISH:
        return f"{when.day} {when:%B %Y}"
    return _formatted(when, "long")


def date_in_words(label: str) -> str:
    """`8 December 2023`, `December 2023`, `2023`; empty for what is no such date in ISO form."""
    if spoken() == ENGLISH:
        from ui import sections  # which knows answers: nothing that `--help` should wait for

        return sections.date_in_words(label)
    if not (found := _parsed(label)):
        return ""
    when, month, day = found
    return _formatted(when, "long") if day else _by_skeleton(when, "yMMMM" if month else "y")


def short_date(label: str) -> str:
    """A date in ISO form as it stands in lists: `2023-12-08`, `08.12.2023`; else as it is."""
    if spoken() == ENGLISH or not (found := _parsed(label)):
        return label
    when, month, day = found
    return _by_skeleton(when, "yMd" if day else "yM" if month else "y")


def _parsed(label: str) -> tuple[date, bool, bool] | None:
    """A day, and whether its month and day of the month are said; None for no date."""
    if not (match := _ISO_DATE.fullmatch(label)):
        return None
    year, month, day = match.groups()
    try:
        return date(int(year), int(month or 1), int(day or 1)), bool(month), bool(day)
    except ValueError:
        return None


def _formatted(when: date, form: str) -> str:
    from babel.dates import format_date

    return str(format_date(when, form, _locale(spoken())))


def _by_skeleton(when: date, skeleton: str) -> str:
    from babel.dates import format_skeleton

    return str(format_skeleton(skeleton, when, locale=_locale(spoken()))).replace("\u200f", "")


@cache
def _locale(language: str) -> Locale:
    """What Babel knows of a language."""
    from babel import Locale

    return Locale.parse(language)
