"""A page's text layer → fragments of lines, each with its box and its characters."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from index.formats.base import tidy

_HYPHEN = "\ufffe"
"""What PDFium gives for a hyphen at the end of a line, and no line end after it."""
_WORD = re.compile(r"[^\s\ufffe]+")
_LINE = re.compile(r"[^\r\n\ufffe]*(?:\ufffe|\r?\n|\r|\Z)")
_LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl",
     "\ufb05": "st", "\ufb06": "st", "\xa0": " "}
)  # fmt: skip
_GAP = 1.5
"""Heights of a line that part two columns or cells; spaces between justified words stay below."""
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a page."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """From top to bottom."""
        return self.bottom - self.top

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left


def around(boxes: Iterator[Box] | list[Box]) -> Box:
    """The smallest rectangle around some."""
    every = list(boxes)
    return Box(
        min(box.left for box in every), min(box.top for box in every),
        max(box.right for box in every), max(box.bottom for box in every),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a line that nothing interrupts."""

    text: str
    box: Box
    bold: bool
    characters: tuple[tuple[int, int], ...]
    """The ranges of the page's characters that its words are."""
    recognised: float = 0.0
    """How sure text recognition was, to 1; 0 for the page's own text."""
    shares: tuple[float, ...] = ()
    """Where it was recognised: left, top, width and height, as shares of the page's."""

    @property
    def right_to_left(self) -> bool:
        """Whether it is read from right to left."""
        return len(_RIGHT_TO_LEFT.findall(self.text)) > len(self.text) / 3


class PageText:
    """The characters of one page. Closed by whoever opened it."""

    def __init__(self, page: Any) -> None:
        """Read the text layer of a `pypdfium2.PdfPage`."""
        import pypdfium2.raw as pdfium

        self._pdfium = pdfium
        self._page = page.get_textpage()
        self._handle = self._page.raw
        self._box_of = pdfium.FPDFText_GetLooseCharBox
        self._rect = pdfium.FS_RECTF()
        self._rect_at = ctypes.byref(self._rect)
        self.width, self.height, self._to_screen = _shown(page, pdfium)
        self.characters = self._characters()

    def close(self) -> None:
        """Let go of the page's text."""
        self._page.close()

    def _characters(self) -> str:
        """As many characters as the page has, so that both are numbered alike."""
        count = self._page.count_chars()
        text: str = self._page.get_text_range() if count else ""
        if len(text) == count:
            return text
        codes = (self._pdfium.FPDFText_GetUnicode(self._handle, i) for i in range(count))
        return "".join(chr(code) if code != 2 else _HYPHEN for code in codes)

    def box(self, index: int) -> Box:
        """Where a character stands, with the room that its font gives it."""
        return Box(*self._sides(index))

    def _sides(self, index: int) -> tuple[float, float, float, float]:
        rect = self._rect
        self._box_of(self._handle, index, self._rect_at)
        a, b, c, d, e, f = self._to_screen
        if a > 0 > d:  # not turned; this is called for every word of a book
            return a * rect.left + e, d * rect.top + f, a * rect.right + e, d * rect.bottom + f
        x1, x2 = a * rect.left + c * rect.bottom + e, a * rect.right + c * rect.top + e
        y1, y2 = b * rect.left + d * rect.bottom + f, b * rect.right + d * rect.top + f
        return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)

    def fragments(self) -> list[Fragment]:
        """The parts of the page's lines, in the order of the file."""
        return [part for line in _LINE.finditer(self.characters) for part in self._parts(line)]

    def _parts(self, line: re.Match[str]) -> Iterator[Fragment]:
        """A line's words, parted where they are far from each other. Bare numbers, for speed."""
        words: list[tuple[int, int]] = []
        left = top = right = bottom = 0.0  # of the words so far
        last = (0.0, 0.0, 0.0, 0.0)
        sides = self._sides
        for match in _WORD.finditer(self.characters, line.start(), line.end()):
            start, end = word = match.span()
            box = sides(start)
            if end - start > 1:
                box = _both(box, sides(end - 1))
            if words and _apart(last, box):
                yield from self._fragment(words, Box(left, top, right, bottom))
                words = []
            if words:
                left = box[0] if box[0] < left else left
                top = box[1] if box[1] < top else top
                right = box[2] if box[2] > right else right
                bottom = box[3] if box[3] > bottom else bottom
            else:
                left, top, right, bottom = box
            words.append(word)
            last = box
        if words:
            end_sign = "-" if line.group().endswith(_HYPHEN) else ""
            yield from self._fragment(words, Box(left, top, right, bottom), end_sign)

    def _fragment(
        self, words: list[tuple[int, int]], box: Box, end: str = ""
    ) -> Iterator[Fragment]:
        texts = (self.characters[slice(*word)] for word in words)
        if text := tidy(" ".join(texts).translate(_LIGATURES) + end):
            yield Fragment(text, box, self._is_bold(words[0][0]), tuple(words))

    def _is_bold(self, index: int) -> bool:
        weight = self._pdfium.FPDFText_GetFontWeight(self._handle, index)
        if weight > 0:
            return int(weight) >= 600
        name = ctypes.create_string_buffer(80)  # of a font that every reader has, nothing is stated
        self._pdfium.FPDFText_GetFontInfo(self._handle, index, name, 80, None)
        return b"Bold" in name.value

    def letters(self, fragment: Fragment) -> Iterator[tuple[str, int]]:
        """Each letter of a fragment as its text has it, with the number of its character."""
        for start, end in fragment.characters:
            for index in range(start, end):
                for letter in tidy(self.characters[index].translate(_LIGATURES)):
                    yield letter, index


_Sides = tuple[float, float, float, float]


def _both(a: _Sides, b: _Sides) -> _Sides:
    return (
        a[0] if a[0] < b[0] else b[0], a[1] if a[1] < b[1] else b[1],
        a[2] if a[2] > b[2] else b[2], a[3] if a[3] > b[3] else b[3],
    )  # fmt: skip


def _apart(before: _Sides, box: _Sides) -> bool:
    """Whether two words that follow each other belong to different columns, cells or lines."""
    if before[3] < box[1] or box[3] < before[1]:
        return True
    height, other = before[3] - before[1], box[3] - box[1]
    height = other if other < height else height
    most = _GAP * (height if height > 1.0 else 1.0)
    return box[0] - before[2] > most or before[0] - box[2] > most


def _shown(page: Any, pdfium: Any) -> tuple[float, float, tuple[float, ...]]:
    """Width and height of a page as it is shown, and what makes its own coordinates these."""
    width, height = page.get_size()
    scale = 100  # the function below knows whole pixels
    x, y = ctypes.c_int(), ctypes.c_int()

    def shown(at_x: float, at_y: float) -> tuple[float, float]:
        pdfium.FPDF_PageToDevice(
            page.raw, 0, 0, int(width * scale), int(height * scale), 0, at_x, at_y,
            ctypes.byref(x), ctypes.byref(y),
        )  # fmt: skip
        return x.value / scale, y.value / scale

    (e, f), (x1, y1), (x2, y2) = shown(0, 0), shown(1000, 0), shown(0, 1000)
    matrix = (x1 - e) / 1000, (y1 - f) / 1000, (x2 - e) / 1000, (y2 - f) / 1000, e, f
    return width, height, matrix
