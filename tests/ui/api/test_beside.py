"""Programs and the page at one address, and a citation's link from the one into the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.browsers import served, tab
from tests.support.page_fakes import ScriptedAssistant, make_library
from tests.support.programs import LOCAL
from ui.api.app import ApiOptions, build_api
from ui.http.beside import PROGRAMS
from ui.page.app import PageOptions

if TYPE_CHECKING:
    from playwright.sync_api import Browser

QUESTION = "How many participants registered for the forum held in Kyoto?"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    library = make_library(tmp_path_factory.mktemp("beside"))
    assistant = ScriptedAssistant(library)
    beside = build_api(assistant, library, ApiOptions(page=True))
    with served(assistant, library, PageOptions(beside=beside)) as where:
        yield where.rstrip("/")


def cited(address: str) -> tuple[str, str]:
    """The address of a program's first citation, and its quote."""
    body = {"model": "pilcrow", "messages": [{"role": "user", "content": QUESTION}]}
    reply = httpx.post(f"{address}/v1/chat/completions", json=body, **LOCAL).json()
    first = reply["choices"][0]["message"]["annotations"][0]["url_citation"]
    return first["url"], reply["pilcrow"]["citations"][0]["quote"]


@pytest.mark.parametrize(
    ("path", "ours"),
    [("/v1/models", True), ("/mcp", True), ("/health", True), ("/", False), ("/login", False),
     ("/gradio_api/queue/join", False), ("/v1", False), ("/healthy", False)],
)  # fmt: skip
def test_programs_ask_at_addresses_of_their_own(path: str, ours: bool) -> None:
    assert bool(PROGRAMS.fullmatch(path)) == ours


def test_both_are_answered_and_links_lead_to_the_page(address: str) -> None:
    assert httpx.get(f"{address}/health", **LOCAL).json() == {"status": "ok"}
    assert "gradio_config" in httpx.get(f"{address}/", **LOCAL).text
    assert cited(address)[0].startswith(f"{address}/#read=kyoto.txt&start=")
    refused = httpx.get(f"{address}/v1/models", headers={"Origin": "http://evil.example"}, **LOCAL)
    assert refused.status_code == 403


@pytest.mark.browser
def test_a_citation_of_a_program_opens_the_article_at_its_sentence(
    browser: Browser, address: str
) -> None:
    url, quote = cited(address)
    with tab(browser, f"{address}/") as opened:
        opened.page.goto(url)
        opened.page.wait_for_selector("#reader mark")
        opened.reload()  # as one who opens it anew
        assert opened.page.inner_text("#reader mark") == quote
        assert opened.page.is_visible("#reader mark")
        opened.page.evaluate("location.hash = '#read=cables.md&start=100&end=120'")
        opened.page.wait_for_selector("#reader h2:has-text('Cables under the sea')")
