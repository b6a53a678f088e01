"""The page in a real browser, on a library and an assistant that behave but load no model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index.errors import PilcrowError
from index.types import Document
from tests.browsers import Tab, chromium, served, tab
from tests.page_fakes import ARTICLES, HOSTILE, FakeAssistant, FakeLibrary
from ui import web

if TYPE_CHECKING:
    from playwright.sync_api import Browser

KYOTO = "How many participants registered in Kyoto?"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> FakeAssistant:
    library = FakeLibrary(tmp_path_factory.mktemp("store"))
    for name, (title, source, date, text) in ARTICLES.items():
        library.shelf[name] = Document(name, title, text, source, "", date)
    return FakeAssistant(library)


@pytest.fixture(scope="module")
def address(assistant: FakeAssistant) -> Iterator[str]:
    with served(assistant, assistant.library) as where:
        yield where


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Tab]:
    with tab(browser, address) as fresh:
        yield fresh


@pytest.mark.browser
def test_an_answer_is_streamed_with_its_sources(opened: Tab) -> None:
    opened.ask(KYOTO)
    opened.page.wait_for_selector("#current .headline, #current .statement")
    text = opened.finish()
    assert "More than 9,000 participants" in text
    assert "not supported by its source" in text
    opened.page.click("#current .cite[data-n='1']")
    marked = opened.page.inner_text("#current-sources .source.current mark")
    assert marked.startswith("More than 9,000 participants")


@pytest.mark.browser
def test_evidence_is_there_before_the_model_writes_and_escape_stops_it(
    opened: Tab, assistant: FakeAssistant
) -> None:
    assistant.go_on.clear()
    try:
        opened.ask(KYOTO)
        opened.page.wait_for_selector("#current .headline")
        assert opened.page.locator("#current .statement").count() == 0
        opened.page.keyboard.press("Escape")
        assert "Stopped" in opened.finish()
        assert assistant.stopped.wait(30)
    finally:
        assistant.go_on.set()


@pytest.mark.browser
def test_what_is_not_there_has_a_state_of_its_own(opened: Tab) -> None:
    opened.ask("Who baked sourdough?")
    text = opened.finish()
    assert "Not in your documents" in text
    assert opened.page.locator("#current .closest").count() > 0
    opened.page.click("#current .closest >> nth=0")
    opened.page.wait_for_selector("#current-sources .source.current")


@pytest.mark.browser
def test_hostile_text_stays_text(opened: Tab) -> None:
    opened.ask(f"What do hostile words say? {HOSTILE}")
    text = opened.finish()
    assert "<img src=x onerror=alert(1)> ${alert(1)} {{alert(1)}} `x`" in text
    page = opened.page
    assert page.locator("#panes img[src='x'], #panes script").count() == 0
    cited = page.locator("#current .cite").count()
    assert cited == page.locator("#current .cite[data-n='1'], #current .cite[data-n='2']").count()


@pytest.mark.browser
def test_follow_ups_keep_their_sources_and_hand_the_history_on(
    opened: Tab, assistant: FakeAssistant
) -> None:
    opened.ask(KYOTO)
    opened.finish()
    opened.ask("How long does a ship need on average to reach a cable fault?")
    opened.page.wait_for_selector("#t2:not([data-running]) .statement")
    assert assistant.histories[-1][0][0] == KYOTO
    opened.page.click("#t1 .cite[data-n='1']")
    section = opened.page.locator("#sources .turn-sources:not([hidden])")
    assert "9,000" in section.inner_text()


@pytest.mark.browser
def test_two_tabs_never_see_each_other(browser: Browser, address: str) -> None:
    with tab(browser, address) as one, tab(browser, address) as other:
        one.ask(KYOTO)
        one.finish()
        assert other.page.locator(".turn").count() == 0
        other.ask("How many cables carry nearly all traffic between continents?")
        assert "Kyoto" not in other.finish().split("Best sentence")[0]
        assert one.page.locator(".turn").count() == 1


@pytest.mark.browser
def test_keys_reach_everything(opened: Tab) -> None:
    page = opened.page
    page.locator("body").press("/")
    page.keyboard.type(KYOTO)
    page.keyboard.press("Shift+Enter")
    assert page.input_value("#question textarea") == KYOTO + "\n"
    page.keyboard.press("Enter")
    opened.finish()
    page.locator("#current .turn .question").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("2")
    page.wait_for_selector("#current-sources .source.current[data-n='2']")


@pytest.mark.browser
def test_documents_are_added_by_upload_and_rebuilt_with_progress(
    opened: Tab, assistant: FakeAssistant, tmp_path: Path
) -> None:
    page = opened.page
    page.wait_for_selector(".documents li")
    article = tmp_path / "moon.txt"
    article.write_text("The moon landing happened in July 1969.\n\nTwo people walked there.\n")
    page.set_input_files("#upload input[type=file]", str(article))
    page.wait_for_selector("#job .summary")
    assert "+2 paragraphs" in page.inner_text("#job")
    assert "moon" in page.inner_text("#library")
    opened.ask("When did the moon landing happen?")
    assert "July 1969" in opened.finish()
    assistant.library.go_on.clear()
    try:
        page.click("#rebuild")
        page.wait_for_selector("#job .pace:has-text('embedding 1/')")
    finally:
        assistant.library.go_on.set()
    page.wait_for_selector("#job .summary:has-text('unchanged')")


@pytest.mark.browser
def test_narrow_screens_have_their_sources_below(browser: Browser, address: str) -> None:
    with tab(browser, address, width=420, height=800) as opened:
        opened.ask(KYOTO)
        opened.finish()
        wide = opened.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 420
        opened.page.click("#current .cite[data-n='1']")
        opened.page.wait_for_selector("#current-sources .source.current mark", state="visible")


@pytest.mark.browser
def test_dark_is_dark(browser: Browser, address: str) -> None:
    with tab(browser, address, dark=True) as opened:
        colour = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(int(part) for part in colour[4:-1].split(",")[:3]) < 64


@pytest.mark.browser
def test_errors_say_what_to_do_and_bugs_show_no_trace(opened: Tab) -> None:
    opened.ask("a" * 3000)
    assert "too long" in opened.finish()
    opened.ask("please crash")
    opened.page.wait_for_selector("#t2:not([data-running])")
    text = opened.page.inner_text("#t2")
    assert "Something went wrong" in text
    assert "on purpose" not in text


def test_a_public_address_needs_a_password(tmp_path: Path) -> None:
    library = FakeLibrary(tmp_path)
    with pytest.raises(PilcrowError, match="password"):
        web.serve(FakeAssistant(library), library, host="0.0.0.0", port=0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\docs\\a.txt", "a.txt"),
        ("..hidden.txt", "hidden.txt"),
        ("<b>.txt", "<b>.txt"),
    ],
)
def test_uploaded_names_cannot_leave_their_folder(tmp_path: Path, given: str, kept: str) -> None:
    source = tmp_path / "in" / given.replace("\\", "_").replace("/", "_")
    source.parent.mkdir()
    source.write_text("text")
    link = tmp_path / "in" / given if "\\" in given else source
    if not link.exists():
        link.write_text("text")
    names = web.keep_uploads([str(link)], tmp_path / "uploads")
    assert {p.name for p in (tmp_path / "uploads").iterdir()} == set(names)
    assert all("/" not in name and not name.startswith(".") for name in names)
    assert names[0].endswith(kept.rsplit("/", 1)[-1])
