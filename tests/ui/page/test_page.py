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
from tests.support.browsers import Tab, served, tab
from ui.page import app

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.model, pytest.mark.browser]

_ESCAPE_ONCE = """(seen) => new MutationObserver((_, watching) => {
    if (!document.querySelector(seen)) return;
    watching.disconnect();
    document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));
}).observe(document.body, {childList: true, subtree: true})"""
"""Presses a key from within the page: on a busy machine one from here comes after the answer."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library.open(tmp_path_factory.mktemp("page"))
    library.update([seeds.articles()])
    return library


class Witness:
    """The real assistant, remembering what it last said, so that the page can be held to it."""

    def __init__(self, library: Library) -> None:
        self._assistant = Assistant(library, model="bundled")  # writes only where it is named
        self.said: list[Answer] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._assistant, name)

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
    extras = app.PageOptions(quick=Assistant(library, None))
    with served(assistant, library, extras) as where:
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
        (
            "How much can a company be fined under the EU AI Act for using a banned practice?",
            "35 million",
        ),
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


def test_a_suggested_question_is_answered_and_leads_on(opened: Tab) -> None:
    page = opened.page
    page.wait_for_selector("#welcome .suggestion")
    asked = page.inner_text("#welcome .suggestion >> nth=0")
    page.click("#welcome .suggestion >> nth=0")
    opened.finish()
    assert page.inner_text("#current .question") == asked
    assert "Answered in" in page.inner_text("#current .status")
    page.wait_for_selector("#current .follow-ups .suggestion")
    page.click("#current .follow-ups .suggestion >> nth=0")
    page.wait_for_selector("#t2:not([data-running]) .status:has-text('Answered in')")


def test_the_article_is_opened_and_the_answer_survives_a_reload_and_another_tab(
    opened: Tab, browser: Browser, address: str, library: Library, assistant: Witness
) -> None:
    page = opened.page
    opened.ask("How many people were offline in 2023?")
    opened.finish()
    number = page.locator("#current .cite[data-n='1'] >> nth=0")
    number.click()
    page.wait_for_selector(".source.current")
    number.click()
    page.wait_for_selector(".reader mark[data-n='1']")
    cited = assistant.said[-1].citations[0]
    stored = library.document(cited.document_id).text
    assert page.text_content(".reader mark[data-n='1']") == stored[cited.start : cited.end]
    opened.reload()
    page.wait_for_selector("#past .turn:has-text('2.6 billion')")
    page.click("#past .why summary")
    page.wait_for_selector("#past .why-body table")
    with tab(browser, address) as other:
        other.page.wait_for_selector(".chats li:has-text('offline in 2023')")
        assert other.page.locator(".turn").count() == 0


def test_an_answer_can_be_stopped_and_is_kept(opened: Tab) -> None:
    page = opened.page
    page.evaluate(_ESCAPE_ONCE, "#current .turn[data-running] .headline")
    opened.ask("What did the Hiroshima AI Process produce?")
    assert "Stopped after" in opened.finish()
    opened.reload()
    page.wait_for_selector("#past .turn:has-text('Stopped after')")


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
    opened.show("library")
    page.set_input_files("#upload input[type=file]", str(article))
    page.wait_for_selector("#job .summary:has-text('+1 paragraph')")
    opened.ask("Who built the lighthouse of Orrin Bay?")
    assert "Maud Tarrant" in opened.finish()
    page.click("#rebuild")
    page.wait_for_selector("#job .summary:has-text('unchanged')")
    page.fill("#library-words", "lighthouse")
    page.wait_for_function("document.querySelectorAll('.documents li').length === 1")
    page.hover(".documents li")
    page.click(".documents [data-action=remove]")
    page.click("#toast button:has-text('Undo')")
    page.wait_for_selector("#toast:has-text('back in the library')")
    page.wait_for_selector(".documents li[data-document='lighthouse.txt']")
    opened.ask("Which engineer built the lighthouse of Orrin Bay?")
    page.wait_for_selector("#t2:not([data-running])")
    assert "Maud Tarrant" in page.inner_text("#t2")
