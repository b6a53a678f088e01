"""The real page on the real default models: ask, read, click, add, rebuild."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import seeds
from index import Library
from rag import Assistant
from rag.types import Answer
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


class Witness:
    """The real assistant, remembering what it last said, so that the page can be held to it."""

    def __init__(self, library: Library) -> None:
        self._assistant = Assistant(library)
        self.said: list[Answer] = []

    def stream(
        self, question: str, history: Sequence[tuple[str, str]] = (), **options: Any
    ) -> Iterator[Answer]:
        self.said = []
        for snapshot in self._assistant.stream(question, history, **options):
            self.said.append(snapshot)
            yield snapshot


@pytest.fixture(scope="module")
def assistant(browser: Browser, library: Library) -> Witness:
    return Witness(library)


@pytest.fixture(scope="module")
def address(assistant: Witness, library: Library) -> Iterator[str]:
    with served(assistant, library) as where:
        yield where


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Tab]:
    with tab(browser, address) as fresh:
        yield fresh


def marked_is_stored(opened: Tab, library: Library, answer: Answer) -> None:
    """What is marked is what the document holds at the citation's offsets."""
    assert answer.citations
    for citation in answer.citations:
        source = f"#current-sources .cited .source[data-n='{citation.number}']"
        marked = opened.page.text_content(f"{source} mark")
        stored = library.document(citation.document_id).text
        assert marked == citation.quote == stored[citation.start : citation.end]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("How many people were offline in 2023?", "2.6 billion"),
        ("What is the maximum fine under the EU AI Act for using a banned practice?", "35 million"),
        ("Where did the Internet Governance Forum meet for the first time?", "Athens"),
    ],
)
def test_seed_questions_are_answered_with_marked_sources(
    opened: Tab, library: Library, assistant: Witness, question: str, wanted: str
) -> None:
    opened.ask(question)
    opened.page.wait_for_selector("#current .turn[data-running] .headline")
    assert wanted in opened.finish()
    assert [s.stage for s in assistant.said][:2] == ["searching", "reading"]
    assert assistant.said[-1].model.startswith("SmolLM2")
    opened.page.click("#current .cite[data-n='1'] >> nth=0")
    opened.page.wait_for_selector("#current-sources .source.current[data-n='1'] mark")
    marked_is_stored(opened, library, assistant.said[-1])


def test_what_is_not_there_is_not_answered(opened: Tab) -> None:
    opened.ask("Who painted the Mona Lisa?")
    assert "Not in your documents" in opened.finish()
    assert opened.page.locator("#current .statement, #current .cite").count() == 0
    assert opened.page.locator("#current .closest").count() > 0


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
