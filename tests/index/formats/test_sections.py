"""The section that a sentence stands in: the headings above it, in every format that has some."""

from __future__ import annotations

import io
from pathlib import Path

import docx
import pytest

from index import Library
from index.formats.registry import read_here
from index.types import Heading, section_at
from rag import Assistant
from tests.support.fakes import BagOfWordsEncoder

MARKDOWN = """# Cables

The ship left Suva.

## Repairs *at sea*

The repair began at dawn.

### Costs

It cost eighty million.

## Afterwards

Nobody was surprised.
"""
HTML = """<html><head><title>Cables</title></head><body><article><h1>Cables</h1>
<p>The ship left Suva on the third of March with twelve engineers on board, all of them tired.</p>
<h2>Repairs at sea</h2><p>The repair began at dawn, when the sea was calm enough for it.</p>
<h3>Costs</h3><p>It cost eighty million, which is more than anybody had ever thought possible.</p>
<h2>Afterwards</h2><p>Nobody was surprised by that, and the ship went home after a week.</p>
</article></body></html>"""


def word() -> bytes:
    file = docx.Document()
    file.add_heading("Cables", 0)
    for heading, level, text in (
        ("", 0, "The ship left Suva."),
        ("Repairs at sea", 1, "The repair began at dawn."),
        ("Costs", 2, "It cost eighty million."),
        ("Afterwards", 1, "Nobody was surprised."),
    ):
        if heading:
            file.add_heading(heading, level)
        file.add_paragraph(text)
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("suffix", "data"), [(".md", MARKDOWN.encode()), (".html", HTML.encode()), (".docx", word())]
)
def test_a_sentence_knows_the_headings_above_it(suffix: str, data: bytes) -> None:
    document = read_here(f"x{suffix}", data, suffix)

    def section(words: str) -> str:
        return document.location(document.text.index(words)).section

    assert document.title == "Cables"
    assert section("The ship left") == ""
    assert section("The repair began") == "Repairs at sea"
    assert section("It cost eighty") == "Repairs at sea › Costs"
    assert section("Nobody was") == "Afterwards"


def test_a_higher_heading_ends_the_sections_below_it() -> None:
    headings = [Heading(0, 2, "A"), Heading(10, 4, "B"), Heading(20, 3, "C"), Heading(30, 1, "D")]
    found = [section_at(headings, at) for at in (5, 15, 25, 35)]
    assert found == ["A", "A › B", "A › C", "D"]


def test_citations_and_hits_name_the_section(tmp_path: Path) -> None:
    (tmp_path / "cables.md").write_text(MARKDOWN)
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "cables.md"])
        hit = library.search("It cost eighty million", 1)[0]
        assert hit.location(hit.start).section == "Repairs at sea › Costs"
        answer = Assistant(library, generator=None).answer("What repair began at dawn?")
    assert answer.citations[0].section == "Repairs at sea"
    assert answer.to_dict()["citations"][0]["section"] == "Repairs at sea"
    assert "page" not in answer.to_dict()["citations"][0]
