"""A page of a PDF or a picture as it is shown, and where on it a stretch of the text stands."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from index.formats.base import Unreadable, damaged
from index.formats.pdf import tables
from index.formats.pdf.page_text import Box, Fragment, PageText, around
from index.formats.pdf.reading import opened
from index.types import PagePicture

_WIDTH = 1400
"""Pixels of a picture: sharp at twice the size of a pane."""
_PIXELS = 8_000_000
"""Of a page that is much longer than wide."""


def draw(data: bytes, number: int, quote: str = "", before: str = "") -> PagePicture:
    """The picture of a page.

    Args:
        data: the whole file.
        number: of the page, from 1.
        quote: what is boxed: text of the document that stands on this page.
        before: the text of the same page up to there, to tell the quote from others like it.

    Raises:
        Unreadable: with the reason.
    """
    try:
        if not data[:1024].count(b"%PDF-"):
            return _drawn(data, number)
        with opened(data) as pdf:
            if not 1 <= number <= len(pdf):
                raise Unreadable(f"there is no page {number}; it has {len(pdf)}")
            with closing(pdf[number - 1]) as page:
                png, width, height = _picture(page)
                with closing(PageText(page)) as text:
                    boxes = tuple(_boxes(text, quote, before)) if quote else ()
                return PagePicture(png, width, height, len(pdf), boxes)
    except Unreadable:
        raise
    except Exception as error:
        raise damaged("PDF", error) from error


def _picture(page: Any) -> tuple[bytes, int, int]:
    scale = _scale(*page.get_size())
    return _as_png(page.render(scale=scale).to_pil())


def _drawn(data: bytes, number: int) -> PagePicture:
    """A page of a file that is a picture itself."""
    from index.formats.pictures import image as pictures

    with pictures.opened(data) as file:
        count = getattr(file, "n_frames", 1)
    if not 1 <= number <= count:
        raise Unreadable(f"there is no page {number}; it has {count}")
    image = pictures.page(data, number)
    scale = min(_scale(*image.size), 1.0)
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    image = image.resize(size)
    return PagePicture(*_as_png(image), count)


def _scale(width: float, height: float) -> float:
    return float(min(_WIDTH / width, (_PIXELS / (width * height)) ** 0.5))


def _as_png(image: Any) -> tuple[bytes, int, int]:
    from PIL import Image

    out, image = io.BytesIO(), image.convert("RGB")
    # few colours: a page in 20 kB instead of a hundred
    image.quantize(64, Image.Quantize.FASTOCTREE).save(out, "PNG", compress_level=3)
    return out.getvalue(), image.width, image.height


def _boxes(text: PageText, quote: str, before: str) -> Iterator[tuple[float, float, float, float]]:
    """One rectangle for each part of a line that the quote is made of."""
    for box in found(text, quote, before):
        yield (
            box.left / text.width, box.top / text.height,
            box.width / text.width, box.height / text.height,
        )  # fmt: skip


def found(text: PageText, quote: str, before: str = "") -> list[Box]:
    """Where a quote stands on a page, a rectangle for each line; empty when it does not.

    Compared without white space and hyphens, which lines' ends bring in and take away.
    """
    letters: list[tuple[str, int, Fragment | None]] = []
    for line in tables.lines(text.fragments()):
        for piece in line.pieces or line.parts:
            if isinstance(piece, str):  # signs that do not stand on the page
                letters += [(sign, -1, None) for sign in piece if _counts(sign)]
                continue
            for letter, index in text.letters(piece):
                if _counts(letter):
                    letters.append((letter, index, piece))
    page = "".join(letter for letter, _, _ in letters)
    wanted = "".join(filter(_counts, quote))
    at = _place(page, wanted, "".join(filter(_counts, before)))
    if at < 0:
        return []
    return list(_lines(text, letters[at : at + len(wanted)]))


def _counts(letter: str) -> bool:
    return not letter.isspace() and letter not in "-|"


def _place(page: str, wanted: str, before: str) -> int:
    """Where on a page the quote is: as often as it stands before on the page, so often further."""
    if not wanted:
        return -1
    skip = before.count(wanted)
    at = page.find(wanted)
    while skip and at >= 0:
        following = page.find(wanted, at + len(wanted))
        if following < 0:
            break
        at, skip = following, skip - 1
    return at


def _lines(text: PageText, letters: Sequence[tuple[str, int, Fragment | None]]) -> Iterator[Box]:
    run: list[int] = []
    of: Fragment | None = None
    for _, index, part in [*letters, ("", -1, None)]:
        if part is not of and run:
            yield around([text.box(run[0]), text.box(run[-1])])
            run = []
        of = part
        if part is not None:
            run.append(index)
