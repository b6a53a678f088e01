"""A recogniser that behaves: it reads what `strips` wrote into a picture, and nothing else.

It stands in for the package `rapidocr` (`installed`), whose names and shapes it has. A line is a
row of black and white blocks: a mark, its length, how sure of it one is, and its bytes. A line of
which nobody is sure at all crashes whoever reads it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 1500, 2000
_LEFT, _TOP, _HIGH, _STEP, _BLOCK = 100, 120, 24, 40, 4
_MARK = 4  # blocks


def strips(lines: Sequence[str], sure: Iterable[int] | None = None, top: int = _TOP) -> Image.Image:
    """A page with these lines of at most 36 letters, each with how sure one is, in percent."""
    page = np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
    for number, (line, percent) in enumerate(zip(lines, sure or [97] * len(lines), strict=True)):
        data = bytes([len(line.encode()), percent]) + line.encode()
        bits = [1] * _MARK + [byte >> at & 1 for byte in data for at in range(8)]
        y = top + number * _STEP
        for at, bit in enumerate(bits):
            x = _LEFT + at * _BLOCK
            page[y : y + _HIGH, x : x + _BLOCK] = 0 if bit else 255
    return Image.fromarray(page)


def installed(folder: Path) -> Path:
    """A folder of packages in which this file is `rapidocr`."""
    (folder / "rapidocr").mkdir(parents=True)
    shutil.copy(__file__, folder / "rapidocr" / "__init__.py")
    (folder / "rapidocr-0.dist-info").mkdir()
    return folder


@dataclass
class RapidOCROutput:
    txts: tuple[str, ...] | None = None
    scores: tuple[float, ...] | None = None
    boxes: Any = None


class RapidOCR:
    def __init__(self, params: dict[str, Any]) -> None:
        assert params["EngineConfig.onnxruntime.intra_op_num_threads"] == 1

    def __call__(self, picture: Any) -> RapidOCROutput:
        dark = np.asarray(picture)[:, :, 0] < 128
        if not dark[:, _LEFT : _LEFT + _MARK * _BLOCK].all(axis=1).any():
            return RapidOCROutput()
        texts, scores, boxes = [], [], []
        y = 0
        while y < len(dark):
            if not dark[y, _LEFT : _LEFT + _MARK * _BLOCK].all():
                y += 1
                continue
            text, percent, right = self._line(dark[y + _HIGH // 2])
            if percent == 0:
                os.abort()
            texts.append(text)
            scores.append(percent / 100)
            boxes.append([[_LEFT, y], [right, y], [right, y + _HIGH], [_LEFT, y + _HIGH]])
            y += _HIGH
        return RapidOCROutput(tuple(texts), tuple(scores), np.array(boxes, dtype=np.float32))

    @staticmethod
    def _line(row: Any) -> tuple[str, int, int]:
        def byte(number: int) -> int:
            first = _LEFT + (_MARK + 8 * number) * _BLOCK + _BLOCK // 2
            return sum(int(row[first + at * _BLOCK]) << at for at in range(8))

        length, percent = byte(0), byte(1)
        text = bytes(byte(2 + at) for at in range(length)).decode()
        return text, percent, _LEFT + (_MARK + 8 * (length + 2)) * _BLOCK
