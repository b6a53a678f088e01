"""A PDF's page in the browser: the cited sentence boxed, page by page, larger, beside the text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index import Library
from rag import Assistant
from tests.support.browsers import Tab, served, tab
from tests.support.fakes import BagOfWordsEncoder
from tests.support.made.pdf_files import book

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("paper")
    (folder / "book.pdf").write_bytes(book(12))
    with Library.open(folder / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([folder / "book.pdf"])
        with served(Assistant(library, generator=None), library) as where:
            yield where


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Tab]:
    with tab(browser, address) as fresh:
        yield fresh


@pytest.mark.browser
def test_the_page_of_a_citation_opens_with_its_sentence_boxed(opened: Tab) -> None:
    page = opened.page
    opened.ask("How many steps has the lighthouse of chapter 7?")
    opened.finish()
    page.click("#current .cite >> nth=0")
    source = page.locator("#current-sources .source.current")
    assert "page 7" in source.inner_text()
    source.locator(".show-all").click()
    page.click(".to-paper button")
    page.wait_for_selector(".paper .boxed")
    box, sheet = page.locator(".boxed").bounding_box(), page.locator(".paper img").bounding_box()
    assert box and sheet
    assert sheet["x"] < box["x"] < sheet["x"] + sheet["width"] / 2
    assert "Page 7 of 12" in page.inner_text(".paper figcaption")
    page.click(".paper >> text=Larger")
    larger = page.locator(".paper img").bounding_box()
    assert larger and larger["width"] > 1.5 * sheet["width"]
    page.click(".paper >> text=Previous")
    page.wait_for_selector("text=Page 6 of 12: the sentence is not on this page")
    assert page.locator(".paper .boxed").count() == 0
    page.click(".paper >> text=Text only")
    assert page.locator(".paper").count() == 0
    assert page.locator(".reader mark").count() > 0


@pytest.mark.browser
def test_words_are_found_in_the_article_and_the_pane_is_made_wider_for_good(opened: Tab) -> None:
    page = opened.page

    def width() -> float:
        return float(page.evaluate("document.querySelector('#sources').offsetWidth"))

    opened.ask("How many steps has the lighthouse of chapter 7?")
    opened.finish()
    before, line = width(), page.locator("#divider").bounding_box()
    assert line and line["width"] == 8
    page.mouse.move(line["x"] + 4, 300)
    page.mouse.down()
    page.mouse.move(line["x"] - 116, 300)
    page.mouse.up()
    assert width() == pytest.approx(before + 120, abs=1)
    page.focus("#divider")
    page.keyboard.press("ArrowRight")
    assert width() == pytest.approx(before + 88, abs=1)
    opened.reload()
    assert width() == pytest.approx(before + 88, abs=1)
    page.dblclick("#divider")
    assert width() == before

    page.click("#past .cite >> nth=0")
    page.locator(".source.current .show-all").click()
    page.wait_for_selector(".reader mark.here")
    page.fill("#find", "steps.")
    page.wait_for_selector(".find .place:has-text('1 of 12')")
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(".find .place:has-text('12 of 12')")
    page.wait_for_selector("mark.found.here")
    assert "12 steps" in page.inner_text("p:has(mark.here)")
    assert opened.inaccessible() == []
    page.fill("#find", "no such words")
    page.wait_for_selector(".find .place:has-text('Not in this article')")
    assert page.locator("mark.found").count() == 0
    assert page.is_disabled(".find [data-way=on]")
