"""A page's text layer → fragments of lines, each with its box and its characters."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        """How high it is, in points."""
        return self.bottom - self.top

    @property
    def width(self) -> float:
        """How wide it is, in points."""
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
        self._rect = pdfium.FS_RECTF()
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
        return Box(*self._sides([(index, index + 1)])[0].tolist())

    def _sides(self, words: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Left, top, right and bottom of each word by its first and last character, (n, 4).

        The library is asked character by character; all else is done for a page at once.
        """
        box_of, handle, rect = self._pdfium.FPDFText_GetLooseCharBox, self._handle, self._rect
        at, held, told = ctypes.byref(rect), memoryview(rect).cast("B"), bytearray()
        for start, end in words:
            box_of(handle, start, at)
            told += held
            box_of(handle, end - 1, at)
            told += held
        found = np.frombuffer(told, np.float32).reshape(-1, 2, 4).astype(np.float64)
        left, top, right, bottom = (found[:, :, side] for side in range(4))
        a, b, c, d, e, f = self._to_screen
        x1, x2 = a * left + c * bottom + e, a * right + c * top + e
        y1, y2 = b * left + d * bottom + f, b * right + d * top + f
        return np.stack(
            [
                np.minimum(x1, x2).min(axis=1), np.minimum(y1, y2).min(axis=1),
                np.maximum(x1, x2).max(axis=1), np.maximum(y1, y2).max(axis=1),
            ],
            axis=1,
        )  # fmt: skip

    def fragments(self) -> list[Fragment]:
        """The parts of the page's lines, in the order of the file."""
        words: list[tuple[int, int]] = []
        begins: list[int] = []  # by the number of their first word, the lines
        hyphens: set[int] = set()  # by the number of the word after, where one ends a line
        for line in _LINE.finditer(self.characters):
            begins.append(len(words))
            words += [word.span() for word in _WORD.finditer(self.characters, *line.span())]
            if line.group().endswith(_HYPHEN):
                hyphens.add(len(words))
        if not words:
            return []
        sides = self._sides(words)
        parted = _apart(sides)
        parted[[number for number in begins if number < len(words)]] = True
        starts = np.flatnonzero(parted)
        boxes = np.stack(
            [
                join.reduceat(sides[:, side], starts)
                for side, join in enumerate((np.minimum, np.minimum, np.maximum, np.maximum))
            ],
            axis=1,
        )
        ends = [*starts[1:].tolist(), len(words)]
        return [
            fragment
            for start, end, box in zip(starts.tolist(), ends, boxes.tolist(), strict=True)
            for fragment in self._fragment(words[start:end], Box(*box), "-" * (end in hyphens))
        ]

    def _fragment(self, words: list[tuple[int, int]], box: Box, end: str) -> Iterator[Fragment]:
        texts = [self.characters[start:stop] for start, stop in words]
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


def _apart(sides: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each word belongs to another column, cell or line than the one before it, (n,)."""
    left, top, right, bottom = sides.T
    height = np.minimum((bottom - top)[:-1], (bottom - top)[1:])
    most = _GAP * np.maximum(height, 1.0)
    apart = np.ones(len(sides), np.bool_)
    apart[1:] = (
        (bottom[:-1] < top[1:])
        | (bottom[1:] < top[:-1])
        | (left[1:] - right[:-1] > most)
        | (left[:-1] - right[1:] > most)
    )
    return apart


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
