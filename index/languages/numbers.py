"""Numbers as other languages write them, as English writes them. Pure text."""

from __future__ import annotations

import re
import unicodedata

from index.languages.detection import BEGINNING, text_language

_COMMA = frozenset("de fr es it pt nl ru sv da pl cs tr vi id fi hu ro el".split())
"""Languages that write `5,3` for five and three tenths."""
_SPACE = frozenset("fr ru sv pl cs fi hu".split())
"""Languages that part thousands by a space."""

_OTHER_DIGITS = re.compile(r"[^\x00-\x7f\D]+")
_SIGNS = str.maketrans("．，٫٬", ".,.,")
# thousands parted by points, hard spaces or apostrophes; no English number looks like these
_CERTAIN = re.compile(
    r"(?<![\d.,])\d{1,3}(?:(?:\.\d{3})+,\d+|(?:\.\d{3}){2,}"
    r"|(?:[\u00a0\u202f'’]\d{3})+(?:,\d+)?|(?: \d{3})+,\d{1,2})(?![\d]|[.,]\d)"
)
_DOUBTFUL = re.compile(
    r"(?<![\d.,])(?:\d{1,3}\.\d{3}|\d+,(?:\d{1,2}|\d{4,})|\d{1,3}(?: \d{3})+)(?![\d]|[.,]\d)"
)
_PARTED = re.compile(r"[ \u00a0\u202f'’.]")


def in_english_form(text: str) -> str:
    """The text with `1234.5` for `1.234,5`, `1 234,5` and `１２３４.５`.

    What may be an English number, as `1.234` and `5,3`, is changed only in a text that is surely in
    a language which writes numbers so.
    """
    if _OTHER_DIGITS.search(text):
        text = _OTHER_DIGITS.sub(_ascii, text).translate(_SIGNS)
    text = _CERTAIN.sub(_english, text)
    if not _DOUBTFUL.search(text) or (code := text_language(text[:BEGINNING])) not in _COMMA:
        return text
    return _DOUBTFUL.sub(
        lambda match: _english(match) if " " not in match[0] or code in _SPACE else match[0], text
    )


def _ascii(match: re.Match[str]) -> str:
    return "".join(str(unicodedata.decimal(digit)) for digit in match[0])


def _english(match: re.Match[str]) -> str:
    return _PARTED.sub("", match[0]).replace(",", ".")
