"""The real page on the real default models: ask, read, click, add, rebuild."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import seeds
from index import Library
from rag import Assistant
from tests.browsers import Tab, chromium, served, tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.model, pytest.mark.browser]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library.open(tmp_path_factory.mktemp("page"))
    library.update([seeds.articles()])
    return library


@pytest.fixture(scope="module")
def address(browser: Browser, library: Library) -> Iterator[str]:
    with served(Assistant(library), library) as where:
        yield where


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Tab]:
    with tab(browser, address) as fresh:
        yield fresh


def marked_is_stored(opened: Tab, library: Library) -> None:
    """Every marked sentence stands in its document, word for word."""
    marks = opened.page.locator("#current-sources .cited mark")
    texts = [library.document(record.id).text for record in library.documents()]
    assert marks.count() > 0
    for i in range(marks.count()):
        quote = " ".join((marks.nth(i).text_content() or "").split())
        assert any(quote in " ".join(text.split()) for text in texts)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("How many people took part in the Kyoto forum?", "8,000"),
        ("What fines does the EU AI Act allow?", "35 million"),
    ],
)
def test_seed_questions_are_answered_with_marked_sources(
    opened: Tab, library: Library, question: str, wanted: str
) -> None:
    opened.ask(question)
    opened.page.wait_for_selector("#current .headline, #current .statement")
    text = opened.finish()
    assert wanted in text + opened.page.inner_text("#sources")
    opened.page.click("#current .cite[data-n='1']")
    opened.page.wait_for_selector("#current-sources .source.current mark")
    marked_is_stored(opened, library)


def test_what_is_not_there_is_not_answered(opened: Tab) -> None:
    opened.ask("Who painted the Mona Lisa?")
    assert "Not in your documents" in opened.finish()


def test_a_file_is_added_asked_about_and_rebuilt(opened: Tab, tmp_path: Path) -> None:
    article = tmp_path / "lighthouse.txt"
    article.write_text(
        "The Lighthouse of Orrin Bay\n\nThe lighthouse of Orrin Bay was built in 1871 by the "
        "engineer Maud Tarrant. It is 43 metres high and was automated in 1988.\n"
    )
    page = opened.page
    page.set_input_files("#upload input[type=file]", str(article))
    page.wait_for_selector("#job .summary:has-text('+1 paragraph')")
    opened.ask("Who built the lighthouse of Orrin Bay?")
    assert "Maud Tarrant" in opened.finish()
    page.click("#rebuild")
    page.wait_for_selector("#job .summary:has-text('unchanged')")
