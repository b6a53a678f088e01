"""What nobody sees is taken out everywhere by one set of characters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from index.formats.base import tidy
from index.formats.bylines import clean
from index.formats.registry import SUFFIXES, is_article, read_here
from index.tokenization import facts, strip_invisible
from ui import terminal
from ui.cli import app
from ui.page.conversations import shortened

HIDDEN = [
    chr(code)
    for first, last in (
        (0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0x61C, 0x61C), (0x200B, 0x200B),
        (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x2060), (0x2066, 0x2069),
        (0xFEFF, 0xFEFF), (0xE0000, 0xE007F),
    )
    for code in range(first, last + 1)
]  # fmt: skip
DRAWN = [char for char in HIDDEN if ord(char) > 0x9F]


@pytest.mark.parametrize("char", HIDDEN, ids=lambda char: f"{ord(char):04x}")
def test_what_nobody_sees_goes_from_texts_titles_terminals_and_the_page(char: str) -> None:
    text = f"Kyo{char}to"
    assert strip_invisible(text) == "Kyoto"
    assert tidy(text).replace("\n", "") == "Kyoto"
    assert char not in clean(text)
    assert char not in shortened(text)
    assert char not in terminal.harmless(text)
    shown = terminal.to_json({"text": text})
    assert char not in shown.replace("\n", "")
    assert json.loads(shown) == {"text": text}


@pytest.mark.parametrize("char", DRAWN, ids=lambda char: f"{ord(char):04x}")
def test_a_word_with_a_hidden_character_in_it_stays_one_word(char: str) -> None:
    page = f"<html><body><article><p>Kyo{char}to is old.</p></article></body></html>"
    assert clean(f"Kyo{char}to") == shortened(f"Kyo{char}to") == "Kyoto"
    assert "Kyoto is old." in read_here("a.html", page.encode(), ".html").text


@given(st.text())
def test_a_line_is_tidied_alike_with_and_without_its_end(text: str) -> None:
    """Printable lines, most of them by far, take a shorter way."""
    assert tidy(text) == tidy(f"{text}\n")


@given(st.text())
def test_what_is_left_has_nothing_hidden_and_keeps_its_order(text: str) -> None:
    left = strip_invisible(text)
    assert left == "".join(char for char in text if char not in HIDDEN)
    assert strip_invisible(left) == left


def test_emoji_and_persian_keep_their_joiners() -> None:
    text = "👩\u200d👩\u200d👧 می\u200cخواهم\tone\ntwo"
    assert strip_invisible(text) == text


def test_every_place_that_names_the_kinds_of_articles_names_all_of_them() -> None:
    shown = CliRunner().invoke(app, ["add", "--help"]).output
    for suffix in SUFFIXES:
        assert suffix in " ".join(shown.split())
        assert is_article(Path(f"a{suffix.upper()}"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("It is 840 metres long.", "It is 910 metres long.", False),
        ("It has nine boats.", "It has ten boats.", False),
        ("Boats sank off Oslo.", "Boats sank off Rome.", False),
        ("It was agreed.", "It was not agreed.", False),
        ("The boats sank off Oslo.", "The boats all sank, off Oslo.", True),
        ("boats sank in the storm", "boats sank in that storm", True),
    ],
)
def test_near_copies_differ_in_their_facts(one: str, other: str, same: bool) -> None:
    assert (facts(one) == facts(other)) is same
