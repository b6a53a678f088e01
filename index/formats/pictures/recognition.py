"""The words in a picture: lines of text, each with its box and how sure the recogniser is.

The only file that knows rapidocr, which the extra `ocr` brings with its weights (PP-OCR). It runs
in the sandbox, on one thread, and fetches nothing: whatever is missing is an error there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

from index.formats.base import tidy
from index.formats.pdf.page_text import Box, Fragment

if TYPE_CHECKING:
    from PIL.Image import Image

EXTRA = "pip install 'pilcrow-rag[ocr]' reads the text in pictures and scans"
PAGES_LIMIT = 300
"""Pages of one file that are recognised, some seconds each; more are better split by hand."""
SIDE = 2000
"""Pixels of a page's longer side: the recogniser looks at no more."""
_SAME_HEIGHT = 0.5
"""By how much lines' boxes differ in height and are still letters of one size: a box is as high as
the letters that happen to stand in its line."""


Recognised: TypeAlias = "Mapping[int, Sequence[RecognisedLine]]"
"""The lines of a file's pages that were recognised, by their numbers."""


@dataclass(frozen=True, slots=True)
class RecognisedLine:
    """A line of text in a picture."""

    text: str
    box: tuple[float, float, float, float]
    """Left, top, width and height, as shares of the picture's."""
    confidence: float
    """From 0 to 1."""


def unpacked(values: Mapping[str, Sequence[Mapping[str, Any]]] | None) -> Recognised | None:
    """What was recognised, as it came as JSON; None stays None."""
    if values is None:
        return None
    return {
        int(page): [
            RecognisedLine(line["text"], tuple(line["box"]), line["confidence"]) for line in lines
        ]
        for page, lines in values.items()
    }


NOTHING: Recognised = {}


class Scanned(Exception):
    """A file has pages that are pictures of text: they are to be recognised first."""

    def __init__(self, pages: Sequence[int]) -> None:
        """Their numbers, from 1."""
        self.pages = tuple(pages)
        super().__init__(f"{len(self.pages)} pages to recognise")


def is_available() -> bool:
    """Whether text is recognised: the extra is there, and PILCROW_OCR is not `none`."""
    return os.environ.get("PILCROW_OCR") != "none" and find_spec("rapidocr") is not None


def lines_in(image: Image) -> list[RecognisedLine]:
    """The lines of text in a picture, in no certain order."""
    import numpy as np

    image = image.convert("RGB")
    image.thumbnail((SIDE, SIDE))
    found = _recogniser()(np.asarray(image)[:, :, ::-1])
    lines = []
    for text, corners, confidence in zip(
        found.txts or (), found.boxes if found.boxes is not None else (), found.scores or (),
        strict=True,
    ):  # fmt: skip
        left, top = (min(float(corner[axis]) for corner in corners) for axis in (0, 1))
        right, bottom = (max(float(corner[axis]) for corner in corners) for axis in (0, 1))
        box = (left / image.width, top / image.height, (right - left) / image.width,
               (bottom - top) / image.height)  # fmt: skip
        lines.append(RecognisedLine(str(text), box, float(confidence)))
    return lines


@cache
def _recogniser() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "error",
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def usual_height(recognised: Recognised) -> float:
    """The height of a line of prose, as a share of its page's."""
    heights = [line.box[3] for lines in recognised.values() for line in lines]
    return median(heights) if heights else 0.0


def fragments(
    lines: Sequence[RecognisedLine], width: float, height: float, usual: float
) -> list[Fragment]:
    """Recognised lines as parts of a page, for its layout.

    Args:
        lines: of the page.
        width: of the page, in points.
        height: of the page.
        usual: as `usual_height` has it.
    """
    made, usual = [], usual * height
    for line in lines:
        left, top, wide, high = line.box
        box = Box(left * width, top * height, (left + wide) * width, (top + high) * height)
        if abs(box.height - usual) <= _SAME_HEIGHT * usual:
            middle = (box.top + box.bottom) / 2
            box = Box(box.left, middle - usual / 2, box.right, middle + usual / 2)
        if text := tidy(line.text):
            shares = tuple(round(share, 4) for share in line.box)
            sure = min(max(round(line.confidence, 2), 0.01), 0.99)  # nothing read is certain
            made.append(Fragment(text, box, False, (), sure, shares))
    return made
