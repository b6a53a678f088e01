"""Bytes to text: which encoding a file has, and what it really is."""

from __future__ import annotations

import re

from index.formats import encodings
from index.formats.base import Unreadable

_ENOUGH = 24
"""Bytes beyond ASCII, without which a detector only guesses."""
_MAGIC = (
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a zip archive or office file"),
    (b"\xd0\xcf\x11\xe0", "an old office file"),
    (b"{\\rtf", "an RTF file"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
)


def sniff(data: bytes) -> str:
    """What the first bytes say the file is, empty when they say nothing."""
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    opening = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return "an HTML page" if opening.startswith((b"<!doctype html", b"<html")) else ""


BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


# Guessing an encoding needs some text, not all of 50 MB.
_SAMPLE = 100_000


def decode(data: bytes) -> str:
    """The text of some bytes: line ends as line feeds, no byte-order mark, nothing else changed.

    UTF-8 first, else what the byte-order mark says, else a guess, if there is a good one.

    Raises:
        Unreadable: binary data, or text in no encoding we know, or in any of several.
    """
    text = _decoded(data)
    # Form feeds, tabs and terminal escapes do occur in text; these hardly ever.
    odd = len(re.findall(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]", text))
    if "\x00" in text or odd > max(8, len(text) // 50):
        raise Unreadable("not text (binary)")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str:
    encoding = next((name for bom, name in BOMS if data.startswith(bom)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
    wrong = text.count("\ufffd")
    right = len(text) - len(text.encode("ascii", "ignore")) - wrong
    if encoding != "utf-8" or wrong * 10 <= right:
        return _mostly(text)  # UTF after all, with some bytes damaged
    if b"\x00" in data:
        raise Unreadable("not text (binary)")
    guess = _guess(data)
    if guess is None:
        raise Unreadable("not text (binary, or an unknown encoding)")
    return _mostly(data.decode(guess, "replace"))


def _mostly(text: str) -> str:
    if text.count("\ufffd") > max(8, len(text) // 100):
        raise Unreadable("not text (too many bytes that no encoding explains)")
    return text


def _guess(data: bytes) -> str | None:
    """The most likely encoding of bytes that are not UTF-8.

    Raises:
        Unreadable: when several are as likely: wrong letters would be worse.
    """
    unclear = Unreadable("its encoding is unclear; save it as UTF-8, then add it again")
    try:
        if found := encodings.latin(data):
            return found
    except encodings.Unclear:
        raise unclear from None
    from charset_normalizer import from_bytes

    sample = data[:_SAMPLE]
    best = from_bytes(sample).best()
    if best is None:
        return None
    # of a few letters it is no judge, nor of Latin ones; these with some Chinese are another matter
    text = str(best)
    few = sum(byte > 127 for byte in sample) < _ENOUGH
    if few or (encodings.is_latin(text) and not any(c >= "\u2e80" for c in text)):
        raise unclear
    return best.encoding
