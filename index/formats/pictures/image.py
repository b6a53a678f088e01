"""A picture of text (PNG, JPEG, TIFF, WebP) → its document, from the lines that were recognised."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from index.formats.base import NO_WORDS, Unreadable, Wordless, damaged
from index.formats.decoding import sniff
from index.formats.pdf import columns
from index.formats.pdf.reading import laid_out
from index.formats.pictures.recognition import (
    PAGES_LIMIT,
    Recognised,
    Scanned,
    fragments,
    usual_height,
)
from index.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from PIL.Image import Image

PIXELS_LIMIT = 100_000_000
"""Pixels of one picture; a page at 600 dots to the inch has 35 million."""
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
_POINTS = 800.0
"""Of a page's longer side, about what paper has: the layout is told in points."""


def read(document_id: str, data: bytes, recognised: Recognised | None = None) -> Document:
    """The document in a picture.

    Args:
        document_id: what the document will be called.
        data: the whole file.
        recognised: the lines of its pages; None when they are yet to be recognised.

    Raises:
        Scanned: then.
        Wordless: when there are no words in it.
        Unreadable: with the reason.
    """
    with opened(data) as image:
        count = getattr(image, "n_frames", 1)
        if recognised is None:
            if count > PAGES_LIMIT:
                raise Unreadable(f"too many pages: {count}, limit {PAGES_LIMIT}")
            raise Scanned(range(1, count + 1))
    return of_pages(document_id, (page(data, n).size for n in range(1, count + 1)), recognised)


def of_pages(
    document_id: str, sizes: Iterable[tuple[int, int]], recognised: Recognised
) -> Document:
    """The document in pictures of these sizes, in pixels, one after the other.

    Raises:
        Wordless: when there are no words in them.
    """
    pages, usual = [], usual_height(recognised)
    for number, (width, height) in enumerate(sizes, start=1):
        scale = _POINTS / max(width, height)
        lines = recognised.get(number, ())
        pages.append(columns.lines(fragments(lines, width * scale, height * scale, usual)))
    if not any(char.isalpha() for page in pages for line in page for char in line.text):
        raise Wordless(NO_WORDS)
    return laid_out(document_id, pages, [str(number) for number in range(1, len(pages) + 1)])


@contextmanager
def opened(data: bytes) -> Iterator[Image]:
    """A picture that is of a size to look at.

    Raises:
        Unreadable: when it is none, damaged or too large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > PIXELS_LIMIT:
                size = f"{image.width:,} × {image.height:,} pixels"
                raise Unreadable(f"too big: {size}, limit {PIXELS_LIMIT // 1_000_000} million")
            yield image
    except (Unreadable, Scanned):
        raise
    except UnidentifiedImageError as error:
        raise Unreadable(
            f"not a picture ({sniff(data) or 'damaged, or another format'})"
        ) from error
    except Exception as error:
        raise damaged("picture", error) from error


def page(data: bytes, number: int) -> Image:
    """A page of a picture, the way up that it is looked at.

    Raises:
        Unreadable: with the reason.
    """
    from PIL import ImageOps

    with opened(data) as image:
        image.seek(number - 1)
        return ImageOps.exif_transpose(image).convert("RGB")
