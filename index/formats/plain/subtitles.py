"""Subtitles (SRT, WebVTT) as documents: what is said, with the time at which it is."""

from __future__ import annotations

import re

from index.formats.base import UNTITLED, Unreadable, rebuilt, tidy
from index.formats.bylines import ends_sentence
from index.formats.decoding import decode, sniff
from index.types import Document, Page

_TIME = r"(?:(\d{1,3}):)?(\d\d):(\d\d)[.,](\d{1,3})"
_CUE = re.compile(
    rf"^\s*{_TIME}\s+-->\s+{_TIME}[^\n]*\n((?:[^\n]*\S[^\n]*(?:\n|\Z))*)", re.MULTILINE
)
_TAG = re.compile(r"</?[a-z][^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}", re.IGNORECASE)
_PAUSE = 4.0
"""Seconds of silence that begin a paragraph."""
_ENOUGH = 400
"""Characters of a paragraph, from which on the next sentence begins another."""


def read(document_id: str, data: bytes) -> Document:
    """What is said in a film; the place of a sentence is the time at which it begins."""
    if kind := sniff(data):
        raise Unreadable(f"not subtitles ({kind})")
    parts: list[str] = []
    pages: list[Page] = []
    length = paragraph = 0
    last, silent_since = "", 0.0
    for match in _CUE.finditer(decode(data).replace("\r", "") + "\n"):
        said = " ".join(tidy(_TAG.sub("", match[9])).split())
        if not said or said == last:
            continue
        begin, end = _seconds(match, 1), _seconds(match, 5)
        full = paragraph > _ENOUGH and ends_sentence(last)
        gap = "" if not parts else "\n\n" if full or begin - silent_since > _PAUSE else " "
        paragraph = paragraph + len(said) if gap == " " else len(said)
        pages.append(Page(length + len(gap), len(pages) + 1, _clock(begin), "time"))
        parts += [gap, said]
        length += len(gap) + len(said)
        last, silent_since = said, end
    if not parts:
        raise Unreadable("no subtitles in it")
    return rebuilt(document_id, "".join(parts), [], title=UNTITLED, pages=pages)


def _seconds(match: re.Match[str], at: int) -> float:
    hours, minutes, seconds, part = (int(match[at + i] or 0) for i in range(4))
    return 3600 * hours + 60 * minutes + seconds + part / 1000


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"
