"""Scans with the real recogniser, which the extra `ocr` brings; without it skipped and named."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from difflib import SequenceMatcher
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from index.formats import registry
from index.formats.registry import Wordless, parse

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.skipif(
        find_spec("rapidocr") is None,
        reason="rapidocr is not installed: pip install 'pilcrow-rag[ocr]'",
    ),
]
TEXT = """The Harbour of Velmora

The harbour of Velmora was built in 1883 by the engineer Ann Brenner, who had worked in Lisbon \
before. Its two piers are 412 metres long and stand on granite from the hills of Tessaly.

In 1921 a storm broke the northern pier in three places. The town council asked the navy for \
help, and 640 sailors rebuilt it within nine weeks."""


@pytest.fixture(autouse=True)
def _recognising(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PILCROW_OCR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    registry._SANDBOX.close()
    yield
    registry._SANDBOX.close()


def printed(text: str) -> Image.Image:
    """A page as a scanner gives it, at 150 dots to the inch."""
    page = Image.new("L", (1240, 1754), 245)
    draw, y = ImageDraw.Draw(page), 150
    for number, paragraph in enumerate(text.split("\n\n")):
        font = ImageFont.load_default(44 if number == 0 else 27)
        for line in textwrap.wrap(paragraph, 70):
            draw.text((120, y), line, font=font, fill=25)
            y += 60 if number == 0 else 40
        y += 40
    return page


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_a_scan_is_read(suffix: str) -> None:
    out = io.BytesIO()
    printed(TEXT).save(out, suffix[1:].upper())
    document = parse(f"scan{suffix}", out.getvalue(), suffix)
    alike = SequenceMatcher(None, TEXT, document.text, autojunk=False).ratio()
    assert alike >= 0.98, document.text
    assert all(page.number == 1 and page.recognised > 0.8 for page in document.pages)
    at = document.text.index("Its two piers")
    boxes = document.boxes(1, at, at + 60)
    assert boxes and all(0.05 < box[0] < 0.2 and 0.1 < box[1] < 0.3 for box in boxes)


def test_a_photo_holds_no_words() -> None:
    out = io.BytesIO()
    Image.effect_noise((400, 300), 60).save(out, "JPEG")
    with pytest.raises(Wordless):
        parse("photo.jpg", out.getvalue(), ".jpg")
